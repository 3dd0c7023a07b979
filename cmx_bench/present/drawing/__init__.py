"""Figures before they are drawn and after; matplotlib is loaded only where one is drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from cmx_bench.present.content import DISTURBED
from cmx_bench.present.drawing.theme import CSS_COLOURS, SIZES, StyleName
from cmx_bench.present.drawing.theme import short_label as short_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class Plot:
    """A figure before it is drawn.

    `alt` says in words what can be seen. `paint` paints `data` on axes. `lines` is the height of
    the axes in lines of text, where it follows from what is shown. `families` are those of the
    whole run: a family looks alike in all of its figures.
    """

    name: str
    title: str
    caption: str
    alt: str
    data: DataFrame
    paint: Callable[[DataFrame, Axes], None]
    lines: float | None = None
    families: Collection[str] = ()


class NothingToDrawError(ValueError):
    """A figure has nothing to show: its `title`, and why."""

    def __init__(self, title: str, reason: str = "no model has all values that it shows") -> None:
        super().__init__(f"{title}: left out, because {reason}")
        self.title, self.reason = title, reason


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawn figure: a standalone SVG on white, and copies of it by the names of `COPIES`."""

    plot: Plot
    svg: str
    copies: Mapping[str, bytes]

    @property
    def files(self) -> dict[str, str | bytes]:
        """What is written, by its path in the folder of a report."""
        copies = {f"figures/{self.plot.name}.{name}": copy for name, copy in self.copies.items()}
        return {f"figures/{self.plot.name}.svg": self.svg, **copies}


# The copies that a figure can have, by the end of their names, and the style and format of each.
COPIES: Mapping[str, tuple[StyleName, str]] = {
    kind if style == "page" else f"{style}.{kind}": (style, kind)
    for style in SIZES
    for kind in ("png", "pdf")
}


def copies_in(style: StyleName | None) -> list[str]:
    """The names of the copies in a style; of no style there are none."""
    return [name for name, (mine, _) in COPIES.items() if mine == style]


def draw(plots: Iterable[Plot], copies: Collection[str] = ()) -> tuple[Drawing, ...]:
    """Draws each figure in the style of a page; the same plots give the same bytes.

    Args:
        copies: names of `COPIES`. A PNG takes as long again as the SVG, a PDF twice as long.
    """
    from cmx_bench.present.drawing import canvas

    kinds: dict[StyleName, list[str]] = {"page": ["svg"]}
    for style, kind in (COPIES[name] for name in copies):
        kinds.setdefault(style, []).append(kind)
    drawings = []
    for plot in plots:
        files = {style: canvas.save(plot, style, wanted) for style, wanted in kinds.items()}
        copied = {name: files[style][kind] for name in copies for style, kind in [COPIES[name]]}
        drawings.append(Drawing(plot, files["page"]["svg"].decode(), copied))
    return tuple(drawings)


def on(plot: Plot, ax: Axes | None = None) -> Axes:
    """Draws a figure on `ax`; without it on axes of a new figure of pyplot, of the size and in the
    fonts that matplotlib is set to (see `theme.style`)."""
    from cmx_bench.present.drawing import canvas

    return canvas.show(plot, ax)


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


# Logarithmic; no wider than the points; these limits, unless a point lies beyond; or from zero.
Scale: TypeAlias = Literal["log", "close"] | tuple[float, float] | None


def scatter(
    points: DataFrame,
    ax: Axes,
    *,
    labels: tuple[str, str],
    scales: tuple[Scale, Scale] = (None, None),
    ticks: Sequence[float] = (),
    curve: tuple[str, Sequence[tuple[float, float]]] = ("", ()),
    interval: str = "95 % interval",
) -> None:
    """Paints points, whose columns `points.py` tells. Where only some have labels, these name
    lines, and stand at the ends.

    Args:
        labels: of the axes of x and y.
        scales: of the axes of x and y.
        ticks: on a logarithmic axis of x, instead of round values.
        curve: the label and the spots of a line behind the points; without spots there is none.
        interval: what the bars are, for a reader who points at a marker.
    """
    from cmx_bench.present.drawing.placement import label_points, name_lines
    from cmx_bench.present.drawing.points import draw_curve, draw_points
    from cmx_bench.present.drawing.scales import legend, set_scale

    ax.set(xlabel=labels[0], ylabel=labels[1])
    if curve[1]:
        draw_curve(ax, *curve)
    draw_points(ax, points, interval)
    set_scale(ax, "x", scales[0], points, [x for x, _ in curve[1]], ticks)
    set_scale(ax, "y", scales[1], points, [y for _, y in curve[1]])
    legend(ax, points)
    if "disturbed" in points:
        plain = ~points["disturbed"] | (points["label"] == "")
        points = points.assign(
            label=points["label"].where(plain, points["label"] + f" {DISTURBED}")
        )
    labelled = points[points["label"] != ""]
    (label_points if len(labelled) == len(points) else name_lines)(ax, labelled)
