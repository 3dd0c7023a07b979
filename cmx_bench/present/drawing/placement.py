"""Finds a place for each label, where it crosses no line, no bar, no marker and no other label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean
from typing import TypeAlias

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from numpy.typing import NDArray
from pandas import DataFrame

from cmx_bench.present.content import first_few
from cmx_bench.present.drawing import canvas
from cmx_bench.present.drawing.theme import INK, LABEL, LEADER, PAGE, styles_of

# Places are in points from the lower left corner of the axes: spots `(n, 2)`, boxes `(n, 4)` with
# their left, lower, right and upper edges.
Spots: TypeAlias = NDArray[np.float64]
Boxes: TypeAlias = NDArray[np.float64]
Segments: TypeAlias = tuple[Spots, Spots]  # the ends of straight lines

# Among more points a label no longer finds its point, and each costs milliseconds.
_MOST = 40
_FEW, _TRIES = 20, 12  # more are tried once, on a coarser grid, less far away
_NAMED = 3
_STEP, _MARGIN = 2.0, 1.5  # points along a leader; around a label
_WIDER = _MARGIN * np.array([-1, -1, 1, 1])
_GAP = 0.45  # between a marker and its label, in the size of labels

# On which side of its marker a label stands, the best first: right, centred or left, and above, in
# the middle or below.
_SIDES = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)])


def label_points(ax: Axes, points: DataFrame) -> None:
    """Each label of `points` beside its marker, or as near as it hides nothing that is on the axes,
    whose limits are set; labels without such a place are named below the axes.

    From right to left, for on the right there is least choice. Labels that find no place come first
    in another try.
    """
    canvas.fit(ax)
    beyond = list(points["label"][_MOST:])
    labelled = points[:_MOST].sort_values("x", ascending=False, kind="stable")
    data = labelled[["x", "y"]].to_numpy(np.float64)
    labels, spots, axes = list(labelled["label"]), _place(ax, data), _OnAxes.of(ax)
    order, best, random = list(range(len(labels))), dict[int, _Place](), Random(0)
    for number in range(_TRIES if len(labels) <= _FEW else 1):
        places = _places(order, labels, spots, axes)
        best = max(best, places, key=len)
        if len(best) == len(labels):
            break
        if number % 2:
            random.shuffle(order)
        order.sort(key=places.__contains__)
    for number, place in best.items():
        _write(ax, labels[number], data[number], place, spots[number])
    without = [label for number, label in enumerate(labels) if number not in best]
    if without or beyond:
        _name_below(ax, [*without, *beyond])


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a label stands, and on which side of its marker; `far` from it, it has a leader."""

    box: Boxes
    side: int
    far: bool


def _places(
    order: Sequence[int], labels: Sequence[str], spots: Spots, axes: _OnAxes
) -> dict[int, _Place]:
    """The place of each label that has one, by its number; earlier ones of `order` choose first."""
    solid, places = axes.markers, dict[int, _Place]()
    reach, gap = (15.0, 1.0) if len(order) <= _FEW else (7.0, 1.5)  # in the size of labels
    for number in order:
        at, wide = spots[number], canvas.text_width(labels[number], font_size())
        radius, area = axes.radius(at), np.array([wide, _height()])
        near = _beside(at, area, radius)
        if (free := np.flatnonzero(axes.free(near, solid))).size:
            places[number] = _Place(near[free[0]], int(_SIDES[free[0], 0]), far=False)
            solid = np.vstack([solid, near[free[0]]])
            continue
        around = _around(at, area, axes.size, reach * font_size(), gap * font_size())
        around = around[axes.free(around, solid)]
        leaders = _leaders(at, around, radius)
        if (clear := np.flatnonzero(~_crossing(leaders, solid).any(1))).size:
            box = around[clear[0]]
            side = int(np.sign(np.clip(at[0], box[0], box[2]) - at[0]))
            places[number] = _Place(box, side, far=True)
            solid = np.vstack([solid, box, _along(*(ends[clear[0]] for ends in leaders))])
    return places


def name_lines(ax: Axes, ends: DataFrame) -> None:
    """The labels of lines right of the axes, as near to the ends of their lines as there is room.

    Args:
        ends: a row for each line: `label`, `family`, and `x` and `y` of its end.
    """
    size = font_size()
    room_for_names(ax, ends["label"])
    wide, high = canvas.size(ax)
    most = int(high // _height())
    styles, left_out = styles_of(ends["family"]), list(ends["label"][most:])
    ends = ends[:most].sort_values("y", kind="stable")
    spots = _place(ax, ends[["x", "y"]].to_numpy(np.float64))
    heights = _spread([float(y) for _, y in spots], _height())
    for end, (x, y), height in zip(ends.to_dict("records"), spots, heights, strict=True):
        leader = {
            "arrowstyle": "-", "color": styles[end["family"]].colour, "shrinkA": 1,
            "shrinkB": 0.6 * matplotlib.rcParams["lines.markersize"], "patchA": None,
            "linewidth": 0.6 * matplotlib.rcParams["lines.linewidth"], "relpos": (0, 0.5),
        }  # fmt: skip
        ax.annotate(
            end["label"], (end["x"], end["y"]), (wide + 1.5 * size - x, height - y),
            textcoords="offset points", ha="left", va="center", fontsize=size, color=INK,
            arrowprops=leader, annotation_clip=False,
        )  # fmt: skip
    if left_out:
        _name_below(ax, left_out)


def room_for_names(ax: Axes, labels: Iterable[str]) -> None:
    """Room right of the axes for the labels of lines."""
    widest = max((canvas.text_width(label, font_size()) for label in labels), default=0.0)
    canvas.reserve(ax, right=widest + 2 * font_size())
    canvas.fit(ax)


def _spread(heights: Sequence[float], apart: float) -> list[float]:
    """Ascending heights moved so far apart, each as little as can be (pool adjacent violators)."""
    blocks: list[list[float]] = []
    for place, height in enumerate(heights):
        blocks.append([height - place * apart])
        while len(blocks) > 1 and fmean(blocks[-2]) > fmean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    level = [fmean(block) for block in blocks for _ in block]
    return [height + place * apart for place, height in enumerate(level)]


# --- texts ----------------------------------------------------------------------------------------


def font_size() -> float:
    """Of labels, in points."""
    return LABEL * canvas.em()


def _write(ax: Axes, label: str, spot: Spots, place: _Place, at: Spots) -> None:
    """A label beside its point; with a leader where it is far from it."""
    box = place.box
    x = {1: box[0], 0: (box[0] + box[2]) / 2, -1: box[2]}[place.side] - at[0]
    share = (_nearest(at, box) - box[:2]) / (box[2:] - box[:2])  # where its leader begins
    leader = {
        "arrowstyle": "-",
        "color": LEADER,
        "linewidth": 0.5 * matplotlib.rcParams["lines.linewidth"],
        "patchA": None,  # it begins at the edge of the label: clipping it there takes a while
        "shrinkA": 0,
        "shrinkB": 0.6 * matplotlib.rcParams["lines.markersize"],
        "relpos": (float(share[0]), float(share[1])),
    }
    ax.annotate(
        label, (spot[0], spot[1]), (x, (box[1] + box[3]) / 2 - at[1]), textcoords="offset points",
        ha={1: "left", 0: "center", -1: "right"}[place.side], va="center",
        fontsize=font_size(), color=INK, zorder=5, arrowprops=leader if place.far else None,
    )  # fmt: skip


def _name_below(ax: Axes, labels: Sequence[str]) -> None:
    left, below, *_ = canvas.around(ax)
    edge, bottom = (72 / ax.figure.dpi * end for end in (ax.bbox.x1, ax.bbox.y0))
    is_ours = isinstance(ax.figure, canvas.Sheet)  # a user's figure keeps its margins
    room = canvas.size(ax)[0] + left if is_ours else edge
    lines = [""]
    what = "label" if len(labels) == 1 else "labels"
    for word in f"No room for the {what} of {first_few(labels, _NAMED)}".split():
        longer = f"{lines[-1]} {word}".strip()
        if canvas.text_width(longer, font_size()) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    high = 2 + 1.2 * font_size() * len(lines)
    inside = not is_ours and below + high > bottom
    ax.annotate(
        "\n".join(lines), (1, 0), (-2, 2) if inside else (0, -below - 2), zorder=6,
        xycoords="axes fraction", textcoords="offset points", ha="right",
        va="bottom" if inside else "top", fontsize=font_size(), color=INK,
        bbox={"facecolor": PAGE, "edgecolor": "none", "pad": 1} if inside else None,
    )  # fmt: skip
    canvas.reserve(ax, below=high)


# --- places ---------------------------------------------------------------------------------------


def _height() -> float:
    return 1.15 * font_size()


def _beside(at: Spots, area: Spots, radius: float) -> Boxes:
    """The boxes of a label of this width and height right beside its marker."""
    reach = radius + _GAP * font_size()
    diagonal = np.where(np.abs(_SIDES).sum(1) == 2, 0.7, 1.0)
    corners = at + _SIDES * reach * diagonal[:, None] - area * (1 - _SIDES) / 2
    return np.hstack([corners, corners + area])


def _around(at: Spots, area: Spots, size: tuple[float, float], reach: float, gap: float) -> Boxes:
    """The boxes of a label on a grid within the axes around its point, the nearest first."""
    x, y = (
        np.arange(max(_MARGIN, middle - reach - length), min(end - length, middle + reach), step)
        for middle, length, end, step in zip(at, area, size, (gap, gap / 2), strict=True)
    )
    corners = np.array(np.meshgrid(x, y)).reshape(2, -1).T
    boxes = np.hstack([corners, corners + area])
    distance = np.hypot(*(_nearest(at, boxes) - at).T).round(3)
    return boxes[np.argsort(distance, kind="stable")]


def _nearest(at: Spots, boxes: Boxes) -> Spots:
    return np.clip(at, boxes[..., :2], boxes[..., 2:])


def _leaders(at: Spots, boxes: Boxes, radius: float) -> Segments:
    """Lines from the corners of a marker's own box to labels."""
    ends = _nearest(at, boxes)
    away = ends - at
    share = (1.42 * radius + 0.8) / np.maximum(1.0, np.hypot(*away.T))
    return at + away * np.minimum(1.0, share)[:, None], ends


def _crossing(lines: Segments, boxes: Boxes) -> NDArray[np.bool_]:
    """Which straight lines, by row, cross which boxes."""
    starts, ends = lines
    along = ends - starts
    along = np.where(np.abs(along) < 1e-6, 1e-6, along)[:, None]
    to_lower = (boxes[None, :, :2] - starts[:, None]) / along
    to_upper = (boxes[None, :, 2:] - starts[:, None]) / along
    first = np.minimum(to_lower, to_upper).max(-1)
    last = np.maximum(to_lower, to_upper).min(-1)
    return np.asarray((last >= np.maximum(first, 0)) & (first <= 1))


def _overlap(boxes: Boxes, taken: Boxes) -> NDArray[np.bool_]:
    """Which boxes, by row, have any place in common with which of those taken."""
    free, solid = boxes[:, None], taken[None]
    apart = (free[..., :2] >= solid[..., 2:]) | (free[..., 2:] <= solid[..., :2])
    return np.asarray(~apart.any(-1))


# --- what is on the axes --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _OnAxes:
    """What labels may not hide: `markers`, `ends` of bars and rings, `lines` with bars. Leaders may
    cross lines and ends."""

    size: tuple[float, float]
    markers: Boxes
    ends: Boxes
    lines: Segments

    @classmethod
    def of(cls, ax: Axes) -> _OnAxes:
        every = [artist for artist in ax.collections if isinstance(artist, PathCollection)]
        markers = [_extents(ax, artist) for artist in every if canvas.count_texts(artist)]
        others = [_extents(ax, artist) for artist in every if not canvas.count_texts(artist)]
        none = np.empty((0, 4))
        return cls(
            canvas.size(ax), np.vstack([none, *markers]), np.vstack([none, *others]), _lines(ax)
        )

    def radius(self, at: Spots) -> float:
        """Half the width of the marker at a spot."""
        apart = np.abs((self.markers[:, :2] + self.markers[:, 2:]) / 2 - at).sum(1)
        mine = self.markers[apart.argmin()]
        return float(mine[2] - mine[0]) / 2

    def free(self, boxes: Boxes, solid: Boxes) -> NDArray[np.bool_]:
        """Which boxes lie within the axes, and on nothing; `solid` is what else is taken."""
        inner = np.array(self.size) - _MARGIN
        free = np.logical_and((boxes[:, :2] >= _MARGIN).all(1), (boxes[:, 2:] <= inner).all(1))
        whole = np.append(boxes[:, :2].min(0, initial=np.inf), boxes[:, 2:].max(0, initial=0))
        taken = np.vstack([solid, self.ends])
        taken = taken[_overlap(taken, whole[None])[:, 0]]
        free[free] = ~_overlap(boxes[free], taken).any(1)
        starts, ends = self.lines
        near = _overlap(
            np.hstack([np.minimum(starts, ends), np.maximum(starts, ends)]) + _WIDER, whole[None]
        )[:, 0]
        free[free] = ~_crossing((starts[near], ends[near]), boxes[free] + _WIDER).any(0)
        return free


def _place(ax: Axes, data: NDArray[np.float64]) -> Spots:
    return np.asarray((ax.transData - ax.transAxes).transform(data)) * canvas.size(ax)


def _extents(ax: Axes, markers: PathCollection) -> Boxes:
    centres = _place(ax, np.asarray(markers.get_offsets(), np.float64))
    reach = (np.sqrt(markers.get_sizes()) / 2 + 0.5)[:, None]
    return np.hstack([centres - reach, centres + reach])


def _lines(ax: Axes) -> Segments:
    lines = [np.asarray(line.get_xydata(), np.float64) for line in ax.get_lines()]
    lines += [
        np.asarray(bar, np.float64)
        for bars in ax.collections
        if isinstance(bars, LineCollection)
        for bar in bars.get_segments()
    ]
    placed = [_place(ax, line) for line in lines if len(line)] or [np.empty((0, 2))]
    return np.vstack([line[:-1] for line in placed]), np.vstack([line[1:] for line in placed])


def _along(start: Spots, end: Spots) -> Boxes:
    """Small boxes along a leader, which other labels and leaders keep clear of."""
    steps = int(np.abs(end - start).max() / _STEP) + 1
    spots = start + (end - start) * np.arange(steps + 1)[:, None] / steps
    return np.hstack([spots - 0.5, spots + 0.5])
