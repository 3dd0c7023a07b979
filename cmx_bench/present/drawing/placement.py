"""Finds a place for each label, where it hides neither points nor lines nor other labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from matplotlib.axes import Axes

from cmx_bench.present.drawing.points import heights, widths
from cmx_bench.present.drawing.theme import FONT_SIZE, LEADER, size
from cmx_bench.present.plot import Point

# Left, lower, right and upper edge, in points from the lower left corner of the axes.
Box: TypeAlias = tuple[float, float, float, float]
_Spot: TypeAlias = tuple[float, float]

# Among more points a label no longer finds its point, and each costs milliseconds.
_MOST = 40
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


def label_points(axes: Axes, points: Sequence[Point], lines: Iterable[Sequence[_Spot]]) -> None:
    """Each label in the first place where it hides nothing; without such a place, none.

    From right to left: where there is least room on the right, there is least choice.

    Args:
        lines: what else is not to be hidden, in the units of the axes, whose limits are set.
    """
    right, top = size(axes)
    taken = [*_point_boxes(axes, points)]
    taken += [one for line in lines for one in _line_boxes(_placed(axes, line))]
    first = [point for point in points if point.label][:_MOST]
    labelled = sorted(first, key=lambda point: -point.x)
    centres = _placed(axes, ((point.x, point.y) for point in labelled))
    for point, (x, y) in zip(labelled, centres, strict=True):
        for dx, dy, horizontal, vertical in _PLACES:
            mine = box(x + dx, y + dy, point.label, horizontal, vertical)
            inside = mine[0] >= 0 and mine[1] >= 0 and mine[2] <= right and mine[3] <= top
            if inside and not any(overlap(mine, other) for other in taken):
                taken.append(mine)
                _paint(axes, point, (dx, dy), horizontal, vertical)
                break


def _paint(
    axes: Axes, point: Point, offset: tuple[int, int], horizontal: str, vertical: str
) -> None:
    far = max(map(abs, offset)) > _NEAR
    leader = {
        "arrowstyle": "-",
        "color": LEADER,
        "linewidth": 0.6,
        "patchA": None,  # it begins at the edge of the label: clipping it there takes a while
        "shrinkA": 0,
        "shrinkB": 4,
        "relpos": (_CORNERS[horizontal], 0.5),
    }
    axes.annotate(
        point.label, (point.x, point.y), offset, textcoords="offset points",
        ha=horizontal, va=vertical, fontsize=FONT_SIZE, zorder=5,
        arrowprops=leader if far else None,
    )  # fmt: skip


_CORNERS = {"left": 0.0, "center": 0.5, "right": 1.0}


def _placed(axes: Axes, spots: Iterable[_Spot]) -> list[_Spot]:
    """Places in the units of the axes as points from their lower left corner."""
    right, top = size(axes)
    listed = list(spots)
    shares: Any = (axes.transData - axes.transAxes).transform(listed) if listed else []
    return [(float(x) * right, float(y) * top) for x, y in shares]


def _point_boxes(axes: Axes, points: Sequence[Point]) -> Iterator[Box]:
    """The markers, and the bars through them."""
    for edges in (
        [((p.x, min(heights(p))), (p.x, max(heights(p)))) for p in points],
        [((min(widths(p)), p.y), (max(widths(p)), p.y)) for p in points if p.left is not None],
    ):
        firsts, lasts = (_placed(axes, (edge[end] for edge in edges)) for end in (0, 1))
        for (x0, y0), (x1, y1) in zip(firsts, lasts, strict=True):
            yield (x0 - 5, y0 - 5, x1 + 5, y1 + 5)


def _line_boxes(line: Sequence[_Spot]) -> Iterator[Box]:
    """Small boxes along a line."""
    for (x0, y0), (x1, y1) in pairwise(line):
        steps = int(max(abs(x1 - x0), abs(y1 - y0)) / 4) + 1
        for step in range(steps):
            x, y = x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps
            yield (x - 2, y - 2, x + 2, y + 2)


def box(x: float, y: float, label: str, horizontal: str, vertical: str) -> Box:
    """What a label takes up that is aligned to x and y."""
    # 0.56 em is a wide guess at DejaVu Sans's mean advance; measuring each text costs a second.
    wide, high = 0.56 * FONT_SIZE * len(label), 1.2 * FONT_SIZE
    left = x - _CORNERS[horizontal] * wide
    low = y - {"bottom": 0.0, "center": high / 2, "top": high}[vertical]
    return (left, low, left + wide, low + high)


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes have any place in common."""
    apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    return not apart
