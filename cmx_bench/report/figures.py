"""Draws the figures: SVG and PNG that are the same bytes every time, without pyplot's state."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, pairwise
from typing import Any, TypeAlias

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from cmx_bench.report import hover
from cmx_bench.report.plots import Axis, Mark, Plot, Point, Strip


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawn figure: a standalone SVG on white, and the same as PNG."""

    plot: Plot
    svg: str
    png: bytes


@dataclass(frozen=True, slots=True)
class Style:
    """How a family is drawn."""

    label: str
    colour: str
    marker: str
    line: str
    width: float


_INK, _LEADER, _GRID, _PAGE = "#1b1f24", "#8c959f", "#d5dade", "#ffffff"

# Okabe and Ito's colours, which colour-blind readers can tell apart; lines and markers as in the
# paper's Figure 1.
STYLES: Mapping[str, Style] = {
    "convmixer": Style("ConvMixer", "#d55e00", "*", "-", 2.6),
    "resmlp": Style("ResMLP", "#009e73", "s", "-", 1.2),
    "deit": Style("DeiT", "#0072b2", "o", "-", 1.2),
    "resnet": Style("ResNet", "#5f6b76", "D", "--", 1.2),
    "mixer": Style("MLP-Mixer", "#cc79a7", "^", "-", 1.2),
    "vit": Style("ViT", "#56b4e9", "v", "-", 1.2),
    "swin": Style("Swin", "#e69f00", "P", "-", 1.2),
}
_OTHERS = (
    ("#8a6d3b", "X"), ("#6a51a3", "p"), ("#3b8a86", "h"), ("#a33b5a", "<"), ("#7a8a3b", ">"),
)  # fmt: skip
_STRIP_SHADES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")

# What a page replaces in an SVG so that its own style sheet colours it, in light and in dark.
CSS_COLOURS: Mapping[str, str] = {
    _INK: "var(--ink)",
    _LEADER: "var(--soft)",
    _GRID: "var(--rule)",
    _PAGE: "var(--page)",
} | {colour: f"var(--hue-{colour[1:]})" for colour in (
    *(style.colour for style in STYLES.values()), *(colour for colour, _ in _OTHERS))}  # fmt: skip

_RC: dict[Any, Any] = {
    "svg.hashsalt": "cmx-bench",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.parse_math": False,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.use_mathtext": False,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "figure.facecolor": _PAGE,
    "axes.facecolor": _PAGE,
    "legend.frameon": False,
    "legend.fontsize": 8,
}
_WIDTH, _HEIGHT, _BELOW, _ABOVE = 7.2, 4.6, 0.5, 0.35  # inches
_TIMELINE_HEIGHT, _LETTER = 3.4, 0.07  # inches; a letter of the labels at the ends of lines
_DPI = 120
_MARKER = 7.0


def draw(plots: Iterable[Plot]) -> tuple[Drawing, ...]:
    """Draws each figure once; the same plots give the same bytes."""
    with matplotlib.rc_context(_RC), warnings.catch_warnings():
        # A user's label may hold an emoji that the font lacks: a box, not a warning on stderr.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        return tuple(_draw(plot) for plot in plots)


def _draw(plot: Plot) -> Drawing:
    figure = Figure((_WIDTH, _height(plot)))
    axes = figure.add_axes(_frame(plot))
    if plot.strips:
        _paint_strips(axes, plot)
    elif plot.ticks:
        _paint_timeline(axes, plot)
    else:
        _paint_points(axes, plot)
    svg, png = io.StringIO(), io.BytesIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(svg, format="svg", metadata=nothing)
    # Weak compression: it takes half the time of drawing otherwise, for a quarter of the size.
    figure.savefig(png, format="png", dpi=_DPI, metadata={"Software": None},
                   pil_kwargs={"compress_level": 2})  # fmt: skip
    return Drawing(plot, hover.titled(svg.getvalue()), png.getvalue())


def _height(plot: Plot) -> float:
    """Inches."""
    if plot.ticks:
        return _TIMELINE_HEIGHT
    return _BELOW + _ABOVE + 0.36 * max(3, len(plot.strips)) if plot.strips else _HEIGHT


def _frame(plot: Plot) -> tuple[float, float, float, float]:
    """Where the axes stand in the figure. Laid out by hand: matplotlib's layouts draw it twice."""
    longest = max((len(strip.label) for strip in plot.strips), default=0)
    left = (0.25 + 0.085 * longest) if plot.strips else 0.8
    height = _height(plot)
    ends = max((len(point.label) for point in plot.points), default=0) if plot.ticks else 0
    wide, high = _WIDTH - left - 0.15 - _LETTER * ends, height - _BELOW - _ABOVE
    return (left / _WIDTH, _BELOW / height, wide / _WIDTH, high / height)


# --- scatter plots --------------------------------------------------------------------------------


def _paint_points(axes: Axes, plot: Plot) -> None:
    axes.grid(True)
    styles = _styles(plot.points)
    for family, style in styles.items():
        _paint_family(axes, plot, [one for one in plot.points if one.family == family], style)
    _set_axis(axes, "x", plot.x, [point.x for point in plot.points])
    _set_axis(axes, "y", plot.y, [edge for point in plot.points for edge in _edges(point)])
    _label_points(axes, plot)
    # The legend stands above the plot: within it, it would hide points.
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=min(7, len(styles)),
                handletextpad=0.4, columnspacing=1.2, borderaxespad=0.2)  # fmt: skip


def _styles(points: Sequence[Point]) -> dict[str, Style]:
    """The families that are there, the known ones first."""
    there = {point.family for point in points}
    styles = {family: style for family, style in STYLES.items() if family in there}
    others = sorted(there - styles.keys())
    for family, (colour, marker) in zip(others, cycle(_OTHERS), strict=False):
        styles[family] = Style(family, colour, marker, ":", 1.0)
    return styles


def _paint_family(axes: Axes, plot: Plot, points: Sequence[Point], style: Style) -> None:
    size = _MARKER * (1.7 if style.marker == "*" else 1.0)
    for published in (False, True):
        mine = sorted((p for p in points if p.published is published), key=lambda p: p.x)
        if not mine:
            continue
        labelled = not published or all(point.published for point in points)
        axes.plot(
            [point.x for point in mine], [point.y for point in mine],
            color=style.colour, marker=style.marker, markersize=size,
            markerfacecolor=_PAGE if published else style.colour, markeredgecolor=style.colour,
            markeredgewidth=1.2, linestyle=style.line if plot.lines else "none",
            linewidth=style.width, label=style.label if labelled else "_", zorder=3,
            gid=hover.points(mine, plot.x, plot.y, plot.ticks),
        )  # fmt: skip
    barred = [point for point in points if point.low is not None and point.high is not None]
    if barred:
        below = [point.y - (point.low or 0) for point in barred]
        above = [(point.high or 0) - point.y for point in barred]
        axes.errorbar(
            [point.x for point in barred], [point.y for point in barred], yerr=[below, above],
            fmt="none", color=style.colour, ecolor=style.colour, elinewidth=1.2, capsize=3,
            zorder=2,
        )  # fmt: skip


def _edges(point: Point) -> tuple[float, ...]:
    return tuple(edge for edge in (point.y, point.low, point.high) if edge is not None)


def _set_axis(axes: Axes, which: str, axis: Axis, values: Sequence[float]) -> None:
    getattr(axes, f"set_{which}label")(axis.label)
    set_limits = getattr(axes, f"set_{which}lim")
    if axis.logarithmic:
        getattr(axes, f"set_{which}scale")("log")
        _plain_ticks(axes)
        low, high = min(values), max(values)
        set_limits(low / 1.5, high * 1.5)
    elif axis.limits is None:
        set_limits(0, 1.14 * max(values))
    else:
        low, high = axis.limits
        room = 0.05 * (high - low)
        low = low if min(values) >= low else min(values) - room
        set_limits(low, high if max(values) <= high else max(values) + room)


def _plain_ticks(axes: Axes) -> None:
    """20, 50, 100, 200: throughputs seldom span the decades that powers of ten need."""
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.yaxis.set_minor_locator(NullLocator())


_Box: TypeAlias = tuple[float, float, float, float]
_FONT_SIZE = 7.5
# Among more points a label no longer finds its point, and each costs milliseconds.
_MOST_LABELS = 40
# Where a label may stand about its point, in points, the best place first.
_PLACES = (
    (8, 0, "left", "center"), (-8, 0, "right", "center"), (0, 8, "center", "bottom"),
    (0, -8, "center", "top"), (7, 7, "left", "bottom"), (7, -7, "left", "top"),
    (-7, 7, "right", "bottom"), (-7, -7, "right", "top"),
    *((dx, dy, side, "center")
      for dy in (20, -20, 34, -34, 48, -48)
      for dx, side in ((0, "center"), (14, "left"), (-14, "right"), (30, "left"), (-30, "right"))),
)  # fmt: skip
_NEAR = 10  # a label farther from its point than this gets a line to it


def _label_points(axes: Axes, plot: Plot) -> None:
    """Each label in the first place where it hides nothing; without such a place, none."""
    _, _, wide, high = _frame(plot)
    right, top = 72 * _WIDTH * wide, 72 * _HEIGHT * high

    def placed(values: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
        spots = (axes.transData - axes.transAxes).transform(list(values))
        return [(float(x) * right, float(y) * top) for x, y in spots]

    centres = placed((p.x, p.y) for p in plot.points)
    lows = placed((p.x, min(_edges(p))) for p in plot.points)
    highs = placed((p.x, max(_edges(p))) for p in plot.points)
    taken = [
        (x - 5, low - 5, x + 5, high + 5) for (x, low), (_, high) in zip(lows, highs, strict=True)
    ]
    if plot.lines:
        taken += _line_boxes(plot.points, centres)
    labelled = list(zip(plot.points, centres, strict=True))[:_MOST_LABELS]
    for point, (x, y) in labelled:
        for dx, dy, horizontal, vertical in _PLACES:
            box = _box(x + dx, y + dy, point.label, horizontal, vertical)
            inside = box[0] >= 0 and box[1] >= 0 and box[2] <= right and box[3] <= top
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                far = max(abs(dx), abs(dy)) > _NEAR
                corner = {"left": 0.0, "center": 0.5, "right": 1.0}[horizontal]
                leader = {
                    "arrowstyle": "-",
                    "color": _LEADER,
                    "linewidth": 0.6,
                    "shrinkA": 1,
                    "shrinkB": 4,
                    "relpos": (corner, 0.5),
                }
                axes.annotate(
                    point.label, (point.x, point.y), (dx, dy), textcoords="offset points",
                    ha=horizontal, va=vertical, fontsize=_FONT_SIZE, zorder=5,
                    arrowprops=leader if far else None,
                )  # fmt: skip
                break


def _line_boxes(points: Sequence[Point], centres: Sequence[tuple[float, float]]) -> list[_Box]:
    """Small boxes along the lines that join each family's points."""
    groups: dict[tuple[str, bool], list[tuple[float, float]]] = {}
    for point, centre in zip(points, centres, strict=True):
        groups.setdefault((point.family, point.published), []).append(centre)
    boxes = []
    for group in groups.values():
        for (x0, y0), (x1, y1) in pairwise(sorted(group)):
            steps = int(max(x1 - x0, abs(y1 - y0)) / 4) + 1
            for step in range(steps):
                x, y = x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps
                boxes.append((x - 2, y - 2, x + 2, y + 2))
    return boxes


def _box(x: float, y: float, label: str, horizontal: str, vertical: str) -> _Box:
    # 0.56 em is a wide guess at DejaVu Sans's mean advance; measuring each text costs a second.
    wide, high = 0.56 * _FONT_SIZE * len(label), 1.2 * _FONT_SIZE
    left = x - {"left": 0.0, "center": wide / 2, "right": wide}[horizontal]
    low = y - {"bottom": 0.0, "center": high / 2, "top": high}[vertical]
    return (left, low, left + wide, low + high)


def _overlap(one: _Box, other: _Box) -> bool:
    apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    return not apart


# --- strip plots ----------------------------------------------------------------------------------


def _paint_strips(axes: Axes, plot: Plot) -> None:
    rows, shades, deviations = zip(*_long(plot.strips), strict=True)
    axes.axvline(0, color=_INK, linewidth=0.8, zorder=1)
    for place in range(1, len(plot.strips)):
        axes.axhline(place - 0.5, color=_GRID, linewidth=0.6, zorder=0)
    axes.scatter(deviations, rows, s=14, c=shades, linewidths=0, zorder=2,
                 gid=hover.samples(plot.strips))  # fmt: skip
    axes.set_yticks(range(len(plot.strips)), [strip.label for strip in plot.strips])
    axes.set_ylim(len(plot.strips) - 0.5, -0.5)
    axes.tick_params("y", length=0)
    axes.grid(True, axis="x")
    axes.set_xlabel(plot.x.label)


def _long(strips: Sequence[Strip]) -> Iterator[tuple[float, str, float]]:
    """Row, shade and deviation of each sample: a row for each process of a model.

    The rows of a model lie within the 0.8 that it takes up, so that the picture is the same every
    time, which seaborn's jitter is not; importing seaborn alone would take longer than all else.
    """
    for place, strip in enumerate(strips):
        step = 0.8 / len(strip.processes)
        for process, samples in enumerate(strip.processes):
            shade = _STRIP_SHADES[process % len(_STRIP_SHADES)]
            for sample in samples:
                yield place - 0.4 + (process + 0.5) * step, shade, sample


# --- timelines ------------------------------------------------------------------------------------


_MOST_TICKS = 6
_LINE = 9.0  # points from one line of small text to the next


def _paint_timeline(axes: Axes, plot: Plot) -> None:
    """A line for each label, named at its end, in the style of its family."""
    axes.grid(True, axis="y")
    lines: dict[str, list[Point]] = {}
    for point in plot.points:
        lines.setdefault(point.label, []).append(point)
    styles = _styles(plot.points)
    for points in lines.values():
        _paint_family(axes, plot, points, styles[points[0].family])
    axes.set_xlim(-0.7, len(plot.ticks) - 0.3)
    step = -(-len(plot.ticks) // _MOST_TICKS)
    axes.set_xticks(range(0, len(plot.ticks), step), plot.ticks[::step])
    axes.set_xlabel(plot.x.label)
    axes.set_ylabel(plot.y.label)
    axes.ticklabel_format(axis="y", useOffset=False)  # values that never change need no "+1e2"
    rows = [*_mark_rows(axes, plot, True), *_mark_rows(axes, plot, False)]
    for mark, row in rows:
        _paint_mark(axes, mark, row, len(plot.ticks))
    _leave_room(axes, plot, rows)
    _name_lines(axes, plot, lines, styles)


def _mark_rows(axes: Axes, plot: Plot, change: bool) -> Iterator[tuple[Mark, int]]:
    """Each mark with the line of text that it begins at, so that neighbours do not overlap."""
    scale = 72 * _WIDTH * _frame(plot)[2] / len(plot.ticks)
    taken: list[_Box] = []
    for mark in plot.marks:
        if mark.change is not change:
            continue
        lines = mark.text.split("\n")
        side = "right" if mark.x > len(plot.ticks) / 2 else "left"
        left, _, right, _ = _box(mark.x * scale, 0, max(lines, key=len), side, "bottom")
        row = 0
        while any(_overlap((left, row, right, row + len(lines)), other) for other in taken):
            row += 1
        taken.append((left, row, right, row + len(lines)))
        yield mark, row


def _paint_mark(axes: Axes, mark: Mark, row: int, ticks: int) -> None:
    """A change's text hangs from the top, that of an environment stands on the bottom."""
    colour, line, width = (_INK, "-", 1.0) if mark.change else (_LEADER, ":", 2.0)
    axes.axvline(mark.x, color=colour, linestyle=line, linewidth=width, zorder=1)
    left = mark.x > ticks / 2  # of the line, so that the text stays within the figure
    axes.annotate(
        mark.text, (mark.x, 1 if mark.change else 0),
        (-3 if left else 3, _LINE * (-row if mark.change else row)),
        xycoords=axes.get_xaxis_transform(), textcoords="offset points",
        ha="right" if left else "left", va="top" if mark.change else "bottom",
        fontsize=_FONT_SIZE - 0.5, color=_INK, zorder=5,
    )  # fmt: skip


def _leave_room(axes: Axes, plot: Plot, rows: Iterable[tuple[Mark, int]]) -> None:
    """Limits of y that keep the lines clear of the texts, but leave them half the height."""
    ends = {True: 0.7, False: 0.7}
    for mark, row in rows:
        ends[mark.change] = max(ends[mark.change], row + 1.7 + mark.text.count("\n"))
    share = min(0.5, sum(ends.values()) * _LINE / (72 * _height(plot) * _frame(plot)[3]))
    edges = [edge for point in plot.points for edge in _edges(point)]
    low, high = min(edges), max(edges)
    room = max(high - low, 0.02 * high) * share / (1 - share) / sum(ends.values())
    axes.set_ylim(low - ends[False] * room, high + ends[True] * room)


def _name_lines(
    axes: Axes, plot: Plot, lines: Mapping[str, Sequence[Point]], styles: Mapping[str, Style]
) -> None:
    """Each label right of the last run, at its line's end or as near above as there is room."""
    high = 72 * _height(plot) * _frame(plot)[3]
    low_edge, high_edge = axes.get_ylim()
    ends = {label: max(points, key=lambda point: point.x) for label, points in lines.items()}
    place = -_LINE
    for label, point in sorted(ends.items(), key=lambda item: item[1].y):
        place = max((point.y - low_edge) / (high_edge - low_edge) * high, place + _LINE)
        axes.annotate(
            label, (1, 0), (4, place), xycoords="axes fraction", textcoords="offset points",
            ha="left", va="center", fontsize=_FONT_SIZE, color=styles[point.family].colour,
        )  # fmt: skip


# --- for a page -----------------------------------------------------------------------------------


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
