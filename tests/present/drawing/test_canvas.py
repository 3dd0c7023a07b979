"""Sheets that fit around what they show, and texts that markers carry."""

from __future__ import annotations

import matplotlib
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame

from cmx_bench.present.drawing import Plot, canvas
from cmx_bench.present.drawing.canvas import Sheet


def plot(lines: float | None = None) -> Plot:
    def paint(points: DataFrame, ax: Axes) -> None:
        ax.set(xlabel="x", ylabel="y", xlim=(0, 1), ylim=(0, 1))
        canvas.set_texts(ax.scatter(points["x"], points["y"]), ["first <one>", "second"])

    points = DataFrame({"x": [0.2, 0.8], "y": [0.3, 0.7]})
    return Plot("name", "Title", "Caption.", "Alt.", points, paint, lines=lines)


def test_a_text_is_as_wide_as_its_letters() -> None:
    wide, narrow = canvas.text_width("mmm", 10), canvas.text_width("iii", 10)
    assert wide > 2 * narrow > 0
    assert canvas.text_width("mmm", 20) == pytest.approx(2 * wide)
    assert canvas.text_width("mi", 10) == pytest.approx((wide + narrow) / 3)


def test_the_height_follows_from_the_lines_that_a_plot_asks_for() -> None:
    few, many = (canvas.show(plot(lines)).get_figure(root=True) for lines in (10.0, 40.0))
    assert few is not None and many is not None
    apart = 72 * (many.get_size_inches()[1] - few.get_size_inches()[1])
    assert apart == pytest.approx(30 * canvas.em(), rel=0.01)


def test_room_is_kept_where_it_is_asked_for_and_axes_keep_their_height() -> None:
    sheet = Sheet()
    ax = sheet.add_axes((0.1, 0.1, 0.85, 0.8))
    canvas.fit(ax)
    before, high = canvas.size(ax), sheet.get_size_inches()[1]
    canvas.reserve(ax, left=36.0, above=18.0)
    canvas.fit(ax)
    assert canvas.size(ax) == pytest.approx((before[0] - 36.0, before[1]), abs=1e-6)
    assert 72 * (sheet.get_size_inches()[1] - high) == pytest.approx(18.0)


def test_the_margins_of_a_users_figure_are_not_ours() -> None:
    figure = Figure()
    ax = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    canvas.reserve(ax, left=100.0)
    canvas.fit(ax)
    assert ax.get_position().bounds == pytest.approx((0.1, 0.1, 0.8, 0.8))


def test_each_marker_says_its_text_in_the_svg() -> None:
    svg = canvas.save(plot(), "page", ["svg"])["svg"].decode()
    assert "<title>first &lt;one&gt;</title>" in svg and "<title>second</title>" in svg
    assert "hover:" not in svg


def test_a_text_too_few_is_an_error() -> None:
    ax = Figure().add_axes((0, 0, 1, 1))
    markers = ax.scatter([1, 2, 3], [1, 2, 3])
    with pytest.raises(ValueError, match="2 texts for 3 markers"):
        canvas.set_texts(markers, ["a", "b"])
    assert canvas.count_texts(markers) == 0


def test_each_kind_of_file_has_its_form() -> None:
    files = canvas.save(plot(), "page", ["png", "pdf", "svg"])
    assert files["png"].startswith(b"\x89PNG") and files["pdf"].startswith(b"%PDF")
    assert files["svg"].startswith(b"<?xml")
    assert matplotlib.rcParams["svg.hashsalt"] is None  # a user's settings are as before
