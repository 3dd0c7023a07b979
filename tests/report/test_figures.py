"""What the figures show, and that they are the same bytes every time."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from cmx_bench.records import Record, Run
from cmx_bench.report.figures import CSS_COLOURS, STYLES, draw, inline
from cmx_bench.report.plots import Plot, plots
from cmx_bench.report.summary import summarise

from .synthetic import BF16, FP16, FP32, PAPER, make_records, make_run


@pytest.fixture
def figure_one(run: Run, found: list[Record]) -> Plot:
    return plots(summarise(run, found)).drawn[0]


def test_figure_one_has_the_papers_axes(figure_one: Plot) -> None:
    assert figure_one.x.limits == (0, 120)
    assert figure_one.y.limits == (72, 82)
    point = figure_one.points[0]
    assert (point.label, point.x, point.y) == ("ConvMixer-1536/20", 51.62596, 81.37)


def test_figure_one_marks_what_is_published(figure_one: Plot) -> None:
    assert all(point.published for point in figure_one.points)
    doubted = {point.label for point in figure_one.points if point.label.endswith("†")}
    assert "ResNet-152†" in doubted and "ConvMixer-768/32" not in doubted
    assert "†" in figure_one.caption


def test_a_model_without_any_accuracy_is_not_in_figure_one(figure_one: Plot) -> None:
    assert not any(point.label.startswith("Mixer-S") for point in figure_one.points)


def test_throughput_has_the_interval(run: Run, found: list[Record]) -> None:
    report = summarise(run, found)
    plot = plots(report).drawn[1]
    estimate = report.results["convmixer_1536_20", FP16.key, "throughput"].estimate
    assert estimate is not None
    assert (plot.points[0].low, plot.points[0].high) == (estimate.low, estimate.high)
    assert plot.y.logarithmic


def test_samples_are_relative_to_the_models_median(run: Run, found: list[Record]) -> None:
    """Process 2 lies in the middle: its third sample is the median of all."""
    strip = plots(summarise(run, found)).drawn[3].strips[0]
    assert strip.processes[2] == pytest.approx([-0.2, -0.1, 0, 0.1, 0.2])
    assert strip.processes[4][2] == pytest.approx(2)


def test_each_setting_has_its_figures() -> None:
    run = make_run(settings=(FP32, BF16), measures=("params", "throughput"))
    names = [plot.name for plot in plots(summarise(run, make_records(run))).drawn]
    assert names == [
        "figure1", f"throughput-{FP32.key}", f"samples-throughput-{FP32.key}",
        f"throughput-{BF16.key}", f"samples-throughput-{BF16.key}",
    ]  # fmt: skip


def test_figures_without_points_are_left_out_and_said_so(run: Run) -> None:
    found = plots(summarise(run, []))
    assert [plot.name for plot in found.drawn] == ["figure1"]  # it stands on published figures
    assert len(found.omitted) == 3
    assert all("left out" in sentence for sentence in found.omitted)


def test_only_the_first_models_are_stripped() -> None:
    models = tuple(
        dataclasses.replace(PAPER[0], name=f"m{place}", label=f"M {place}") for place in range(30)
    )
    run = make_run(models=models, measures=("throughput",))
    plot = plots(summarise(run, make_records(run))).drawn[-1]
    assert len(plot.strips) == 16
    assert "first 16 of 30" in plot.caption


def test_the_same_bytes_every_time(run: Run, found: list[Record]) -> None:
    shown = plots(summarise(run, found)).drawn
    one, other = draw(shown), draw(shown)
    assert [drawing.svg for drawing in one] == [drawing.svg for drawing in other]
    assert [drawing.png for drawing in one] == [drawing.png for drawing in other]


def test_the_svg_is_xml_with_real_text(figure_one: Plot) -> None:
    drawing = draw([figure_one])[0]
    root = ElementTree.fromstring(drawing.svg)
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"ConvMixer-1536/20", "Parameters (millions)", "MLP-Mixer"} <= texts
    assert drawing.png.startswith(b"\x89PNG")


def test_labels_cannot_become_markup_colours_or_formulas(figure_one: Plot) -> None:
    label = '</text><script> $x_2$ #ffffff id="a"'
    point = dataclasses.replace(figure_one.points[0], label=label)
    drawing = draw([dataclasses.replace(figure_one, points=(point,))])[0]
    svg = inline(drawing)
    assert "<script" not in svg
    assert '&lt;/text&gt;&lt;script&gt; $x_2$ #ffffff id="a"' in svg


def test_axes_grow_only_for_a_point_beyond_them(figure_one: Plot) -> None:
    within = tuple(point for point in figure_one.points if point.x < 120)
    ticks = draw([dataclasses.replace(figure_one, points=within)])[0].svg
    assert ">120<" in ticks and ">140<" not in ticks
    low = dataclasses.replace(figure_one.points[0], y=60.0)
    assert ">60<" in draw([dataclasses.replace(figure_one, points=(low,))])[0].svg


def test_unknown_families_have_a_style(figure_one: Plot) -> None:
    points = tuple(
        dataclasses.replace(figure_one.points[0], family=f"family{place}", x=float(place * 10))
        for place in range(8)
    )
    assert "family7" in draw([dataclasses.replace(figure_one, points=points)])[0].svg


def test_the_palette_is_distinct_and_known_to_the_page() -> None:
    colours = sorted(style.colour for style in STYLES.values())
    assert all(one != other for one, other in pairwise(colours))
    assert set(colours) <= set(CSS_COLOURS)
