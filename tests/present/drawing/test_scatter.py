"""A scatter plot: its axes, the curve behind it, and how points are named."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from pandas import DataFrame

from cmx_bench.present import drawing
from cmx_bench.present.drawing import Plot
from cmx_bench.present.drawing.scatter import scatter

POINTS = DataFrame({
    "label": ["Small", "Large"], "family": ["resnet", "resnet"], "x": [10.0, 90.0],
    "y": [100.0, 800.0], "low": [math.nan] * 2, "high": [math.nan] * 2, "published": [False] * 2,
})  # fmt: skip


def painted(points: DataFrame = POINTS, **options: object) -> Axes:
    paint = partial(scatter, labels=("Size", "Speed"), **options)  # type: ignore[arg-type]
    return drawing.on(Plot("name", "Title", "", "", points, paint), None)


def texts(ax: Axes) -> set[str]:
    return {text.get_text() for text in ax.texts}


def test_each_point_is_named_and_axes_say_what_they_show() -> None:
    ax = painted(scales=("log", None))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Size", "Speed")
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert {"Small", "Large"} <= texts(ax)


def test_a_disturbed_point_is_marked_at_its_name() -> None:
    assert {"Small", "Large ≈"} <= texts(painted(POINTS.assign(disturbed=[False, True])))


def test_a_line_is_named_once_at_its_end() -> None:
    line = POINTS.assign(label=["", "Net"], line="net", disturbed=[True, True])
    assert {text for text in texts(painted(line)) if text.strip()} == {"Net ≈"}


def test_a_curve_stands_behind_the_points_and_is_seen_whole() -> None:
    ax = painted(curve=("Front", [(5.0, 50.0), (200.0, 900.0)]))
    [front] = [line for line in ax.get_lines() if line.get_label() == "Front"]
    assert np.asarray(front.get_xdata()).tolist() == [5.0, 200.0]
    assert ax.get_xlim()[1] > 200 and ax.get_ylim()[1] > 900
