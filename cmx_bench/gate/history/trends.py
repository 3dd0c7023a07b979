"""The figures of past runs: every model relative to its first run, and the changes over time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pandas import DataFrame

from cmx_bench.gate.history import FEWEST_RUNS, History, Series, timeline
from cmx_bench.gate.history.changes import changes
from cmx_bench.gate.history.timeline import Mark
from cmx_bench.present import drawing
from cmx_bench.present.drawing import Drawing, Plot, short_label
from cmx_bench.units import tally

_MOST_NAMED = 3  # in the text of a mark


def drawings(history: History) -> list[Drawing]:
    """The figures of `plots` as SVG and PNG."""
    return list(drawing.draw(plots(history), ["png"]))


def plots(history: History) -> list[Plot]:
    """A figure for each suite, machine, setting and metric: each model relative to its first run.

    Series of one run, and those with values that are not above zero, have no line; nor has an exact
    metric that never changed.
    """
    groups: dict[tuple[str, ...], list[Series]] = {}
    for series in history.series:
        if len(series.points) > 1 and series.positive:
            key = (series.suite, series.machine, series.setting, series.metric.name)
            groups.setdefault(key, []).append(series)
    return [
        _plot(lines, dict(_where(lines[0], history)), history)
        for lines in groups.values()
        if not lines[0].metric.exact or any(map(changes, lines))
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
    marks = (*_change_marks(lines, places), *_environment_marks(lines, places))
    what = f"{metric.title} relative to each model's first run (%)"
    title = " · ".join((f"{metric.title} over time", setting, *where.values()))
    return Plot(
        "-".join(("history", metric.name.replace("_", "-"), setting, *where)), title,
        _caption(lines, len(in_order)), _alt(what, lines, marks),
        points.assign(tick=[ticks[place] for place in points["x"]]),
        partial(timeline.paint, marks=marks, ticks=ticks, what=f"{metric.title}, first run = 100"),
        lines=22, families={series.model.family for series in history.series},
    )  # fmt: skip


def _caption(lines: Sequence[Series], runs: int) -> str:
    metric = lines[0].metric
    caption = (
        f"{metric.title} on {lines[0].setting} over {tally(runs, 'run')}; {metric.direction}. "
    )
    if not metric.exact and runs <= timeline.MOST_MARKED:
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


def _change_marks(lines: Sequence[Series], places: Mapping[Path, int]) -> Iterator[Mark]:
    """The largest changes first."""
    texts: dict[int, list[str]] = {}
    every = [change for series in lines for change in changes(series)]
    for change in sorted(every, key=lambda change: -change.size):
        text = f"{_label(change.series, lines)} {change.words}"
        texts.setdefault(places[change.first.run.folder], []).append(text)
    yield from _marks(texts, change=True)


def _environment_marks(lines: Sequence[Series], places: Mapping[Path, int]) -> Iterator[Mark]:
    texts: dict[int, list[str]] = {}
    for series in lines:
        for point in series.points:
            for text in filter(None, point.changed.split("; ")):
                texts.setdefault(places[point.run.folder], []).append(text)
    yield from _marks(texts, change=False)


def _marks(texts: dict[int, list[str]], change: bool) -> Iterator[Mark]:
    """Between a run and the one before it."""
    for place, lines in sorted(texts.items()):
        distinct = list(dict.fromkeys(lines))
        if len(distinct) > _MOST_NAMED:
            distinct[_MOST_NAMED - 1 :] = [f"and {len(distinct) - _MOST_NAMED + 1} more"]
        yield Mark(place - 0.5, "\n".join(distinct), change)


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
