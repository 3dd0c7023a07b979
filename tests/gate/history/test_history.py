"""Past runs, their series, and where they moved to another machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cmx_bench.gate.history import FEWEST_RUNS, History, Point, Series
from cmx_bench.metrics import METRICS

from ...report.synthetic import FP16, PAPER
from .past import visit


def series(*values: float, metric: str = "throughput") -> Series:
    points = tuple(Point(visit(1 + day), value) for day, value in enumerate(values))
    return Series("ci", "A CPU", PAPER[0], FP16.key, METRICS[metric], points)


def test_when_a_run_began_is_told_without_signs_of_iso() -> None:
    run = replace(visit(6), created="2026-01-06T00:00:00+00:00")
    assert run.when == "2026-01-06 00:00:00 UTC"


@pytest.mark.parametrize(
    ("values", "metric", "enough"),
    [
        ([1.0] * FEWEST_RUNS, "throughput", True),
        ([1.0] * (FEWEST_RUNS - 1), "throughput", False),
        ([1.0] * FEWEST_RUNS + [0.0], "throughput", False),  # 0 has no logarithm
        ([7.0, 7.0], "params", True),
        ([7.0], "params", False),
    ],
)
def test_change_points_need_six_runs_or_an_exact_metric(
    values: list[float], metric: str, enough: bool
) -> None:
    assert series(*values, metric=metric).long_enough is enough


def test_a_run_has_moved_where_the_one_of_its_suite_before_ran_elsewhere() -> None:
    runs = (
        visit(1, "A"), visit(2, "X", suite="paper"), visit(3, "A"), visit(4, "B"),
        visit(5, "X", suite="paper"), visit(6, "A"),
    )  # fmt: skip
    history = History(runs, ())
    assert history.suites == ("ci", "paper")
    assert history.machines == ("A", "X", "B")
    assert list(history.moves()) == [(runs[2], runs[3]), (runs[3], runs[5])]
