"""What a process beside a device does with its orders; tests/execute/test_devices.py runs some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.execute import learners, rounds
from cmx_bench.execute.on_device import Work
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
    with Work() as work:
        work.open(True, Path("log"), {"A": "b"})
        heard = list(work.carry_out(JOB, 60.0))
        work.close()
        assert done == ["begun with {'A': 'b'}", "ended"]
        heard += work.carry_out(JOB, 60.0)
    outcomes = [said[1] for said in heard if not isinstance(said, Seen)]
    assert [outcome.reason for outcome in outcomes] == ["of its own", "of the plan's"]


def test_another_round_only_waits_until_torch_is_loaded(done: list[str]) -> None:
    with Work() as work:
        work.open(False, Path("log"), {})
    assert done == ["os:getpid"]


def test_an_interpreter_ends_with_the_process_that_has_it(done: list[str]) -> None:
    with Work() as work:
        work.open(True, Path("log"), {})
    assert done[-1] == "ended"


def test_an_evaluation_says_how_it_goes_and_what_came_of_each_cell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard = [Seen(1, 2), (CELL, Outcome({"top1": [0.5]}, "", {}))]
    monkeypatch.setattr(learners, "outcomes", lambda job, timeout: iter(heard))
    job = EvaluationJob((CELL,), 0, None, None, Path())  # type: ignore[arg-type]
    with Work() as work:
        assert list(work.carry_out(job, 60.0)) == heard
