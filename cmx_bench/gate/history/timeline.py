"""The figure of past runs: lines over time, and what changed between two of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pandas import DataFrame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_TICKS = 6
MOST_MARKED = 60  # runs; of more each would hide the next, and take 170 bytes in every line
_LINE = 1.2  # from one line of small text to the next, in its size


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line at `x` with a text: a solid line for a `change`, else a dotted one."""

    x: float
    text: str
    change: bool


def paint(
    points: DataFrame, ax: Axes, *, marks: Sequence[Mark], ticks: Sequence[str], what: str
) -> None:
    """A line for each label, named at its end, over runs that `ticks` name; of many runs each line
    has but its last point."""
    from cmx_bench.present.drawing.placement import name_lines, room_for_names
    from cmx_bench.present.drawing.points import draw_lines, draw_points

    ax.set(xlabel="Run", ylabel=what, xlim=(-0.7, len(ticks) - 0.3))
    ax.grid(False, axis="x")
    ends = points.sort_values("x", kind="stable").drop_duplicates("label", keep="last")
    if len(ticks) > MOST_MARKED:
        draw_lines(ax, points)
        draw_points(ax, ends)
    else:
        draw_points(ax, points)
    step = -(-len(ticks) // _MOST_TICKS)
    ax.set_xticks(range(0, len(ticks), step), ticks[::step])
    ax.ticklabel_format(axis="y", useOffset=False)  # values that never change need no "+1e2"
    room_for_names(ax, ends["label"])
    rows = [*_rows(ax, marks, len(ticks), True), *_rows(ax, marks, len(ticks), False)]
    for mark, row in rows:
        _draw_mark(ax, mark, row, len(ticks))
    _leave_room(ax, points, rows)
    name_lines(ax, ends)


def _rows(ax: Axes, marks: Sequence[Mark], ticks: int, change: bool) -> Iterator[tuple[Mark, int]]:
    """Each mark with the line of text that it begins at, so that neighbours do not overlap."""
    from cmx_bench.present.drawing import canvas
    from cmx_bench.present.drawing.placement import font_size

    scale = canvas.size(ax)[0] / ticks
    taken: list[tuple[float, int, float, int]] = []
    for mark in marks:
        if mark.change is not change:
            continue
        lines = mark.text.split("\n")
        wide = max(canvas.text_width(line, font_size()) for line in lines)
        left = mark.x * scale - (wide if mark.x > ticks / 2 else 0)
        row = 0
        while any(
            left < right and other < left + wide and row < end and start < row + len(lines)
            for other, start, right, end in taken
        ):
            row += 1
        taken.append((left, row, left + wide, row + len(lines)))
        yield mark, row


def _draw_mark(ax: Axes, mark: Mark, row: int, ticks: int) -> None:
    """A change's text hangs from the top, that of an environment stands on the bottom."""
    from cmx_bench.present.drawing.placement import font_size
    from cmx_bench.present.drawing.theme import INK, LEADER, PAGE

    colour, line, width = (INK, "-", 1.0) if mark.change else (LEADER, ":", 2.0)
    ax.axvline(mark.x, color=colour, linestyle=line, linewidth=width, zorder=1)
    left = mark.x > ticks / 2  # of the line, so that the text stays within the figure
    offset = _LINE * font_size() * (-row if mark.change else row) + (0 if mark.change else 2)
    ax.annotate(
        mark.text, (mark.x, 1 if mark.change else 0), (-3 if left else 3, offset),
        xycoords=ax.get_xaxis_transform(), textcoords="offset points",
        ha="right" if left else "left", va="top" if mark.change else "bottom",
        fontsize=font_size(), color=INK, zorder=5,
        bbox={"facecolor": PAGE, "edgecolor": "none", "pad": 1},  # lines of other marks
    )  # fmt: skip


def _leave_room(ax: Axes, points: DataFrame, rows: Sequence[tuple[Mark, int]]) -> None:
    """Limits of y that keep the lines clear of the texts, but leave them half the height."""
    from cmx_bench.present.drawing import canvas
    from cmx_bench.present.drawing.placement import font_size
    from cmx_bench.present.drawing.scales import extent

    ends = {True: 0.7, False: 0.7}
    for mark, row in rows:
        ends[mark.change] = max(ends[mark.change], row + 1.7 + mark.text.count("\n"))
    lines = sum(ends.values())
    share = min(0.5, lines * _LINE * font_size() / canvas.size(ax)[1])
    low, high = extent(points, "y")
    room = max(high - low, 0.02 * high) * share / (1 - share) / lines
    ax.set_ylim(low - ends[False] * room, high + ends[True] * room)
