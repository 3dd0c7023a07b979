"""Axes around points: limits, round ticks on logarithms, legends."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from matplotlib.axes import Axes
from pandas import DataFrame

from cmx_bench.measures.workload import KINDS
from cmx_bench.present.drawing import canvas, scales
from cmx_bench.present.drawing.canvas import Sheet
from cmx_bench.present.drawing.theme import style

POINTS = DataFrame({
    "label": ["A", "B"], "family": ["resnet", "deit"], "x": [10.0, 90.0], "y": [100.0, 800.0],
    "low": [90.0, math.nan], "high": [110.0, math.nan], "published": [False, True],
})  # fmt: skip


@pytest.fixture
def ax() -> Iterator[Axes]:
    with style("page"):
        yield Sheet().add_axes((0.1, 0.1, 0.85, 0.8))


def test_points_reach_as_far_as_their_bars() -> None:
    assert scales.extent(POINTS, "x") == (10, 90)
    assert scales.extent(POINTS, "y") == (90, 800)


def test_an_axis_begins_at_zero_unless_told_otherwise(ax: Axes) -> None:
    scales.set_scale(ax, "y", None, POINTS)
    assert ax.get_ylim() == (0, pytest.approx(1.14 * 800))
    scales.set_scale(ax, "y", "close", POINTS)
    assert ax.get_ylim() == pytest.approx((90 - 0.06 * 710, 800 + 0.06 * 710))
    scales.set_scale(ax, "x", (0.0, 100.0), POINTS)
    assert ax.get_xlim() == (0, 100)


def test_given_limits_grow_for_points_beyond_them(ax: Axes) -> None:
    scales.set_scale(ax, "x", (20.0, 100.0), POINTS)
    assert ax.get_xlim() == pytest.approx((10 - 4, 100))
    scales.set_scale(ax, "x", (0.0, 80.0), POINTS, others=[95.0])
    assert ax.get_xlim() == pytest.approx((0, 95 + 4))


def test_a_logarithmic_axis_has_three_round_ticks_at_least(ax: Axes) -> None:
    scales.set_scale(ax, "y", "log", POINTS)
    assert ax.get_yscale() == "log"
    low, high = ax.get_ylim()
    assert (low, high) == pytest.approx((60, 1200))
    ticks = [tick for tick in ax.get_yticks() if low <= tick <= high]
    assert ticks == pytest.approx([100, 200, 500, 1000])
    assert ax.yaxis.get_major_formatter()(1000.0, 0) == "1,000"
    scales.set_scale(ax, "y", "log", POINTS.assign(low=[-5.0, 0.0]))  # was "math domain error"
    assert ax.get_ylim() == pytest.approx((100 / 1.5, 1200))
    narrow = POINTS.assign(y=[100.0, 120.0], low=math.nan, high=math.nan)
    scales.set_scale(ax, "y", "log", narrow)
    low, high = ax.get_ylim()
    assert len([tick for tick in ax.get_yticks() if low <= tick <= high]) >= 3


@pytest.mark.parametrize(
    ("width", "expected"),
    [(0.85, [20, 50, 100, 200, 500, 1000, 2000, 5000]), (0.3, [30, 100, 300, 1000, 3000])],
)
def test_labels_of_ticks_stand_apart(ax: Axes, width: float, expected: list[float]) -> None:
    ax.set_position((0.1, 0.1, width, 0.8))
    scales.set_scale(ax, "x", "log", POINTS.assign(x=[26.0, 4600.0]))
    low, high = ax.get_xlim()
    assert [tick for tick in ax.get_xticks() if low <= tick <= high] == pytest.approx(expected)


def test_ticks_may_be_given(ax: Axes) -> None:
    scales.set_scale(ax, "x", "log", POINTS, ticks=[16, 64])
    assert list(ax.get_xticks()) == [16, 64]


def test_a_legend_has_an_entry_for_each_family_hollow_where_all_are_published(ax: Axes) -> None:
    scales.legend(ax, POINTS)
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["DeiT", "ResNet"]
    deit, resnet = legend.get_lines()
    assert resnet.get_markerfacecolor() == resnet.get_color() != deit.get_markerfacecolor()
    assert isinstance(ax.figure, Sheet) and ax.figure.beside["above"] > canvas.em()


def test_disturbed_points_are_explained_where_there_are_any(ax: Axes) -> None:
    scales.legend(ax, POINTS.assign(disturbed=[False, True]))
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()][-1] == "≈ disturbed"


def test_kinds_of_work_have_a_line_of_their_own(ax: Axes) -> None:
    kinds = list(KINDS)[:2]
    scales.legend(ax, POINTS.assign(kind=kinds))
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [KINDS[kind] for kind in kinds]
    assert len([each for each in ax.artists if each is not legend]) == 1  # that of families
