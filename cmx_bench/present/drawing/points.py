"""Points of models by seaborn: markers by family, bars, lines, rings, texts for the pointer.

Points are a DataFrame with a row each: `label`, `family`, `x` and `y`. Where they have these too,
`low` and `high` are the ends of an interval of y, `left` and `right` of x; points with the same
`line` are joined; `published` ones are hollow, `disturbed` ones faded and marked; a `ring` stands
around those that the caption speaks of; a `kind` of work colours a point instead of its family;
`tick` says x in words, `name` what a point is where its label does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import matplotlib
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from pandas import DataFrame, Series

from cmx_bench import units
from cmx_bench.present.drawing import canvas
from cmx_bench.present.drawing.theme import INK, KIND_COLOURS, PAGE, styles_of

_STAR = 1.7  # a star of the same width has far less to see
_DASHES = {"-": "", "--": (4, 1.6), ":": (1, 1.6)}


def draw_points(ax: Axes, points: DataFrame, interval: str = "95 % interval") -> None:
    """Draws points; the labels of the axes are set already, for texts name what they show.

    Args:
        interval: what the bars are, for a reader who points at a marker.
    """
    draw_lines(ax, points)
    _draw_bars(ax, points)
    styles, marker = styles_of(points["family"]), matplotlib.rcParams["lines.markersize"]
    colour, palette = _colours(points)
    sns.scatterplot(
        points, x="x", y="y", hue=colour, palette=palette, style="family", size="family",
        markers={family: style.marker for family, style in styles.items()},
        sizes={family: (marker * marker_scale(style.marker)) ** 2
               for family, style in styles.items()},
        linewidth=line_width(), zorder=3, legend=False, ax=ax,
    )  # fmt: skip
    hollow(ax.collections[-1], points.get("published", False))
    _fade(ax.collections[-1], points.get("disturbed", False))
    canvas.set_texts(ax.collections[-1], _texts(ax, points, interval))
    if "ring" in points:
        ringed = points[points["ring"]]
        ax.scatter(ringed["x"], ringed["y"], (2 * marker) ** 2, "none", marker="o",
                   edgecolors=INK, linewidths=line_width(), zorder=4)  # fmt: skip


def hollow(markers: Any, which: Series[bool] | bool) -> None:
    """Gives all markers an edge of their colour, and leaves only the edge of some."""
    colours = markers.get_facecolor()
    markers.set_edgecolor(colours)
    markers.set_facecolor(np.where(np.c_[which], matplotlib.colors.to_rgba(PAGE), colours))


FADED = 0.35  # the opacity of disturbed points


def _fade(markers: Any, which: Series[bool] | bool) -> None:
    """Lets what is below some markers shine through them."""
    for colours, paint in (
        (markers.get_edgecolor(), markers.set_edgecolor),
        (markers.get_facecolor(), markers.set_facecolor),
    ):
        paint(np.c_[colours[:, :3], np.where(np.c_[which], FADED, colours[:, 3:])])


def line_width() -> float:
    """The width of lines of the style, in points."""
    return float(matplotlib.rcParams["lines.linewidth"])


def marker_scale(marker: str) -> float:
    """By how much a marker is larger than others."""
    return _STAR if marker == "*" else 1.0


def _colours(points: DataFrame) -> tuple[str, dict[str, str]]:
    if "kind" in points:
        return "kind", dict(KIND_COLOURS)
    styles = styles_of(points["family"])
    return "family", {family: style.colour for family, style in styles.items()}


def draw_lines(ax: Axes, points: DataFrame, along: Literal["x", "y"] = "x") -> None:
    """Joins points with the same `line`, in the order of x or y; nothing where they have none."""
    if "line" not in points:
        return
    styles = styles_of(points["family"])
    published = points.get("published", False)
    joined = points.assign(line=points["line"] + np.where(published, " published", ""))
    colour, palette = _colours(points)
    sns.lineplot(
        joined, x="x", y="y", hue=colour, palette=palette, style="family", size="family",
        dashes={family: _DASHES[style.line] for family, style in styles.items()},
        sizes={family: style.width * line_width() for family, style in styles.items()},
        units="line", estimator=None, errorbar=None, orient=along, zorder=2.5, legend=False, ax=ax,
    )  # fmt: skip


def _draw_bars(ax: Axes, points: DataFrame) -> None:
    """Bars with caps, upright from `low` to `high` and flat from `left` to `right`."""
    area, wide = 0.7 * matplotlib.rcParams["lines.markersize"] ** 2, line_width()
    for ends, cap in ((("low", "high"), "_"), (("left", "right"), "|")):
        if not {*ends} <= {*points}:
            continue
        known = points.dropna(subset=list(ends))
        name, palette = _colours(known)
        colours, upright = [palette[key] for key in known[name]], cap == "_"
        draw, at = (ax.vlines, known["x"]) if upright else (ax.hlines, known["y"])
        draw(at, known[ends[0]], known[ends[1]], colours, lw=wide, zorder=2)
        for end in ends:
            spot = (at, known[end]) if upright else (known[end], at)
            ax.scatter(*spot, area, colours, marker=cap, linewidths=wide, zorder=2)


def _texts(ax: Axes, points: DataFrame, interval: str) -> Iterator[str]:
    """`ResNet-50 (published): Parameters (millions) 25.6, ImageNet top-1 (%) 76.32`."""
    for point in points.to_dict("records"):
        name = point.get("name") or point["label"] or point["line"]
        published = " (published)" if point.get("published") else ""
        published += " (disturbed)" if point.get("disturbed") else ""
        x = point.get("tick") or _value(ax.get_xlabel(), point["x"])
        text = f"{name}{published}: {x}, {_value(ax.get_ylabel(), point['y'])}"
        low, high = point.get("low", np.nan), point.get("high", np.nan)
        if not np.isnan([low, high]).any():
            text += f" ({interval} {units.significant(low, 4)} to {units.significant(high, 4)})"
        yield text


def _value(label: str, value: float) -> str:
    return f"{label} {units.significant(value, 4)}"


def draw_curve(ax: Axes, label: str, spots: Sequence[tuple[float, float]]) -> None:
    """A dashed line that no model's points make: a front, a roof."""
    x, y = zip(*spots, strict=True)
    sns.lineplot(
        x=x, y=y, sort=False, estimator=None, errorbar=None, color=INK, linewidth=line_width(),
        linestyle=(0, (4, 2)), zorder=1, label=label, legend=False, ax=ax,
    )  # fmt: skip
