"""Draws the figures: the same bytes every time, without pyplot's state."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from cmx_bench.present import hover
from cmx_bench.present.drawing import scatter, stacks, strips, timeline
from cmx_bench.present.drawing.theme import BELOW, CSS_COLOURS, RC, WIDTH, Frame
from cmx_bench.present.plot import Plot, Scatter, Shape, Stacks, Strips, Timeline


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawn figure: a standalone SVG on white, and copies of it by format."""

    plot: Plot
    svg: str
    copies: Mapping[str, bytes]

    @property
    def files(self) -> dict[str, str | bytes]:
        """What is written, by its path in the folder of a report."""
        copies = {f"figures/{self.plot.name}.{kind}": one for kind, one in self.copies.items()}
        return {f"figures/{self.plot.name}.svg": self.svg, **copies}


@dataclass(frozen=True, slots=True)
class _Painter:
    """What one shape of figure looks like: its size, and what is painted on its axes."""

    frame: Callable[[Any], Frame]
    paint: Callable[[Any, Any], None]


_PAINTERS: Mapping[type[Shape], _Painter] = {
    Scatter: _Painter(scatter.frame, scatter.paint),
    Timeline: _Painter(timeline.frame, timeline.paint),
    Strips: _Painter(strips.frame, strips.paint),
    Stacks: _Painter(stacks.frame, stacks.paint),
}
# The formats that a figure can be copied to, and how. Weak compression of a PNG: it takes half the
# time of drawing otherwise, for a quarter of the size.
COPIES: Mapping[str, Mapping[str, Any]] = {
    "png": {"dpi": 120, "metadata": {"Software": None}, "pil_kwargs": {"compress_level": 2}},
    "pdf": {"metadata": dict.fromkeys(("CreationDate", "Producer", "Creator"))},
}


def draw(plots: Iterable[Plot], copies: Collection[str] = ()) -> tuple[Drawing, ...]:
    """Draws each figure; the same plots give the same bytes.

    Args:
        copies: formats of `COPIES`. A PNG takes as long again as the SVG, a PDF twice as long.
    """
    with matplotlib.rc_context(RC), warnings.catch_warnings():
        # A user's label may hold an emoji that the font lacks: a box, not a warning on stderr.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        return tuple(_draw(plot, copies) for plot in plots)


_SVG: Mapping[str, Any] = {"metadata": dict.fromkeys(("Date", "Creator", "Format", "Type"))}


def _draw(plot: Plot, copies: Collection[str]) -> Drawing:
    figure = _painted(plot.shape)
    svg = hover.titled(_saved(figure, "svg", _SVG).decode())
    return Drawing(plot, svg, {one: _saved(figure, one, COPIES[one]) for one in copies})


def _saved(figure: Figure, format: str, options: Mapping[str, Any]) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format=format, **options)
    return file.getvalue()


def _painted(shape: Shape) -> Figure:
    """The figure of a shape. Laid out by hand: matplotlib's layouts draw it twice."""
    painter = _PAINTERS[type(shape)]
    frame = painter.frame(shape)
    figure = Figure((WIDTH, frame.height))
    wide, high = WIDTH - frame.left - frame.right, frame.height - BELOW - frame.above
    axes = figure.add_axes(
        (frame.left / WIDTH, BELOW / frame.height, wide / WIDTH, high / frame.height)
    )
    painter.paint(axes, shape)
    return figure


def inline(drawing: Drawing) -> str:
    """The SVG as it stands inside a page: coloured by its style sheet, with ids of its own."""
    svg = drawing.svg[drawing.svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"^<svg[^>]*?(viewBox=\"[^\"]*\")[^>]*>", r"<svg \1>", svg, count=1)

    # In tags only: a label may read like an id or a colour.
    def adapted(tag: re.Match[str]) -> str:
        text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{drawing.plot.name}-", tag[0])
        for colour, variable in CSS_COLOURS.items():
            text = text.replace(colour, variable)
        return text.replace("xlink:href", "href")

    return re.sub(r"<[^>]+>", adapted, svg)
