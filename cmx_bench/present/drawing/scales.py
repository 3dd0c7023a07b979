"""Axes around points: limits, round ticks of a logarithmic axis, a legend above."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator
from matplotlib.transforms import ScaledTranslation
from pandas import DataFrame

from cmx_bench.measures.workload import KINDS
from cmx_bench.present.content import DISTURBED
from cmx_bench.present.drawing import Scale, canvas
from cmx_bench.present.drawing.points import FADED, line_width, marker_scale
from cmx_bench.present.drawing.theme import INK, KIND_COLOURS, PAGE, Style, styles_of

_EDGES = {"x": ("x", "left", "right"), "y": ("y", "low", "high")}
# Throughputs seldom span the decades that powers of ten need.
_STEPS = ((1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 1.2, 1.4, 1.6, 1.8, *range(2, 10)))
_FEWER = ((1.0, 3.0), (1.0,))  # where the labels of these run into each other
_FEWEST_TICKS = 3
_GAP = 0.3  # between labels of ticks, in multiples of the font's size


def extent(points: DataFrame, axis: Literal["x", "y"]) -> tuple[float, float]:
    """From where to where points and their bars reach along an axis."""
    edges = points[[column for column in _EDGES[axis] if column in points]].to_numpy("float64")
    return float(np.nanmin(edges)), float(np.nanmax(edges))


def set_scale(
    ax: Axes, axis: Literal["x", "y"], scale: Scale, points: DataFrame,
    others: Iterable[float] = (), ticks: Sequence[float] = (),
) -> None:  # fmt: skip
    """Sets the limits of an axis, and its ticks where it is logarithmic. All is drawn before:
    seaborn takes logarithms of what it draws on such an axis, and their last digits differ from
    machine to machine.

    Args:
        others: values that are to be seen too.
    """
    if scale == "log":  # a bar may reach to zero and below: it has no end there
        ends = [name for name in _EDGES[axis][1:] if name in points]
        points = points.assign(**{name: points[name].where(points[name] > 0) for name in ends})
    least, most = extent(points, axis)
    least, most = min(least, *others, most), max(most, *others, least)
    if scale == "log":
        _set_logarithmic(ax, axis, least / 1.5, most * 1.5, ticks)
        return
    if scale == "close":
        room = 0.06 * (most - least) or 0.01 * most or 1
        low, high = least - room, most + room
    else:
        low, high = scale or (0, 1.14 * most if most > 0 else 1)
        room = 0.05 * (high - low)
        low, high = low if least >= low else least - room, high if most <= high else most + room
    ax.set(**{f"{axis}lim": (low, high)})


def _set_logarithmic(
    ax: Axes, axis: Literal["x", "y"], low: float, high: float, ticks: Sequence[float]
) -> None:
    ax.set(**{f"{axis}lim": (low, high), f"{axis}scale": "log"})
    scale = ax.xaxis if axis == "x" else ax.yaxis
    steps = next(
        (steps for steps in _STEPS if len(_ticks(low, high, steps)) >= _FEWEST_TICKS), _STEPS[0]
    )
    if axis == "x":
        steps = next((each for each in (steps, *_FEWER) if _have_room(ax, low, high, each)), steps)
    scale.set_major_locator(FixedLocator(ticks) if len(ticks) else LogLocator(subs=steps))
    scale.set_major_formatter(FuncFormatter(lambda value, _: _label(value)))
    scale.set_minor_locator(NullLocator())


def _label(value: float) -> str:
    return f"{value:,.10g}"


def _ticks(low: float, high: float, steps: Sequence[float]) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = (step * 10.0**decade for decade in decades for step in steps)
    return [tick for tick in ticks if low <= tick <= high]


def _have_room(ax: Axes, low: float, high: float, steps: Sequence[float]) -> bool:
    """Whether the labels of such ticks stand apart along a logarithmic x; of one nobody reads a
    scale."""
    decade, ticks = canvas.size(ax)[0] / math.log10(high / low), _ticks(low, high, steps)
    widths = [canvas.text_width(_label(tick), canvas.em()) for tick in ticks]
    gaps = [
        decade * math.log10(right / left) - (of_left + of_right) / 2
        for (left, of_left), (right, of_right) in pairwise(zip(ticks, widths, strict=True))
    ]
    return min(gaps, default=0.0) > _GAP * canvas.em()


# --- legend ---------------------------------------------------------------------------------------


def legend(ax: Axes, points: DataFrame) -> None:
    """Above the plot, for within it it would hide points: families, then what else has a label.
    Kinds of work have a line of their own."""
    canvas.fit(ax)
    styles = styles_of(points["family"])
    handles = [_family(points[points["family"] == name], style) for name, style in styles.items()]
    handles += [line for line in ax.get_lines() if not str(line.get_label()).startswith("_")]
    if "disturbed" in points and points["disturbed"].any():
        handles.append(Line2D([], [], label=f"{DISTURBED} disturbed", color=INK, marker="o",
                              markeredgecolor=INK, alpha=FADED, linestyle="none"))  # fmt: skip
    lines = _row(ax, handles)
    if "kind" in points:
        legend_of_kinds(ax, set(points["kind"]), above=lines)


def _row(ax: Axes, handles: Sequence[Line2D], above: int = 0) -> int:
    """A legend so many lines `above` the axes; gives the number of its own lines."""
    if (before := ax.get_legend()) is not None:
        ax.add_artist(before)
    room = canvas.size(ax)[0]
    columns = next(
        (number for number in range(len(handles), 1, -1) if _width(handles, number) <= room), 1
    )
    lines = [handles[start : start + columns] for start in range(0, len(handles), columns)]
    out = max(0.0, _width(handles, columns) - room)  # it may begin left of the axes
    shift = ScaledTranslation(-out / 72, above * 1.8 * _font() / 72, ax.figure.dpi_scale_trans)
    ax.legend(
        # matplotlib fills one column after the other.
        handles=[line[place] for place in range(columns) for line in lines if place < len(line)],
        loc="lower left", bbox_to_anchor=(0, 1), bbox_transform=ax.transAxes + shift,
        ncols=columns, handletextpad=_PAD, columnspacing=_SPACE, handlelength=_HANDLE,
        borderaxespad=0.2, borderpad=0.4, labelspacing=0.5,
    )  # fmt: skip
    canvas.reserve(ax, above=(above + len(lines)) * 1.8 * _font())
    return len(lines)


_PAD, _SPACE, _HANDLE = 0.4, 1.2, 2.0  # in the size of the legend's font


def _font() -> float:
    """The size of the legend's font in points, for which matplotlib has words too."""
    return float(FontProperties(size=matplotlib.rcParams["legend.fontsize"]).get_size_in_points())


def _width(handles: Sequence[Line2D], columns: int) -> float:
    widths = [canvas.text_width(str(handle.get_label()), _font()) for handle in handles]
    wide = [max(widths[start::columns]) for start in range(columns)]
    return sum(wide) + columns * _font() * (_PAD + _HANDLE + _SPACE)


def _family(points: DataFrame, style: Style) -> Line2D:
    """The marker as it stands in the plot, hollow where all are published; in ink where kinds of
    work are coloured."""
    colour = INK if "kind" in points else style.colour
    hollow = "published" in points and points["published"].all()
    return Line2D(
        [], [], label=style.label, color=colour, marker=style.marker,
        markersize=matplotlib.rcParams["lines.markersize"] * marker_scale(style.marker),
        markeredgewidth=line_width(), markeredgecolor=colour,
        markerfacecolor=PAGE if hollow else colour,
        linestyle=style.line if "line" in points else "none", linewidth=style.width * line_width(),
    )  # fmt: skip


def legend_of_kinds(ax: Axes, kinds: Collection[str], marker: str = "o", above: int = 0) -> None:
    """The colours of kinds of work, above the axes and so many lines `above` them."""
    canvas.fit(ax)
    handles = [
        Line2D([], [], label=title, color=KIND_COLOURS[kind], marker=marker, linestyle="none")
        for kind, title in KINDS.items()
        if kind in kinds
    ]
    _row(ax, handles, above)
