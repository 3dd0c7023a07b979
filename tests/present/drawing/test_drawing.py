"""What is drawn: the same bytes every time, text that is text, sizes, axes."""

from __future__ import annotations

import ast
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy
import pytest
from matplotlib.axes import Axes
from pandas import DataFrame
from PIL import Image

from cmx_bench import report
from cmx_bench.present import drawing
from cmx_bench.present.drawing import COPIES, Plot, draw, inline, scatter
from cmx_bench.present.drawing.theme import CSS_COLOURS, SIZES
from cmx_bench.report.figures import plots
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ...report.synthetic import make_records, make_run, write_folder


@pytest.fixture
def figure_one(run: Run, run_records: list[Record]) -> Plot:
    return plots(summarise(run, run_records)).drawn[0]


def with_point(plot: Plot, **values: Any) -> Plot:
    """The figure with its first point alone, which has other values."""
    return replace(plot, data=plot.data[:1].assign(**values))


def test_the_same_bytes_every_time(figure_one: Plot) -> None:
    """On any day: in the copies nothing stands of when they were made."""
    first, other = (draw([figure_one], ["png", "pdf"])[0] for _ in range(2))
    assert (first.svg, first.copies) == (other.svg, other.copies)
    assert b"Date" not in first.copies["pdf"] and b"/Type /Page" in first.copies["pdf"]
    assert first.copies["png"].startswith(b"\x89PNG") and b"tIME" not in first.copies["png"]


def page_and_some_copies(folder: Path) -> list[tuple[str, bytes]]:
    """Every figure of a run, and of some the PDF, which takes twice as long."""
    figures = plots(report.read(folder)).drawn
    pages, some = draw(figures), draw(figures[::4], ["paper.pdf"])
    return [(drawn.svg, b"") for drawn in pages] + [
        (drawn.svg, drawn.copies["paper.pdf"]) for drawn in some
    ]


@pytest.mark.usefixtures("drawn_once")
def test_the_same_bytes_in_another_process_on_another_machine(tmp_path: Path) -> None:
    """Texts hash otherwise, and numpy's logarithms differ in their last bits."""
    run = make_run(measures=("params", "macs", "throughput", "memory", "roofline"))
    write_folder(tmp_path, run, make_records(run))
    code = (
        "import sys, pathlib; from tests.present.drawing.test_drawing import page_and_some_copies; "
        "print(page_and_some_copies(pathlib.Path(sys.argv[1])))"
    )
    extensions = numpy.show_config(mode="dicts")["SIMD Extensions"]  # type: ignore[index]
    machine = {
        "PYTHONHASHSEED": "2", "NPY_DISABLE_CPU_FEATURES": " ".join(extensions.get("found", [])),
    }  # fmt: skip
    other = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[3], env=os.environ | machine,
    ).stdout  # fmt: skip
    drawn = page_and_some_copies(tmp_path)
    assert drawn[-1][1].startswith(b"%PDF") and ast.literal_eval(other) == drawn


def test_the_svg_is_xml_with_real_text(figure_one: Plot) -> None:
    [drawn] = draw([figure_one])
    root = ElementTree.fromstring(drawn.svg)
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"ConvMixer-1536/20", "Parameters (millions)", "MLP-Mixer"} <= texts
    assert drawn.copies == {}


def test_a_pdf_has_real_text_and_no_links(figure_one: Plot) -> None:
    [drawn] = draw([figure_one], ["pdf"])
    assert b"/FontFile2" in drawn.copies["pdf"] and b"/Type3" not in drawn.copies["pdf"]
    assert b"/Annot " not in drawn.copies["pdf"] and b"hover" not in drawn.copies["pdf"]


@pytest.mark.parametrize("style", SIZES)
def test_a_copy_is_as_wide_as_its_style(figure_one: Plot, style: str) -> None:
    name = "png" if style == "page" else f"{style}.png"
    [drawn] = draw([figure_one], [name])
    image = Image.open(BytesIO(drawn.copies[name]))
    assert image.width == pytest.approx(200 * SIZES[style]["figure.figsize"][0], abs=1)  # type: ignore[index]
    assert list(drawn.files) == ["figures/figure1.svg", f"figures/figure1.{name}"]


def test_copies_are_named_by_their_style() -> None:
    assert drawing.copies_in("page") == ["png", "pdf"]
    assert drawing.copies_in("paper") == ["paper.png", "paper.pdf"]
    assert drawing.copies_in(None) == []
    assert len(COPIES) == 6


@pytest.mark.usefixtures("drawn_once")
def test_colours_are_those_of_the_theme_alone() -> None:
    """Others would stay as they are in a dark page."""
    run = make_run(measures=("params", "macs", "throughput", "memory", "roofline"))
    figures = plots(summarise(run, make_records(run))).drawn
    assert any(plot.name.startswith("roofline") for plot in figures)
    for drawn in draw(figures):
        colours = set(re.findall(r"#[0-9a-f]{6}\b", drawn.svg))
        assert colours <= set(CSS_COLOURS), drawn.plot.name
        assert not re.search(r"#[0-9a-f]{6}\b", inline(drawn))


def test_labels_cannot_become_markup_colours_or_formulas(figure_one: Plot) -> None:
    [drawn] = draw([with_point(figure_one, label='</text><script> $x_2$ #ffffff id="a"')])
    svg = inline(drawn)
    assert "<script" not in svg
    assert '&lt;/text&gt;&lt;script&gt; $x_2$ #ffffff id="a"' in svg


def test_a_label_may_hold_what_the_font_lacks(
    figure_one: Plot, recwarn: pytest.WarningsRecorder
) -> None:
    [drawn] = draw([with_point(figure_one, label="漢 🤖 net")], ["png"])
    assert "漢 🤖 net" in drawn.svg and not recwarn.list


def test_axes_grow_only_for_a_point_beyond_them(figure_one: Plot) -> None:
    within = replace(figure_one, data=figure_one.data[figure_one.data["x"] < 120])
    ticks = draw([within])[0].svg
    assert ">120<" in ticks and ">140<" not in ticks
    assert ">60<" in draw([with_point(figure_one, y=60.0)])[0].svg


def test_unknown_families_have_a_style(figure_one: Plot) -> None:
    families = [f"family{place}" for place in range(8)]
    data = figure_one.data[:8].assign(family=families)
    assert "family7" in draw([replace(figure_one, data=data)])[0].svg


def test_a_figure_on_axes_of_a_user_leaves_the_rest_alone(figure_one: Plot) -> None:
    from matplotlib import pyplot, rcParams

    before = dict(rcParams)
    _, (left, right) = pyplot.subplots(1, 2)
    place = right.get_position().bounds
    assert drawing.on(figure_one, right) is right
    assert right.get_position().bounds == place and not left.collections
    assert dict(rcParams) == before


def test_a_short_label_keeps_the_end_in_which_variants_differ() -> None:
    labels = [drawing.short_label(f"ConvMixer-1536/20, kernel_size {size}") for size in (3, 5)]
    assert labels == ["ConvMixer-1536…kernel_size 3", "ConvMixer-1536…kernel_size 5"]
    assert [len(drawing.short_label("x" * size)) for size in (28, 29, 300)] == [28] * 3
    assert drawing.short_label("two\nlines\x07") == "two lines�"


# --- scatter plots --------------------------------------------------------------------------------

POINTS = DataFrame({
    "label": ["Small", "Large"], "family": ["resnet", "resnet"], "x": [10.0, 90.0],
    "y": [100.0, 800.0], "low": [math.nan] * 2, "high": [math.nan] * 2, "published": [False] * 2,
})  # fmt: skip


def paint_scatter(points: DataFrame = POINTS, **options: object) -> Axes:
    paint = partial(scatter, labels=("Size", "Speed"), **options)  # type: ignore[arg-type]
    return drawing.on(Plot("name", "Title", "", "", points, paint), None)


def texts(ax: Axes) -> set[str]:
    return {text.get_text() for text in ax.texts}


def test_each_point_is_named_and_axes_say_what_they_show() -> None:
    ax = paint_scatter(scales=("log", None))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Size", "Speed")
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert {"Small", "Large"} <= texts(ax)


def test_a_disturbed_point_is_marked_at_its_name() -> None:
    assert {"Small", "Large ≈"} <= texts(paint_scatter(POINTS.assign(disturbed=[False, True])))


def test_a_line_is_named_once_at_its_end() -> None:
    line = POINTS.assign(label=["", "Net"], line="net", disturbed=[True, True])
    assert {text for text in texts(paint_scatter(line)) if text.strip()} == {"Net ≈"}


def test_a_curve_stands_behind_the_points_and_is_seen_whole() -> None:
    ax = paint_scatter(curve=("Front", [(5.0, 50.0), (200.0, 900.0)]))
    [front] = [line for line in ax.get_lines() if line.get_label() == "Front"]
    assert numpy.asarray(front.get_xdata()).tolist() == [5.0, 200.0]
    assert ax.get_xlim()[1] > 200 and ax.get_ylim()[1] > 900
