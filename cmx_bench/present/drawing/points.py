"""Paints the points of one family: markers, bars, the line that joins them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axes import Axes

from cmx_bench.present.drawing.theme import INK, PAGE, Style
from cmx_bench.present.plot import Point

_MARKER, _RING = 7.0, 14.0


def marker_size(style: Style) -> float:
    """Points; a star of the same width has far less to see."""
    return _MARKER * (1.7 if style.marker == "*" else 1.0)


def paint_points(
    axes: Axes, points: Sequence[Point], style: Style, gid: Callable[[Sequence[Point]], str],
    joined: bool = False,
) -> None:  # fmt: skip
    """Published points hollow and apart from the others; `joined` ones from left to right.

    Args:
        gid: what is said of each of some points, for `hover.titled`.
    """
    for published in (False, True):
        mine = sorted((p for p in points if p.published is published), key=lambda p: p.x)
        if mine:
            axes.plot(
                [point.x for point in mine], [point.y for point in mine],
                color=style.colour, marker=style.marker, markersize=marker_size(style),
                markerfacecolor=PAGE if published else style.colour,
                markeredgecolor=style.colour, markeredgewidth=1.2,
                linestyle=style.line if joined else "none", linewidth=style.width, zorder=3,
                gid=gid(mine),
            )  # fmt: skip
    _paint_bars(axes, points, style)
    _paint_rings(axes, [point for point in points if point.ring])


def _paint_bars(axes: Axes, points: Sequence[Point], style: Style) -> None:
    look: dict[str, Any] = {
        "fmt": "none", "color": style.colour, "ecolor": style.colour, "elinewidth": 1.2,
        "capsize": 3, "zorder": 2,
    }  # fmt: skip
    high = [one for one in points if one.low is not None and one.high is not None]
    if high:
        below = [one.y - (one.low or 0) for one in high]
        above = [(one.high or 0) - one.y for one in high]
        axes.errorbar([p.x for p in high], [p.y for p in high], yerr=[below, above], **look)
    wide = [one for one in points if one.left is not None and one.right is not None]
    if wide:
        left = [one.x - (one.left or 0) for one in wide]
        right = [(one.right or 0) - one.x for one in wide]
        axes.errorbar([p.x for p in wide], [p.y for p in wide], xerr=[left, right], **look)


def _paint_rings(axes: Axes, points: Sequence[Point]) -> None:
    if points:
        axes.plot(
            [point.x for point in points], [point.y for point in points], linestyle="none",
            marker="o", markersize=_RING, markerfacecolor="none", markeredgecolor=INK, zorder=4,
        )  # fmt: skip


def heights(point: Point) -> tuple[float, ...]:
    """All of y that the point and its bar take up."""
    return tuple(edge for edge in (point.y, point.low, point.high) if edge is not None)


def widths(point: Point) -> tuple[float, ...]:
    """All of x that the point and its bar take up."""
    return tuple(edge for edge in (point.x, point.left, point.right) if edge is not None)
