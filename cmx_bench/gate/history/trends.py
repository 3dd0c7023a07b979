"""The figures of past runs: every model relative to its first run, and the changes over time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pandas import DataFrame

from cmx_bench.gate.history import FEWEST_RUNS, History, Series
from cmx_bench.present import drawing
from cmx_bench.present.drawing import Drawing, Plot, short_label
from cmx_bench.results.grouping import group
from cmx_bench.units import tally

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_NAMED = 3  # in the text of a mark
_MOST_TICKS = 6
MOST_MARKED = 60  # runs; of more each would hide the next, and take 170 bytes in every line
_LINE = 1.2  # from one line of small text to the next, in its size


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line at `x` with a text: a solid line for a `change`, else a dotted one."""

    x: float
    text: str
    change: bool


def drawings(history: History) -> list[Drawing]:
    """The figures of `plots` as SVG and PNG."""
    return list(drawing.draw(plots(history), ["png"]))


def plots(history: History) -> list[Plot]:
    """A figure for each suite, machine, setting and metric: each model relative to its first run.

    Series of one run, and those with values that are not above zero, have no line; nor has an exact
    metric that never changed.
    """
    drawn = (each for each in history.series if len(each.points) > 1 and each.positive)
    groups = group(drawn, lambda each: (each.suite, each.machine, each.setting, each.metric.name))
    return [
        _plot(lines, dict(_where(lines[0], history)), history)
        for lines in groups.values()
        if not lines[0].metric.exact or any(series.changes for series in lines)
    ]


def _where(series: Series, history: History) -> Iterator[tuple[str, str]]:
    """The suite and the machine, where there are several, by what the names of files have for them:
    "suite-2"."""
    for kind, name, several in (
        ("suite", series.suite, history.suites),
        ("machine", series.machine, history.machines),
    ):
        if name in several and len(several) > 1:
            yield f"{kind}-{several.index(name) + 1}", name


def _plot(lines: Sequence[Series], where: Mapping[str, str], history: History) -> Plot:
    metric, setting = lines[0].metric, lines[0].setting
    runs = {point.run.folder: point.run for series in lines for point in series.points}
    in_order = sorted(runs.values(), key=lambda run: run.created)
    places = {run.folder: place for place, run in enumerate(in_order)}
    points = DataFrame([spot for series in lines for spot in _spots(series, places, lines)])
    ticks = _ticks([run.created for run in in_order])
    marks = tuple(_marks(lines, places))
    what = f"{metric.title} relative to each model's first run (%)"
    title = " · ".join((f"{metric.title} over time", setting, *where.values()))
    return Plot(
        "-".join(("history", metric.name.replace("_", "-"), setting, *where)), title,
        _caption(lines, len(in_order)), _alt(what, lines, marks),
        points.assign(tick=[ticks[place] for place in points["x"]]),
        partial(_paint, marks=marks, ticks=ticks, what=f"{metric.title}, first run = 100"),
        lines=22, families={series.model.family for series in history.series},
    )  # fmt: skip


def _caption(lines: Sequence[Series], runs: int) -> str:
    metric = lines[0].metric
    caption = (
        f"{metric.title} on {lines[0].setting} over {tally(runs, 'run')}; {metric.direction}. "
    )
    if not metric.exact and runs <= MOST_MARKED:
        caption += "Bars are 95 % intervals over the processes of a run. "
    caption += "Solid lines are change points, dotted ones changes of the environment."
    if not any(series.long_enough for series in lines):
        caption += f" No change points were looked for: they need {FEWEST_RUNS} runs."
    return caption


def _label(series: Series, lines: Sequence[Series]) -> str:
    """The model's label; its name where another model has the same label."""
    alike = [other for other in lines if other.model.label == series.model.label]
    return short_label(series.model.label if len(alike) == 1 else series.model.name)


def _spots(
    series: Series, places: Mapping[Path, int], lines: Sequence[Series]
) -> Iterator[dict[str, Any]]:
    label, scale = _label(series, lines), 100 / series.points[0].value
    for point in series.points:
        low, high = (math.nan if edge is None else edge * scale for edge in (point.low, point.high))
        yield {
            "label": label, "family": series.model.family, "x": places[point.run.folder],
            "y": point.value * scale, "low": low, "high": high, "line": label,
        }  # fmt: skip


def _marks(lines: Sequence[Series], places: Mapping[Path, int]) -> Iterator[Mark]:
    """What changed between a run and the one before it: the metrics, the largest changes first, and
    then the environments."""
    every = sorted((change for series in lines for change in series.changes),
                   key=lambda change: -change.size)  # fmt: skip
    in_metrics = [(each.first, f"{_label(each.series, lines)} {each.words}") for each in every]
    in_environments = [(point, text) for series in lines for point in series.points
                       for text in filter(None, point.changed.split("; "))]  # fmt: skip
    for change, told in ((True, in_metrics), (False, in_environments)):
        texts: dict[int, dict[str, None]] = {}
        for point, text in told:
            texts.setdefault(places[point.run.folder], {})[text] = None
        for place, distinct in sorted(texts.items()):
            named = [*distinct]
            if len(named) > _MOST_NAMED:
                named[_MOST_NAMED - 1 :] = [f"and {len(named) - _MOST_NAMED + 1} more"]
            yield Mark(place - 0.5, "\n".join(named), change)


def _ticks(times: Sequence[str]) -> tuple[str, ...]:
    """The days of the runs; month, day and time where two fall on one day."""
    days = tuple(time[:10] for time in times)
    if len(set(days)) == len(days):
        return days
    return tuple(time[5:16].replace("T", " ") for time in times)


def _alt(what: str, lines: Sequence[Series], marks: Sequence[Mark]) -> str:
    named = ", ".join(_label(series, lines) for series in lines[:12])
    changed = "; ".join(mark.text.replace("\n", ", ") for mark in marks if mark.change)
    return f"{what}, of {named}. " + (f"Changes: {changed}." if changed else "No change point.")


# --- drawn ----------------------------------------------------------------------------------------


def _paint(
    points: DataFrame, ax: Axes, *, marks: Sequence[Mark], ticks: Sequence[str], what: str
) -> None:
    """A line for each label, named at its end, over runs that `ticks` name; of many runs each line
    has only its last point."""
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
    rows = [*_rows(ax, marks, len(ticks))]
    for mark, row in rows:
        _draw_mark(ax, mark, row, len(ticks))
    _leave_room(ax, points, rows)
    name_lines(ax, ends)


def _rows(ax: Axes, marks: Sequence[Mark], ticks: int) -> Iterator[tuple[Mark, int]]:
    """Each mark with the line of text that it begins at, so that neighbours do not overlap."""
    from cmx_bench.present.drawing import canvas
    from cmx_bench.present.drawing.placement import font_size

    scale = canvas.size(ax)[0] / ticks
    taken: list[tuple[bool, float, int, float, int]] = []
    for mark in marks:
        lines = mark.text.split("\n")
        wide = max(canvas.text_width(line, font_size()) for line in lines)
        left = mark.x * scale - (wide if mark.x > ticks / 2 else 0)
        row = 0
        while any(
            mark.change is change and left < right and other < left + wide
            and row < end and start < row + len(lines)
            for change, other, start, right, end in taken
        ):  # fmt: skip
            row += 1
        taken.append((mark.change, left, row, left + wide, row + len(lines)))
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
