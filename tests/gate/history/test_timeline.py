"""Lines over past runs: which points are drawn, ticks, and marks whose texts keep apart."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.text import Annotation
from pandas import DataFrame

from cmx_bench.gate.history import timeline
from cmx_bench.gate.history.timeline import MOST_MARKED, Mark

CHANGE, ENVIRONMENT = Mark(4, "9 % slower", True), Mark(4.1, "torch 2.15", False)


def points(runs: int) -> DataFrame:
    return DataFrame({
        "x": range(runs), "y": [100.0 + 100 * (run % 2) for run in range(runs)], "label": "Net",
        "family": "resnet", "line": "Net", "low": float("nan"), "high": float("nan"),
        "published": False,
    })  # fmt: skip


def painted(runs: int, *marks: Mark) -> Axes:
    _, ax = plt.subplots()
    ticks = [f"day {run}" for run in range(runs)]
    timeline.paint(points(runs), ax, marks=marks, ticks=ticks, what="images/s")
    return ax


@pytest.fixture(autouse=True)
def _closed() -> object:
    yield
    plt.close("all")


def texts(ax: Axes) -> dict[str, Any]:
    return {each.get_text(): each for each in ax.texts if isinstance(each, Annotation)}


@pytest.mark.parametrize(("runs", "labels"), [(4, 4), (12, 6), (13, 5)])
def test_at_most_six_runs_are_named(runs: int, labels: int) -> None:
    ax = painted(runs)
    named = [label.get_text() for label in ax.get_xticklabels()]
    assert len(named) == labels
    assert named[0] == "day 0"


def test_of_many_runs_the_last_point_alone_is_marked() -> None:
    def markers(runs: int) -> int:
        points = (each for each in painted(runs).collections if isinstance(each, PathCollection))
        return sum(len(np.asarray(each.get_offsets())) for each in points)

    assert markers(MOST_MARKED) == MOST_MARKED
    assert markers(MOST_MARKED + 1) == 1


def test_a_change_hangs_from_the_top_and_an_environment_stands_on_the_bottom() -> None:
    ax = painted(10, CHANGE, ENVIRONMENT)
    change, environment = texts(ax)[CHANGE.text], texts(ax)[ENVIRONMENT.text]
    assert (change.xy, change.get_verticalalignment()) == ((4, 1), "top")
    assert (environment.xy, environment.get_verticalalignment()) == ((4.1, 0), "bottom")


def test_texts_that_would_overlap_stand_in_rows_below_each_other() -> None:
    near, far = Mark(4.2, "4 % faster", True), Mark(9, "7 % slower", True)
    rows = dict(timeline._rows(painted(10), (CHANGE, near, far), 10, True))
    assert (rows[CHANGE], rows[near], rows[far]) == (0, 1, 0)


def test_lines_leave_room_for_the_texts_but_keep_half_the_height() -> None:
    low, high = painted(10).get_ylim()
    tall = "\n".join(f"package {number}" for number in range(40))
    lower, higher = painted(10, CHANGE, Mark(5, tall, False)).get_ylim()
    assert lower < low < high <= higher
    assert 100 / (higher - lower) == pytest.approx(0.5)  # the values are 100 and 200
