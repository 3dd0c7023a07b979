"""Points of families: what each marker says, how it looks, what joins and surrounds it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from pandas import DataFrame

from cmx_bench.present import drawing
from cmx_bench.present.drawing import Plot, canvas
from cmx_bench.present.drawing.points import draw_points
from cmx_bench.present.drawing.theme import KIND_COLOURS, PAGE, STYLES, style

NAN = float("nan")
POINTS = DataFrame([
    {"label": "ResNet-50", "family": "resnet", "x": 25.6, "y": 80.0, "low": 79.0, "high": 81.0,
     "published": False, "line": "resnet"},
    {"label": "<b>", "family": "resnet", "x": 5.0, "y": 70.0, "low": NAN, "high": NAN,
     "published": False, "line": "resnet"},
    {"label": "DeiT-S", "family": "deit", "x": 22.1, "y": 79.8, "low": NAN, "high": NAN,
     "published": True, "line": "deit"},
])  # fmt: skip


def paint(points: DataFrame, ax: Axes) -> None:
    ax.set(xlabel="Parameters", ylabel="Top-1 (%)")
    draw_points(ax, points)


def svg(points: DataFrame = POINTS) -> str:
    [drawn] = drawing.draw([Plot("p", "P", "", "", points, paint)])
    return drawn.svg


def titles(points: DataFrame = POINTS) -> list[str]:
    return [unescape(text) for text in re.findall(r"<title>(.*?)</title>", svg(points))]


def on_axes(points: DataFrame) -> Axes:
    """The axes as a user gets them."""
    with style("page"):
        return drawing.on(Plot("p", "P", "", "", points, paint))


def markers(ax: Axes) -> Any:
    """Those of points: what has a marker for each of them and no cap, the largest last."""
    return max(
        (collection for collection in ax.collections if isinstance(collection, PathCollection)),
        key=lambda collection: len(collection.get_offsets()),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("columns", [["published"], ["published", "line"]])
def test_each_point_says_what_it_is(columns: list[str]) -> None:
    points = POINTS[["label", "family", "x", "y", "low", "high", *columns]]
    assert titles(points) == [
        "ResNet-50: Parameters 25.60, Top-1 (%) 80.00 (95 % interval 79.00 to 81.00)",
        "<b>: Parameters 5.000, Top-1 (%) 70.00",
        "DeiT-S (published): Parameters 22.10, Top-1 (%) 79.80",
    ]


def test_one_point_alone_says_what_it_is() -> None:
    assert titles(POINTS[:1]) == [
        "ResNet-50: Parameters 25.60, Top-1 (%) 80.00 (95 % interval 79.00 to 81.00)"
    ]


def test_a_text_stands_on_its_own_marker() -> None:
    """The higher the value, the nearer to the top, where y is 0."""
    placed = re.findall(
        r'<title>(.*?):.*?</title>.*?<(?:use|path) [^>]*?(?:y="|M [-\d.]+ )([\d.]+)',
        svg(),
        re.DOTALL,
    )
    heights = {unescape(name): float(y) for name, y in placed}
    assert heights["ResNet-50"] < heights["DeiT-S (published)"] < heights["<b>"]


def test_a_point_can_say_its_x_in_words() -> None:
    points = POINTS.assign(tick=["May 1", "May 2", "May 3"])
    assert [text.split(":")[1].split(",")[0] for text in titles(points)] == [
        " May 1", " May 2", " May 3",
    ]  # fmt: skip


def test_a_point_without_a_label_is_named_by_its_line() -> None:
    assert titles(POINTS.assign(label=""))[2].startswith("deit (published): ")


def test_nothing_of_the_way_that_texts_went_is_left() -> None:
    assert "hover:" not in svg()
    assert not canvas.count_texts(markers(on_axes(POINTS)))


def test_a_lost_text_is_an_error() -> None:
    ax = on_axes(POINTS)
    with pytest.raises(ValueError, match="1 texts for 3 markers"):
        canvas.set_texts(markers(ax), ["one"])
    canvas.set_texts(markers(ax), ["one", "two", "three"])
    with pytest.raises(RuntimeError, match="drew 0 markers with a text, of 3"):
        canvas._add_titles("<svg/>", ax)


def test_families_have_their_colours_and_published_points_are_hollow() -> None:
    collection = markers(on_axes(POINTS))
    colours = [STYLES[family].colour for family in POINTS["family"]]
    assert [to_hex(colour) for colour in collection.get_edgecolor()] == colours
    assert [to_hex(colour) for colour in collection.get_facecolor()] == [*colours[:2], PAGE]


def test_a_kind_of_work_colours_a_point_instead() -> None:
    points = POINTS[["label", "family", "x", "y"]].assign(kind=["depthwise", "linear", "other"])
    assert [to_hex(colour) for colour in markers(on_axes(points)).get_facecolor()] == [
        KIND_COLOURS[kind] for kind in ("depthwise", "linear", "other")
    ]


def test_what_has_one_line_is_joined_but_not_measured_with_published() -> None:
    def join(points: DataFrame) -> list[list[float]]:
        return [
            np.asarray(line.get_xdata(), float).tolist() for line in on_axes(points).get_lines()
        ]

    assert sorted(join(POINTS)) == [[5.0, 25.6], [22.1]]
    both = POINTS.assign(family="resnet", line="resnet")
    assert sorted(join(both)) == [[5.0, 25.6], [22.1]]
    assert join(POINTS.drop(columns="line")) == []


def test_a_ring_stands_around_what_the_caption_speaks_of() -> None:
    ax = on_axes(POINTS.assign(ring=[False, True, False]))
    rings = [
        collection.get_offsets().tolist()  # type: ignore[union-attr]
        for collection in ax.collections
        if isinstance(collection, PathCollection) and len(collection.get_facecolor()) == 0  # type: ignore[arg-type]
    ]
    assert rings == [[[5.0, 70.0]]]


def test_coloured_as_a_user_wants() -> None:
    with style("slides", {"resnet": "#123456"}):
        ax = drawing.on(Plot("p", "P", "", "", POINTS, paint))
    assert to_hex(markers(ax).get_edgecolor()[0]) == "#123456"
    assert to_hex(markers(ax).get_edgecolor()[2]) == STYLES["deit"].colour
