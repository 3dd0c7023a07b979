"""What figures are drawn on and saved from: the same bytes every time, without pyplot's state."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from html import escape
from typing import Any
from urllib.parse import quote, unquote

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import Collection as Markers
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font

from cmx_bench.present.drawing import Plot
from cmx_bench.present.drawing.theme import LOOK, StyleName, among, settings, style


class Sheet(Figure):
    """A figure with one axes, whose margins and height follow from what these show.

    `beside` are the points that stand left, below, right and above what axes have anyway.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.beside = dict.fromkeys(_SIDES, 0.0)


_SIDES = ("left", "below", "right", "above")
_PAD = 3.0  # points around everything
_AXES = 0.8  # of the height of a figure, where its contents ask for no other


def show(plot: Plot, ax: Axes | None = None) -> Axes:
    """`plot` on `ax`, or on axes of a new figure of pyplot.

    Raises:
        ValueError: `ax` is something else than axes.
    """
    from matplotlib import pyplot

    if ax is not None and not isinstance(ax, Axes):
        raise ValueError(f"ax: expected axes of matplotlib, such as those of one plot that "
                         f"pyplot.subplots gives, got {type(ax).__name__}")  # fmt: skip
    with settings(LOOK):
        ax = _paint(plot, ax or _axes(pyplot.figure(FigureClass=Sheet), plot.lines))
    for markers in filter(count_texts, ax.collections):
        markers.set_urls([None])  # only `save` makes titles of them
    return ax


# How each format is saved. Weak compression of a PNG: it takes half the time of drawing otherwise,
# for a quarter of the size.
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "svg": {"metadata": dict.fromkeys(("Date", "Creator", "Format", "Type"))},
    "png": {"dpi": 200, "metadata": {"Software": None}, "pil_kwargs": {"compress_level": 2}},
    "pdf": {"metadata": dict.fromkeys(("CreationDate", "Producer", "Creator"))},
}


def save(plot: Plot, name: StyleName, kinds: Collection[str]) -> dict[str, bytes]:
    """`plot` drawn in a style, in each of these formats."""
    with style(name), warnings.catch_warnings():
        # A user's label may hold an emoji that the font lacks: a box, not a warning on stderr.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        sheet, files = Sheet(), {}
        ax = _paint(plot, _axes(sheet, plot.lines))
        for kind in kinds:
            file = io.BytesIO()
            sheet.savefig(file, format=kind, **_OPTIONS[kind])
            files[kind] = file.getvalue()
    if "svg" in files:
        files["svg"] = _add_titles(files["svg"].decode(), ax).encode()
    return files


def _paint(plot: Plot, ax: Axes) -> Axes:
    with among(plot.families):
        plot.paint(plot.data, ax)
    fit(ax)
    return ax


# --- sizes ----------------------------------------------------------------------------------------


def _axes(sheet: Figure, lines: float | None) -> Axes:
    """Axes of the height that they keep."""
    wide, high = sheet.get_size_inches()
    if lines is not None:
        high = lines * em() / 72 / _AXES
        sheet.set_size_inches(wide, high)
    return sheet.add_axes((0.1, 0.1, 0.85, _AXES))


def em() -> float:
    """The size of the font in points, by which distances are measured."""
    return float(matplotlib.rcParams["font.size"])


def size(ax: Axes) -> tuple[float, float]:
    """Width and height of the axes, in points."""
    scale = 72 / ax.figure.dpi
    return scale * ax.bbox.width, scale * ax.bbox.height


def reserve(ax: Axes, **points: float) -> None:
    """Keeps room `left`, `below`, `right` or `above` of the axes; elsewhere the margins are not
    ours."""
    if isinstance(ax.figure, Sheet):
        ax.figure.beside |= points


def fit(ax: Axes) -> None:
    """Margins as wide as what stands around the axes; nothing where the figure is not our own.

    Done by hand: matplotlib's layouts draw a figure twice.
    """
    sheet = ax.figure
    if not isinstance(sheet, Sheet):
        return
    left, below, right, above = (
        math.ceil(edge + sheet.beside[side]) + _PAD
        for side, edge in zip(_SIDES, around(ax), strict=True)
    )
    wide, high = 72 * sheet.get_size_inches()[0], size(ax)[1]
    whole = below + high + above
    sheet.set_size_inches(wide / 72, whole / 72)
    ax.set_position((left / wide, below / whole, (wide - left - right) / wide, high / whole))


def around(ax: Axes) -> tuple[float, float, float, float]:
    """The points that ticks and labels of axes take left, below, right and above of them."""
    rc = matplotlib.rcParams
    across, upward = _tick_labels(ax.xaxis), _tick_labels(ax.yaxis)
    left = max(upward.values(), default=0.0) + rc["ytick.major.size"] + rc["ytick.major.pad"]
    below = _LINE * em() + rc["xtick.major.size"] + rc["xtick.major.pad"]
    title = _LINE * em() + rc["axes.labelpad"]
    left, below = left + title * bool(ax.get_ylabel()), below + title * bool(ax.get_xlabel())
    last = across[max(across)] if across else 0.0
    return left, below, last / 2, _LINE * em() / 2


_LINE = 1.2  # the height of a line of text, in the size of its font


def _tick_labels(axis: Axis) -> dict[float, float]:
    low, high = sorted(axis.get_view_interval())
    values = [float(value) for value in axis.get_major_locator()() if low <= value <= high]
    texts = axis.get_major_formatter().format_ticks(values)
    return {value: text_width(text, em()) for value, text in zip(values, texts, strict=True)}


def text_width(text: str, size: float) -> float:
    """The points that `text` takes in the font that matplotlib is set to."""
    font = findfont(FontProperties(family=matplotlib.rcParams["font.family"]))
    return size * sum(_advance(font, character) for character in text)


@cache
def _advance(font: str, character: str) -> float:
    """The width of a character in a font of size 1. To lay out whole texts takes far longer."""
    face = FT2Font(font)
    face.set_size(100, 72)
    glyph: Any = face.load_glyph(face.get_char_index(ord(character)))  # 0 stands for none
    return float(glyph.linearHoriAdvance) / 65536 / 100


# --- the text that a reader sees of the marker under the pointer ----------------------------------

_MARKER = re.compile(r'<a xlink:href="hover:([^"]*)"[^>]*>(.*?)</a>', re.DOTALL)


def set_texts(markers: Markers, texts: Iterable[str]) -> None:
    """Gives each marker its text, as the address of a link.

    Raises:
        ValueError: there are not as many texts as markers.
    """
    addresses = [f"hover:{quote(text)}" for text in texts]
    if len(addresses) != (count := len(np.atleast_2d(np.asarray(markers.get_offsets())))):
        raise ValueError(f"{len(addresses)} texts for {count} markers")
    markers.set_urls([*addresses, None])  # of one alone matplotlib makes one link around all


def count_texts(markers: Markers) -> int:
    return sum(url is not None for url in markers.get_urls())


def _add_titles(svg: str, ax: Axes) -> str:
    """`svg` with a title on each marker that has a text, in place of its link."""
    texts = sum(map(count_texts, ax.collections))
    svg, count = _MARKER.subn(
        lambda marker: (
            f'<g class="point"><title>{escape(unquote(marker[1]))}</title>{marker[2]}</g>'
        ),
        svg,
    )
    if count != texts:
        raise RuntimeError(f"matplotlib drew {count} markers with a text, of {texts}")
    return svg
