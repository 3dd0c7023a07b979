"""A text on every marker of a figure, its own."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest

from cmx_bench.present import drawing, hover
from cmx_bench.present.plot import Axis, Plot, Point, Scatter, Shape, Strip, Strips, Timeline

POINTS = (
    Point("ResNet-50", "resnet", 25.6, 80.0, 79.0, 81.0),
    Point("<b>", "resnet", 5.0, 70.0),
    Point("DeiT-S", "deit", 22.1, 79.8, published=True),
)


X, Y = Axis("Parameters"), Axis("Top-1 (%)")


def drawn(shape: Shape) -> str:
    [figure] = drawing.draw([Plot("p", "P", "", "", shape)])
    return figure.svg


def titles(svg: str) -> list[str]:
    return [unescape(text) for text in re.findall(r"<title>(.*?)</title>", svg)]


@pytest.mark.parametrize("line", ["", "resnets"])
def test_each_point_says_what_it_is(line: str) -> None:
    points = tuple(replace(point, line=line) for point in POINTS)
    assert sorted(titles(drawn(Scatter(X, Y, points)))) == [
        "<b>: Parameters 5.000, Top-1 (%) 70.00",
        "DeiT-S (published): Parameters 22.10, Top-1 (%) 79.80",
        "ResNet-50: Parameters 25.60, Top-1 (%) 80.00 (95 % interval 79.00 to 81.00)",
    ]


def test_a_text_stands_on_its_own_marker() -> None:
    """The higher the value, the nearer to the top, where y is 0."""
    found = re.findall(
        r'<title>(.*?):.*?</title><use [^>]*? y="([\d.]+)"', drawn(Scatter(X, Y, POINTS))
    )
    heights = {unescape(name): float(y) for name, y in found}
    assert heights["ResNet-50"] < heights["DeiT-S (published)"] < heights["<b>"]


def test_the_points_of_a_timeline_name_their_tick() -> None:
    points = (Point("A", "resnet", 0, 10), Point("A", "resnet", 1, 12))
    assert titles(drawn(Timeline(X, Y, points, ("May 1", "May 2")))) == [
        "A: May 1, Top-1 (%) 10.00", "A: May 2, Top-1 (%) 12.00",
    ]  # fmt: skip


def test_each_sample_of_a_strip_says_of_which_process_it_is() -> None:
    assert titles(drawn(Strips(X, (Strip("A", ((0.5, -0.5), (0.0,))),)))) == [
        "A, process 1 of 2: +0.50 %", "A, process 1 of 2: -0.50 %", "A, process 2 of 2: +0.00 %",
    ]  # fmt: skip


def test_nothing_of_the_way_that_texts_went_is_left() -> None:
    assert "hover:" not in drawn(Scatter(X, Y, POINTS))


def test_markers_that_cannot_be_told_apart_get_no_text() -> None:
    gid = hover.points(POINTS, Axis("x"), Axis("y"))
    assert hover.titled(f'<g id="{gid}"><use x="1"/></g>') == '<g><use x="1"/></g>'


def test_a_point_without_a_label_is_named_by_its_line() -> None:
    points = (Point("", "resnet", 1, 10, line="a"), Point("A", "resnet", 2, 12, line="a"))
    assert [text.partition(":")[0] for text in titles(drawn(Scatter(X, Y, points)))] == ["a", "A"]
