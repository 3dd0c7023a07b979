"""Finds a place for each label, where it crosses no line, no bar, no marker and no other label."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean
from typing import Any, TypeAlias

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from numpy.typing import NDArray
from pandas import DataFrame

from cmx_bench.present.drawing import canvas
from cmx_bench.present.drawing.points import marker_scale
from cmx_bench.present.drawing.theme import INK, LABEL, LEADER, PAGE, styles_of
from cmx_bench.units import first_few

# Places are in pixels of the figure: a spot has x and y, a box its left, lower, right and upper
# edge. A mask says which pixels are taken; its first row is the lowest.
Spot: TypeAlias = NDArray[np.float64]
Box: TypeAlias = NDArray[np.float64]
Boxes: TypeAlias = NDArray[np.float64]  # a row for each
Mask: TypeAlias = NDArray[np.bool_]

_MOST = 40  # among more points a label no longer finds its point
_FEW, _TRIES = 20, 12  # more are tried once, for each try takes a while
_NAMED = 3
_GAP, _REACH = 0.45, 15.0  # from a marker to its label, and at most, in the size of labels
_MARGIN = 1.0  # points around a label

# On which side of its marker a label stands, the best first: right, centred or left, and above, in
# the middle or below.
_SIDES = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)])


@dataclass(frozen=True, slots=True)
class _Label:
    """A text of an `area`, beside a point `at` a spot, which is `data` on the axes; what is further
    away than the `gap` has a leader."""

    text: str
    data: tuple[float, float]
    at: Spot
    area: Spot
    gap: float

    def nearest(self, box: Box) -> Spot:
        """Where a leader from a box begins."""
        return np.clip(self.at, box[:2], box[2:])

    def is_far(self, box: Box) -> bool:
        return math.dist(self.nearest(box), self.at) > 1.01 * self.gap


def label_points(ax: Axes, points: DataFrame) -> None:
    """Each label of `points` beside its marker, or as near as it hides nothing that is on the axes,
    whose limits are set; labels without such a place are named below the axes.

    From right to left, for on the right there is least choice. Labels that find no place come first
    in another try.
    """
    canvas.fit(ax)
    shown = points[:_MOST].sort_values("x", ascending=False, kind="stable")
    labels, taken = list(_labels(ax, shown)), _taken(ax)
    order, best, random = list(range(len(labels))), dict[int, Box](), Random(0)
    for number in range(_TRIES if len(labels) <= _FEW else 1):
        places = _places(ax, labels, order, *map(np.copy, taken))
        best = max(best, places, key=len)
        if len(best) == len(labels):
            break
        if number % 2:
            random.shuffle(order)
        order.sort(key=places.__contains__)
    for number, box in best.items():
        _write(ax, labels[number], box)
    without = [label.text for number, label in enumerate(labels) if number not in best]
    if without := [*without, *points["label"][_MOST:]]:
        _name_below(ax, without)


def _labels(ax: Axes, points: DataFrame) -> Iterator[_Label]:
    size, styles = matplotlib.rcParams["lines.markersize"], styles_of(points["family"])
    columns = (points[name] for name in ("label", "family", "x", "y"))
    for text, family, x, y in zip(*columns, strict=True):
        area = _pixels(ax) * np.array([canvas.text_width(text, font_size()), _height()])
        radius = marker_scale(styles[family].marker) * size / 2 + 0.5
        gap = _pixels(ax) * (radius + _GAP * font_size())
        yield _Label(text, (x, y), ax.transData.transform((x, y)), area, gap)


def _places(
    ax: Axes, labels: Sequence[_Label], order: Iterable[int], markers: Mask, everything: Mask
) -> dict[int, Box]:
    """The place of each label that has one, by its number; earlier ones of `order` choose first. No
    leader crosses a marker, a label or another leader."""
    places = {}
    for number in order:
        label = labels[number]
        boxes = _boxes(ax, label)
        for box in boxes[_are_free(boxes, everything, _MARGIN * _pixels(ax))]:
            leader = _leader(label, box)
            if not markers[leader].any():
                places[number] = box
                left, low, right, high = _pixels_of(box)
                for mask in (markers, everything):
                    mask[low:high, left:right] = mask[leader] = True
                break
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
    corner = ax.get_window_extent().p0
    spots = (ax.transData.transform(ends[["x", "y"]]) - corner) / _pixels(ax)
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


def _height() -> float:
    return 1.15 * font_size()


def _write(ax: Axes, label: _Label, box: Box) -> None:
    """A label beside its point; with a leader where it is far from it."""
    nearest, middle = label.nearest(box), (box[:2] + box[2:]) / 2
    side = int(np.sign(nearest[0] - label.at[0]))
    anchor = np.array([{1: box[0], 0: middle[0], -1: box[2]}[side], middle[1]])
    leader = {
        "arrowstyle": "-",
        "color": LEADER,
        "linewidth": 0.5 * matplotlib.rcParams["lines.linewidth"],
        "patchA": None,  # it begins at the edge of the label: clipping it there takes a while
        "shrinkA": 0,
        "shrinkB": 0.6 * matplotlib.rcParams["lines.markersize"],
        "relpos": tuple(((nearest - box[:2]) / label.area).tolist()),
    }
    x, y = (anchor - label.at) / _pixels(ax)
    ax.annotate(
        label.text, label.data, (x, y), textcoords="offset points",
        ha={1: "left", 0: "center", -1: "right"}[side], va="center", fontsize=font_size(),
        color=INK, zorder=5, arrowprops=leader if label.is_far(box) else None,
    )  # fmt: skip


def _name_below(ax: Axes, labels: Sequence[str]) -> None:
    left, below, *_ = canvas.around(ax)
    edge, bottom = (end / _pixels(ax) for end in (ax.bbox.x1, ax.bbox.y0))
    is_ours = isinstance(ax.figure, canvas.Sheet)  # a user's figure keeps its margins
    room = canvas.size(ax)[0] + left if is_ours else edge
    what = "label" if len(labels) == 1 else "labels"
    note = f"No room for the {what} of {first_few(labels, _NAMED)}"
    letters = len(note) * room / canvas.text_width(note, font_size())
    lines = textwrap.wrap(note, int(0.9 * letters))
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


def _pixels(ax: Axes) -> float:
    """Of a point."""
    return float(ax.figure.dpi) / 72


def _size(ax: Axes) -> tuple[int, int]:
    """Of the figure."""
    wide, high = ax.figure.canvas.get_width_height(physical=True)
    return wide, high


def _boxes(ax: Axes, label: _Label) -> Boxes:
    """Places of a label within the axes, the best first: right beside its marker, then on a grid
    around it, the nearest first."""
    axes = ax.get_window_extent().padded(-2 * _MARGIN * _pixels(ax))
    lower, upper = np.maximum(axes.p0, 0), np.minimum(axes.p1, _size(ax)) - label.area
    diagonal = np.where(np.abs(_SIDES).all(1), 0.7, 1.0)[:, None]
    near = label.at + _SIDES * diagonal * label.gap - label.area * (1 - _SIDES) / 2
    size = font_size() * _pixels(ax)
    first = np.maximum(lower, label.at - label.area - _REACH * size)
    last = np.minimum(upper, label.at + _REACH * size)
    sides = (np.arange(*ends) for ends in zip(first, last, (size, size / 2), strict=True))
    grid = np.array(np.meshgrid(*sides)).reshape(2, -1).T
    away = np.hypot(*(np.clip(label.at, grid, grid + label.area) - label.at).T).round(3)
    inside = ((near >= lower) & (near <= upper)).all(1)
    corners = np.vstack([near[inside], grid[np.argsort(away, kind="stable")]])
    return np.hstack([corners, corners + label.area])


def _are_free(boxes: Boxes, taken: Mask, margin: float) -> NDArray[np.bool_]:
    """Which boxes cover no pixel that is taken, by sums over all that is left of and below each."""
    wider = _pixels_of(boxes + margin * np.array([-1, -1, 1, 1]))
    left, low = wider[:, :2].min(0, initial=taken.size)
    right, high = wider[:, 2:].max(0, initial=0)
    sums = np.pad(taken[low:high, left:right].cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    x0, y0, x1, y1 = (wider - [left, low, left, low]).T
    return np.asarray(sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0] == 0)


def _pixels_of(boxes: Boxes) -> NDArray[np.int_]:
    """The edges of boxes, of the whole pixels that they cover."""
    return np.concatenate([np.floor(boxes[..., :2]), np.ceil(boxes[..., 2:])], -1).astype(int)


def _leader(label: _Label, box: Box) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """The rows and columns that the leader to a box covers, two pixels wide so that no other slips
    through; none where the label needs no leader."""
    end = label.nearest(box)
    length = math.dist(end, label.at)
    start = label.at + (end - label.at) * min(1.0, label.gap / max(1.0, length))
    x, y = np.linspace(start, end, int(length) if label.is_far(box) else 0).astype(int).T
    return np.hstack([y, y]), np.hstack([x, x + 1])


def _taken(ax: Axes) -> tuple[Mask, Mask]:
    """The pixels of markers that have texts, which leaders keep clear of, and those of everything
    that is on the axes."""
    markers = [artist for artist in ax.collections if canvas.count_texts(artist)]
    return _ink(ax, markers), _ink(ax, [*ax.collections, *ax.lines])


def _ink(ax: Axes, artists: Iterable[Artist]) -> Mask:
    """The pixels of the figure that artists colour."""
    agg: Any = RendererAgg  # matplotlib tells no types of it
    renderer = agg(*_size(ax), ax.figure.dpi)
    for artist in artists:
        artist.draw(renderer)
    return np.asarray(np.asarray(renderer.buffer_rgba())[::-1, :, 3] > 0)
