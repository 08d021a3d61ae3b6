"""The self-check: made once, remembered, said once, and safe where it can't be made."""

import json
from pathlib import Path

import pytest

from r1chat.engine.selfcheck import SelfCheck, Verdict, decode_once, machine_key
from r1chat.models.library import demo_path


class Prover:
    """A proof with a given end; counts how often it was asked for."""

    def __init__(self, returncode: int | None) -> None:
        self.returncode = returncode
        self.n = 0

    def __call__(self, demo: Path) -> int | None:
        self.n += 1
        return self.returncode


def test_the_real_proof_ends_in_a_verdict(tmp_path: Path) -> None:
    """On this machine, the throw-away child decodes the demo model, or dies of a hardware fault; both are a verdict."""
    file = tmp_path / "state" / "selfcheck.json"
    first = SelfCheck(file, demo_path()).verdict()
    assert {machine_key(): first.extra_buffers} == json.loads(file.read_text())
    assert bool(first.notice) is not first.extra_buffers


def test_a_good_verdict_is_made_once(tmp_path: Path) -> None:
    """A machine that passes is not asked again, and nothing is said."""
    prover = Prover(0)
    check = SelfCheck(tmp_path / "v.json", demo_path(), prover)
    assert [Verdict(True), Verdict(True)] == [check.verdict(), check.verdict()]
    assert 1 == prover.n


@pytest.mark.parametrize("returncode", [-11, -4, 0xC000001D])
def test_a_fault_is_remembered_and_said_once(tmp_path: Path, returncode: int) -> None:
    """A machine on which the proof dies loads the safe way from then on, and is told so one time."""
    prover = Prover(returncode)
    check = SelfCheck(tmp_path / "v.json", demo_path(), prover)
    first = check.verdict()
    assert not first.extra_buffers
    assert "CPU" in first.notice
    assert Verdict(False) == check.verdict()
    assert 1 == prover.n


@pytest.mark.parametrize("returncode", [None, 1, -9])
def test_no_proof_means_the_safe_way_for_now(tmp_path: Path, returncode: int | None) -> None:
    """A proof that can't be made, fails otherwise or is killed decides nothing: safe now, and tried again next time."""
    prover = Prover(returncode)
    check = SelfCheck(tmp_path / "v.json", demo_path(), prover)
    assert [Verdict(False), Verdict(False)] == [check.verdict(), check.verdict()]
    assert 2 == prover.n


def test_a_missing_demo_model_is_no_proof(tmp_path: Path) -> None:
    """Without the bundled model the child fails, which is no hardware fault."""
    assert SelfCheck(tmp_path / "v.json", tmp_path / "none.gguf").verdict() == Verdict(False)
    assert decode_once(tmp_path / "none.gguf") not in (0, None)


def test_a_revoked_verdict_is_made_anew(tmp_path: Path) -> None:
    """After a revocation the proof is made again."""
    prover = Prover(0)
    check = SelfCheck(tmp_path / "v.json", demo_path(), prover)
    check.verdict()
    check.revoke()
    prover.returncode = -11
    assert not check.verdict().extra_buffers


@pytest.mark.parametrize("content", ["", "{", "[]", '{"other": true}', "\0"])
def test_a_broken_file_is_no_verdict(tmp_path: Path, content: str) -> None:
    """Whatever the file holds, a verdict is made and the file is right afterwards."""
    file = tmp_path / "v.json"
    file.write_text(content)
    assert SelfCheck(file, demo_path(), Prover(0)).verdict() == Verdict(True)
    assert json.loads(file.read_text())[machine_key()] is True


def test_a_folder_that_cannot_be_made_costs_only_the_memory(tmp_path: Path) -> None:
    """Where the state can't be kept, the verdict still holds for now."""
    (tmp_path / "file").write_text("")
    assert SelfCheck(tmp_path / "file" / "v.json", demo_path(), Prover(0)).verdict() == Verdict(True)


def test_the_key_names_this_machine_and_build() -> None:
    """The key is stable within one machine and build."""
    assert machine_key() == machine_key()
    assert 32 == len(machine_key())
