"""What `plan` prints of a suite before its cells, and of each cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.accuracy import Evaluation
from cmx_bench.cli import planning
from cmx_bench.cli.requests import Request
from cmx_bench.errors import CmxError
from cmx_bench.plan import Plan, making
from cmx_bench.plan.users import Asked
from cmx_bench.spec import suite

from ..conftest import TINY, TRAINED

Made = Callable[..., Plan]


@pytest.fixture
def make_plan(write_suite: Callable[[str], Path], cpu: dict[str, Any]) -> Made:
    """The plan of a text."""

    def make(text: str, quick: bool = False, replicate: int | None = None) -> Plan:
        file = suite.load(str(write_suite(text)), quick=quick)
        task = Evaluation(file.suite.accuracy, Path())
        return making.make(file, cpu, Asked(evaluation=task, replicate=replicate))

    return make


def head_of(plan: Plan, budget: float | None, by_option: bool = False) -> list[str]:
    return [f"{key:<11} {text}" for key, text in planning._list_asked(plan, budget, by_option)]


def test_defaults_are_marked(make_plan: Made) -> None:
    head, _, _ = TINY.partition("measures")
    plan = make_plan(head + "budget: 10m\nprecision: 2%\n")
    assert head_of(plan, 600.0) == [
        "title       tiny (by default)",
        "measures    params, macs, planned_memory, throughput, memory (by default)",
        f"settings    {plan.settings[0].key} (by default)",
        "replicates  5 processes for each timing, more until ± is at most 2.0 % (by default)",
        "budget      10 min 00 s",
    ]
    *_, rounds, budget = head_of(make_plan(TINY), None)
    assert (rounds, budget) == (
        "replicates  3 processes for each timing", "budget      none (by default)"
    )  # fmt: skip
    assert head_of(make_plan(TINY), 60.0, by_option=True)[-1] == "budget      1 min 00 s"


def test_what_quick_changes_is_marked(make_plan: Made) -> None:
    assert head_of(make_plan(TINY, quick=True), 60.0)[-2:] == [
        "replicates  2 processes for each timing (by --quick)",
        "budget      1 min 00 s (by --quick)",
    ]


def test_each_seed_is_an_execution(make_plan: Made) -> None:
    plan = make_plan(TRAINED)
    cell = plan.cells[0]
    estimated = replace(plan, estimates={cell.key: 30.0})
    assert planning._executions(estimated, cell) == "2 × 30.0 s"


def test_what_is_skipped_says_why(make_plan: Made) -> None:
    plan = make_plan(TINY.replace("throughput]", "accuracy]"))
    cell = plan.cells[-1]
    assert planning._executions(plan, cell).startswith(
        "skipped: no weights, and an untrained model guesses: name some under weights, or add "
    )
    quick = make_plan(TRAINED, quick=True)
    for cell in quick.cells:
        assert planning._executions(quick, cell) == (
            "skipped: a quick run trains no models: run without --quick"
        )
        assert quick.estimates[cell.key] == 0.0


def test_one_replicate_is_executed_once(make_plan: Made) -> None:
    plan = make_plan(TRAINED, replicate=1)
    assert head_of(plan, None)[-2] == "replicates  replicate 1 alone"
    whole = [planning._executions(make_plan(TRAINED), cell) for cell in plan.cells]
    alone = [planning._executions(plan, cell) for cell in plan.cells]
    assert [text.replace("2 ×", "1 ×") for text in whole] == alone


# --- what a job array refuses; tests/execute/test_slurm.py holds what its scripts say -------------

REQUEST = Request("tiny.yaml")


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"quick": True}, "leave --quick out"),
        ({"replicate": 0}, "leave --replicate out"),
        ({"spread": "2m"}, "leave --spread out"),
        ({"executor": "ray"}, "leave --executor out"),
        ({"device": "cuda:0,1"}, "--device cuda:0,1: each job has a GPU of its"),
        ({"device": "cuda:all"}, "give --device cuda with --slurm"),
    ],
)
def test_options_of_a_run_in_one_piece_are_refused(asked: dict[str, Any], line: str) -> None:
    with pytest.raises(CmxError, match=line):
        planning._refuse_other(replace(REQUEST, **asked))


def test_a_request_of_the_whole_suite_is_none_of_these() -> None:
    planning._refuse_other(REQUEST)
