"""What a process beside a device does with its orders; tests/execute/test_devices.py runs some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import Pipe
from pathlib import Path

import pytest

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.execute import learners, on_device, rounds
from cmx_bench.execute.on_device import Close, Execute, Open
from cmx_bench.worker.job import EvaluationJob, Job, Outcome, Seen
from cmx_bench.worker.local import Call

SETTING = Setting("cpu", "cpu", "fp32", "nchw", "none", 2, 28)
CELL = Cell(Model("m", "M", "mixer", "mixer", ""), "throughput", SETTING)
JOB = Job(CELL, 0, Path("log.txt"))


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is begun, called and ended, in place of processes."""
    steps: list[str] = []

    @contextmanager
    def calling(name: str, path: str, log: Path, variables: Mapping[str, str]) -> Iterator[Call]:
        steps.append(f"begun with {dict(variables)}")
        yield lambda target, *arguments, timeout=None: Outcome({}, "of its own", {})
        steps.append("ended")

    monkeypatch.setattr(rounds.interpreters, "calling", calling)
    monkeypatch.setattr(rounds, "call_once", lambda job, timeout: Outcome({}, "of the plan's", {}))
    monkeypatch.setattr(rounds.local, "call", steps.append)
    return steps


def test_a_repeated_round_has_an_interpreter_until_it_is_closed(done: list[str]) -> None:
    ours, theirs = Pipe()
    with on_device._Round() as this:
        on_device._obey(this, Open(Path("log"), True, {"A": "b"}), theirs)
        on_device._obey(this, Execute(JOB, 60.0), theirs)
        assert ours.recv()[1].reason == "of its own"
        on_device._obey(this, Close(), theirs)
        assert done == ["begun with {'A': 'b'}", "ended"]
        on_device._obey(this, Execute(JOB, 60.0), theirs)
        assert ours.recv()[1].reason == "of the plan's"
    ours.close()


def test_another_round_only_waits_until_torch_is_loaded(done: list[str]) -> None:
    with on_device._Round() as this:
        on_device._obey(this, Open(Path("log"), False, {}), Pipe()[1])
    assert done == ["os:getpid"]


def test_an_interpreter_ends_with_the_process_that_has_it(done: list[str]) -> None:
    with on_device._Round() as this:
        on_device._obey(this, Open(Path("log"), True, {}), Pipe()[1])
    assert done[-1] == "ended"


def test_an_evaluation_says_how_it_goes_and_what_came_of_each_cell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcome = Outcome({"top1": [0.5]}, "", {})

    def outcomes(job: EvaluationJob, timeout: float, tell: object) -> Iterator[object]:
        tell(Seen(1, 2))  # type: ignore[operator]
        yield CELL, outcome

    monkeypatch.setattr(learners, "outcomes", outcomes)
    ours, theirs = Pipe()
    job = EvaluationJob((CELL,), 0, None, None, Path())  # type: ignore[arg-type]
    with on_device._Round() as this:
        on_device._obey(this, Execute(job, 60.0), theirs)
    assert ours.recv() == Seen(1, 2)
    assert ours.recv() == (CELL, outcome)
