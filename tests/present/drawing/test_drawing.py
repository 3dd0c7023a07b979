"""What is drawn: the same bytes every time, text that is text, axes and styles."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import pytest

from cmx_bench.present.drawing import COPIES, draw, inline
from cmx_bench.present.plot import Plot, Point
from cmx_bench.report.figures import plots
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run


@pytest.fixture
def figure_one(run: Run, found: list[Record]) -> Plot:
    return plots(summarise(run, found)).drawn[0]


def with_points(plot: Plot, points: tuple[Point, ...]) -> Plot:
    return dataclasses.replace(plot, shape=dataclasses.replace(plot.shape, points=points))


def test_the_same_bytes_every_time(figure_one: Plot) -> None:
    """On any day: in the copies nothing stands of when they were made."""
    one, other = (draw([figure_one], copies=COPIES)[0] for _ in range(2))
    assert one == other
    assert set(one.copies) == {"png", "pdf"}
    assert b"Date" not in one.copies["pdf"] and b"/Type /Page" in one.copies["pdf"]
    assert one.copies["png"].startswith(b"\x89PNG") and b"tIME" not in one.copies["png"]


def test_the_svg_is_xml_with_real_text(figure_one: Plot) -> None:
    drawing = draw([figure_one])[0]
    root = ElementTree.fromstring(drawing.svg)
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"ConvMixer-1536/20", "Parameters (millions)", "MLP-Mixer"} <= texts
    assert drawing.copies == {}


def test_labels_cannot_become_markup_colours_or_formulas(figure_one: Plot) -> None:
    label = '</text><script> $x_2$ #ffffff id="a"'
    point = dataclasses.replace(figure_one.shape.points[0], label=label)
    drawing = draw([with_points(figure_one, (point,))])[0]
    svg = inline(drawing)
    assert "<script" not in svg
    assert '&lt;/text&gt;&lt;script&gt; $x_2$ #ffffff id="a"' in svg


def test_axes_grow_only_for_a_point_beyond_them(figure_one: Plot) -> None:
    within = tuple(point for point in figure_one.shape.points if point.x < 120)
    ticks = draw([with_points(figure_one, within)])[0].svg
    assert ">120<" in ticks and ">140<" not in ticks
    low = dataclasses.replace(figure_one.shape.points[0], y=60.0)
    assert ">60<" in draw([with_points(figure_one, (low,))])[0].svg


def test_unknown_families_have_a_style(figure_one: Plot) -> None:
    points = tuple(
        dataclasses.replace(
            figure_one.shape.points[0], family=f"family{place}", x=float(place * 10)
        )
        for place in range(8)
    )
    assert "family7" in draw([with_points(figure_one, points)])[0].svg
