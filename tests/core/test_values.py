"""Sampling and plans: what is allowed, and what is refused in words."""

import dataclasses
import math

import pytest

from r1chat.core.memory import Devices, Plan, Wishes, plan
from r1chat.core.sampling import Sampling
from r1chat.core.shape import Shape
from r1chat.errors import UsageError

SHAPE = Shape("qwen2", "x", 28, 1536, 12, 2, 128, 128, 131072, 151936, 1_100_000_000, "Q4_K_M", "r1-distill")
DEVICES = Devices(n_threads=8)


def test_the_defaults_are_deepseeks_and_nothing_else() -> None:
    """Temperature 0.6, top-p 0.95, and every other stage off."""
    assert Sampling(0.6, 0.95, 0, 0.0, 1.0, None) == Sampling()
    assert not Sampling().greedy
    assert Sampling(temperature=0.0).greedy


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -0.1),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("top_p", 1.1),
        ("min_p", -1.0),
        ("top_k", -1),
        ("repeat_penalty", 0.0),
        ("seed", -1),
        ("seed", 2**32),
    ],
)
def test_a_value_that_no_sampler_can_use_is_refused(field: str, value: float) -> None:
    """Each parameter has bounds, and the sentence names it."""
    with pytest.raises(UsageError) as error:
        Sampling(**{field: value})  # type: ignore[arg-type]
    assert field.replace("_", "-").split("-")[0] in error.value.message.lower()


def test_without_wishes_the_context_is_bounded_and_the_gpu_left_alone() -> None:
    """min(trained, 32,768) tokens, no offloaded layer, every physical core."""
    assert (32_768, 8, 0) == dataclasses.astuple(plan(SHAPE, DEVICES, Wishes()))[:3]
    small = dataclasses.replace(SHAPE, n_ctx_train=2048)
    assert 2048 == plan(small, DEVICES, Wishes()).n_ctx


def test_a_very_small_model_gets_one_thread() -> None:
    """A model under 16 MiB is not spread over cores, unless told to."""
    tiny = dataclasses.replace(SHAPE, weights_bytes=2_000_000)
    assert 1 == plan(tiny, DEVICES, Wishes()).n_threads
    assert 4 == plan(tiny, DEVICES, Wishes(n_threads=4)).n_threads


def test_wishes_are_honoured() -> None:
    """What the user asks for is what the plan says."""
    chosen = plan(SHAPE, DEVICES, Wishes(n_ctx=65536, n_threads=3))
    assert (65536, 3) == (chosen.n_ctx, chosen.n_threads)
    assert any("context 65,536" in reason for reason in chosen.reasons)


@pytest.mark.parametrize(
    "wishes", [Wishes(n_ctx=200_000), Wishes(n_ctx=8), Wishes(n_threads=0), Wishes(n_threads=9999)]
)
def test_a_wish_that_cannot_be_honoured_is_refused(wishes: Wishes) -> None:
    """Never a silent cut: an impossible wish is an error with a way out."""
    with pytest.raises(UsageError) as error:
        plan(SHAPE, DEVICES, wishes)
    assert error.value.hint


@pytest.mark.parametrize(("n_ctx", "reserve"), [(64, 16), (4096, 1024), (8192, 1024)])
def test_the_reserve_is_a_quarter_up_to_1024(n_ctx: int, reserve: int) -> None:
    """min(n_ctx / 4, 1,024) tokens are kept for the answer."""
    assert reserve == Plan(n_ctx=n_ctx, n_threads=1).reserve
