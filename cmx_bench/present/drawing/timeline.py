"""Paints lines over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from matplotlib.axes import Axes

from cmx_bench.present import hover
from cmx_bench.present.drawing.placement import Box, box, overlap
from cmx_bench.present.drawing.points import heights, paint_points
from cmx_bench.present.drawing.theme import (
    FONT_SIZE,
    INK,
    LEADER,
    RIGHT,
    Frame,
    Style,
    size,
    styles_of,
)
from cmx_bench.present.plot import Mark, Point, Timeline

_MOST_TICKS = 6
_LINE = 9.0  # points from one line of small text to the next
_HEIGHT, _LETTER = 3.4, 0.07  # inches; a letter of the labels at the ends of lines


def frame(shape: Timeline) -> Frame:
    longest = max((len(point.label) for point in shape.points), default=0)
    return Frame(_HEIGHT, 0.8, RIGHT + _LETTER * longest)


def paint(axes: Axes, shape: Timeline) -> None:
    """A line for each label, named at its end, in the style of its family."""
    axes.grid(True, axis="y")
    lines: dict[str, list[Point]] = {}
    for point in shape.points:
        lines.setdefault(point.label, []).append(point)
    styles = styles_of(shape.points)
    for points in lines.values():
        said = partial(hover.points, x=shape.x, y=shape.y, ticks=shape.ticks)
        paint_points(axes, points, styles[points[0].family], said, joined=True)
    axes.set_xlim(-0.7, len(shape.ticks) - 0.3)
    step = -(-len(shape.ticks) // _MOST_TICKS)
    axes.set_xticks(range(0, len(shape.ticks), step), shape.ticks[::step])
    axes.set_xlabel(shape.x.label)
    axes.set_ylabel(shape.y.label)
    axes.ticklabel_format(axis="y", useOffset=False)  # values that never change need no "+1e2"
    rows = [*_mark_rows(axes, shape, True), *_mark_rows(axes, shape, False)]
    for mark, row in rows:
        _paint_mark(axes, mark, row, len(shape.ticks))
    _leave_room(axes, shape, rows)
    _name_lines(axes, lines, styles)


def _mark_rows(axes: Axes, shape: Timeline, change: bool) -> Iterator[tuple[Mark, int]]:
    """Each mark with the line of text that it begins at, so that neighbours do not overlap."""
    scale = size(axes)[0] / len(shape.ticks)
    taken: list[Box] = []
    for mark in shape.marks:
        if mark.change is not change:
            continue
        lines = mark.text.split("\n")
        side = "right" if mark.x > len(shape.ticks) / 2 else "left"
        left, _, right, _ = box(mark.x * scale, 0, max(lines, key=len), side, "bottom")
        row = 0
        while any(overlap((left, row, right, row + len(lines)), other) for other in taken):
            row += 1
        taken.append((left, row, right, row + len(lines)))
        yield mark, row


def _paint_mark(axes: Axes, mark: Mark, row: int, ticks: int) -> None:
    """A change's text hangs from the top, that of an environment stands on the bottom."""
    colour, line, width = (INK, "-", 1.0) if mark.change else (LEADER, ":", 2.0)
    axes.axvline(mark.x, color=colour, linestyle=line, linewidth=width, zorder=1)
    left = mark.x > ticks / 2  # of the line, so that the text stays within the figure
    axes.annotate(
        mark.text, (mark.x, 1 if mark.change else 0),
        (-3 if left else 3, _LINE * (-row if mark.change else row)),
        xycoords=axes.get_xaxis_transform(), textcoords="offset points",
        ha="right" if left else "left", va="top" if mark.change else "bottom",
        fontsize=FONT_SIZE - 0.5, color=INK, zorder=5,
    )  # fmt: skip


def _leave_room(axes: Axes, shape: Timeline, rows: Iterable[tuple[Mark, int]]) -> None:
    """Limits of y that keep the lines clear of the texts, but leave them half the height."""
    ends = {True: 0.7, False: 0.7}
    for mark, row in rows:
        ends[mark.change] = max(ends[mark.change], row + 1.7 + mark.text.count("\n"))
    share = min(0.5, sum(ends.values()) * _LINE / size(axes)[1])
    edges = [edge for point in shape.points for edge in heights(point)]
    low, high = min(edges), max(edges)
    room = max(high - low, 0.02 * high) * share / (1 - share) / sum(ends.values())
    axes.set_ylim(low - ends[False] * room, high + ends[True] * room)


def _name_lines(
    axes: Axes, lines: Mapping[str, Sequence[Point]], styles: Mapping[str, Style]
) -> None:
    """Each label right of the last run, at its line's end or as near above as there is room."""
    _, high = size(axes)
    low_edge, high_edge = axes.get_ylim()
    ends = {label: max(points, key=lambda point: point.x) for label, points in lines.items()}
    place = -_LINE
    for label, point in sorted(ends.items(), key=lambda item: item[1].y):
        place = max((point.y - low_edge) / (high_edge - low_edge) * high, place + _LINE)
        axes.annotate(
            label, (1, 0), (4, place), xycoords="axes fraction", textcoords="offset points",
            ha="left", va="center", fontsize=FONT_SIZE, color=styles[point.family].colour,
        )  # fmt: skip
