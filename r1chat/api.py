"""The Python API: one function. Knows no terminal."""

from collections.abc import Sequence

from r1chat import paths
from r1chat.chat import Chat, Options
from r1chat.core.memory import Wishes
from r1chat.core.sampling import Sampling
from r1chat.engine.base import ThinkBudget
from r1chat.launch import at_hand, launch


def open(
    model: str,
    *,
    temperature: float = 0.6,
    top_p: float = 0.95,
    top_k: int = 0,
    min_p: float = 0.0,
    repeat_penalty: float = 1.0,
    seed: int | None = None,
    stop: str | Sequence[str] = (),
    n_ctx: int | None = None,
    n_threads: int | None = None,
    n_gpu_layers: int | None = None,
    max_tokens: int | None = None,
    think_budget: int | None = None,
    think_min: int = 0,
    think: bool = True,
) -> Chat:
    """Open a model for a chat: "demo", a name ("7b:Q8_0") of one that is on this machine, or the path of a GGUF file.

    Nothing is downloaded. Use the chat as a context manager, or close it.

    The sampling defaults are DeepSeek's own. `think_budget`, `think_min` and `max_tokens` count tokens; None leaves the
    context and the default limit as the only bounds. `n_ctx` None takes what fits, up to 32,768. Raises NotFoundError,
    GGUFError, UsageError or FitError at once; what goes wrong while the model loads is raised by `reply`, and in
    `ask`'s Finished.
    """
    sampling = Sampling(temperature, top_p, top_k, min_p, repeat_penalty, seed)
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    budget = ThinkBudget(think_budget, least=think_min)
    options = Options(sampling=sampling, max_tokens=max_tokens, think_budget=budget, think=think, stop=stops)
    folders = paths.find()
    launched = launch(at_hand(model, folders), Wishes(n_ctx, n_threads, n_gpu_layers), folders)
    return Chat(launched.engine, family=launched.shape.family, options=options)
