"""Paints scatter plots: points of families, lines between them, curves behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis as Scale
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from cmx_bench.measures.work import KINDS
from cmx_bench.present import hover
from cmx_bench.present.drawing.placement import label_points
from cmx_bench.present.drawing.points import heights, marker_size, paint_points, widths
from cmx_bench.present.drawing.theme import (
    ABOVE,
    INK,
    KIND_COLOURS,
    PAGE,
    Frame,
    Style,
    size,
    styles_of,
)
from cmx_bench.present.plot import Axis, Point, Scatter

_HEIGHT, _LEFT = 4.6, 0.8  # inches
_LEGEND_LINE, _COLUMNS = 0.2, 7  # inches; entries in a line of it


def frame(shape: Scatter) -> Frame:
    more = _LEGEND_LINE * (_lines(shape) - 1 + bool(_kinds(shape.points)))
    return Frame(_HEIGHT + more, _LEFT, above=ABOVE + more)


def _lines(shape: Scatter) -> int:
    """The lines of the legend that families and curves take."""
    families = {point.family for point in shape.points}
    return -(-(len(families) + len(shape.curves)) // _COLUMNS)


def paint(axes: Axes, shape: Scatter) -> None:
    """Everything within the axes, and the legend above them."""
    axes.grid(True)
    styles = styles_of(shape.points)
    for curve in shape.curves:
        axes.plot(*zip(*curve.spots, strict=True), **_CURVE)
    groups = _groups(shape.points)
    for points in groups:
        style = _coloured(styles[points[0].family], points[0].kind)
        said = partial(hover.points, x=shape.x, y=shape.y)
        paint_points(axes, points, style, said, joined=bool(points[0].line))
    _set_limits(axes, shape)
    joined = [sorted((p.x, p.y) for p in points) for points in groups if points[0].line]
    label_points(axes, shape.points, [*joined, *(curve.spots for curve in shape.curves)])
    _paint_legend(axes, shape, styles)


_CURVE: dict[str, Any] = {"color": INK, "linewidth": 1.0, "linestyle": (0, (4, 2)), "zorder": 1}


def _groups(points: Sequence[Point]) -> list[list[Point]]:
    """Points that look alike and may be joined."""
    groups: dict[tuple[str, str, str, bool], list[Point]] = {}
    for point in points:
        look = (point.family, point.kind, point.line, point.published)
        groups.setdefault(look, []).append(point)
    return list(groups.values())


def _coloured(style: Style, kind: str) -> Style:
    """A family's style, in the colour of a kind of work where there is one."""
    return replace(style, colour=KIND_COLOURS[kind]) if kind else style


# --- axes -----------------------------------------------------------------------------------------


def _set_limits(axes: Axes, shape: Scatter) -> None:
    spots = [spot for curve in shape.curves for spot in curve.spots]
    across = [edge for point in shape.points for edge in widths(point)]
    upward = [edge for point in shape.points for edge in heights(point)]
    axes.set_xlabel(shape.x.label)
    axes.set_ylabel(shape.y.label)
    if shape.x.logarithmic:
        axes.set_xscale("log")
        _set_ticks(axes.xaxis, shape.x)
    if shape.y.logarithmic:
        axes.set_yscale("log")
        _set_ticks(axes.yaxis, shape.y)
    axes.set_xlim(_limits(shape.x, [*across, *(x for x, _ in spots)]))
    axes.set_ylim(_limits(shape.y, [*upward, *(y for _, y in spots)]))


def _limits(axis: Axis, values: Sequence[float]) -> tuple[float, float]:
    least, most = min(values), max(values)
    if axis.logarithmic:
        return least / 1.5, most * 1.5
    if axis.limits is None:
        return 0, 1.14 * most
    low, high = axis.limits
    room = 0.05 * (high - low)
    return low if least >= low else least - room, high if most <= high else most + room


def _set_ticks(scale: Scale, axis: Axis) -> None:
    """20, 50, 100, 200: throughputs seldom span the decades that powers of ten need."""
    located = FixedLocator(axis.ticks) if axis.ticks else LogLocator(subs=(1.0, 2.0, 5.0))
    scale.set_major_locator(located)
    scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    scale.set_minor_locator(NullLocator())


# --- legend ---------------------------------------------------------------------------------------


def _paint_legend(axes: Axes, shape: Scatter, styles: Mapping[str, Style]) -> None:
    """Above the plot: within it, it would hide points. Kinds of work have a line of their own."""
    kinds = _kinds(shape.points)
    handles = [_family(shape.points, family, style) for family, style in styles.items()]
    handles += [Line2D([], [], label=curve.label, **_CURVE) for curve in shape.curves]
    below = _legend(axes, handles, 1.0)
    if kinds:
        axes.add_artist(below)
        lines = 72 * _LEGEND_LINE * _lines(shape) / size(axes)[1]
        _legend(axes, [_patch(kind) for kind in kinds], 1.0 + lines)


def _legend(axes: Axes, handles: Sequence[Line2D], height: float) -> Legend:
    return axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, height),
        ncols=min(_COLUMNS, len(handles)), handletextpad=0.4, columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip


def _kinds(points: Sequence[Point]) -> list[str]:
    there = {point.kind for point in points}
    return [kind for kind in KINDS if kind in there]


def _family(points: Sequence[Point], family: str, style: Style) -> Line2D:
    """The marker as it stands in the plot, hollow where all are published; in ink where kinds of
    work are coloured."""
    mine = [point for point in points if point.family == family]
    colour = INK if mine[0].kind else style.colour
    return Line2D(
        [], [], label=style.label, color=colour, marker=style.marker,
        markersize=marker_size(style), markeredgewidth=1.2, markeredgecolor=colour,
        markerfacecolor=PAGE if all(point.published for point in mine) else colour,
        linestyle=style.line if mine[0].line else "none", linewidth=style.width,
    )  # fmt: skip


def _patch(kind: str) -> Line2D:
    return Line2D([], [], label=KINDS[kind], color=KIND_COLOURS[kind], marker="o",
                  markersize=6, linestyle="none")  # fmt: skip
