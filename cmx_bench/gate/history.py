"""Past runs of a suite on one device: how each metric went, and where it changed for good."""

from __future__ import annotations

import importlib.util
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from pandas import DataFrame

from cmx_bench import units
from cmx_bench.cell import Model
from cmx_bench.errors import RecordsError
from cmx_bench.gate import timeline
from cmx_bench.gate.outputs.sentences import one_line, worded
from cmx_bench.gate.timeline import Mark
from cmx_bench.metrics import METRICS, Metric
from cmx_bench.present import drawing
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.present.drawing import Drawing, Plot, short_label
from cmx_bench.results import environment, records
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Environment, Run
from cmx_bench.results.summary import Result
from cmx_bench.units import counted

FEWEST_RUNS = 6
_RUPTURES = importlib.util.find_spec("ruptures") is not None  # has no release for Python 3.14 yet
# Differences of a fifth of a percent are no news, however quiet the runs before them were.
_FINEST = 0.002


@dataclass(frozen=True, slots=True)
class Point:
    """What one run gave: value and 95 % interval in base units, and what it was taken with.

    `changed` says in what its environment differs from that of the point before, if in anything
    that timings depend on: "torch 2.14 → 2.15".
    """

    created: str
    value: float
    low: float | None
    high: float | None
    commit: str
    torch: str
    timm: str
    changed: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """One sampled metric of one model in one setting over all runs, the oldest first."""

    model: Model
    setting: str
    metric: Metric
    points: tuple[Point, ...]

    @property
    def long_enough(self) -> bool:
        """Whether change points can be looked for: in the logarithms of six values or more."""
        return len(self.points) >= FEWEST_RUNS and all(point.value > 0 for point in self.points)


@dataclass(frozen=True, slots=True)
class History:
    """The runs of a suite on a device.

    `left_out` names what could not be read, with the reason; `elsewhere` counts the runs of other
    suites and devices.
    """

    suite: str
    device: str
    runs: int
    series: tuple[Series, ...]
    left_out: tuple[str, ...]
    elsewhere: int


def read(folder: Path, like: Run) -> History:
    """The runs of the suite and on the device of `like` that lie one or two folders below `folder`.

    Raises:
        RecordsError: there is no such folder.
    """
    if not folder.is_dir():
        raise RecordsError(f"{folder}: no such folder; give the one that holds past runs")
    found: list[Report] = []
    left_out: list[str] = []
    elsewhere = 0
    for path in sorted((*folder.glob("*/run.json"), *folder.glob("*/*/run.json"))):
        try:
            run = records.read_run(path.parent)
            if _identity(run) == _identity(like):
                found.append(summarise(run, records.read(path.parent)))
            else:
                elsewhere += 1
        except RecordsError as error:
            left_out.append(str(error))
    found.sort(key=lambda report: report.run.created)
    device = str(like.machine.get("device_name", like.device))
    series = tuple(_series(found))
    return History(like.suite, device, len(found), series, tuple(left_out), elsewhere)


def _identity(run: Run) -> tuple[object, ...]:
    return (run.suite, run.machine.get("device_name"), run.machine.get("device_uuid"))


def _series(reports: Iterable[Report]) -> Iterator[Series]:
    """By metric, in the order of `METRICS`, throughput first; then as the runs have them."""
    groups: dict[tuple[str, str, str], list[tuple[Report, Result]]] = {}
    for report in reports:
        for key, result in report.results.items():
            if result.estimate is not None and not result.about.exact:
                groups.setdefault(key, []).append((report, result))
    order = ["throughput", *METRICS]
    for key in sorted(groups, key=lambda key: order.index(key[2])):
        report, last = groups[key][-1]
        model = report.models[last.model]
        yield Series(model, last.setting, last.about, tuple(_points(groups[key])))


def _points(found: Sequence[tuple[Report, Result]]) -> Iterator[Point]:
    before: tuple[Environment, Model] | None = None
    for report, result in found:
        if result.estimate is None:
            continue
        run, estimate = report.run, result.estimate
        digest = report.environments.get(result.setting, "")
        seen = run.environments.get(digest, run.machine)
        commit, torch, timm = (
            str(seen.get(name) or "") for name in ("git_commit", "torch", "timm")
        )
        now = (seen, report.models[result.model])
        changed = "" if before is None else "; ".join(_changes(before, now))
        yield Point(run.created, estimate.value, estimate.low, estimate.high,
                    commit, torch, timm, changed)  # fmt: skip
        before = now


def _changes(before: tuple[Environment, Model], after: tuple[Environment, Model]) -> Iterator[str]:
    for name, (old, new) in environment.differences(before[0], after[0]).items():
        yield one_line(f"{name} {old} → {new}")
    if _description(before[1]) != _description(after[1]):
        yield "another model of this name"


def _description(model: Model) -> tuple[object, ...]:
    return (model.source, model.target, dict(model.args), model.weights, model.num_classes)


# --- change points --------------------------------------------------------------------------------


def change_points(series: Series) -> tuple[int, ...]:
    """Where the metric changed for good: the places of the first point after each change.

    None where `series` is not `long_enough`. PELT (Killick et al. 2012) with a quadratic cost on
    the logarithms, scaled by the spread from run to run, and segments of two runs or more.
    """
    if not series.long_enough:
        return ()
    if not _RUPTURES:
        return ()
    import numpy as np
    from ruptures import Pelt

    logs = [math.log(point.value) for point in series.points]
    signal = np.array(logs) / _spread(logs)
    ends = Pelt(model="l2", min_size=2, jump=1).fit(signal).predict(pen=_penalty(len(logs)))
    return tuple(int(end) for end in ends[:-1])


def _spread(logs: Sequence[float]) -> float:
    """The noise of one run, from successive differences: a step is in one of them only."""
    differences = [abs(after - before) for before, after in pairwise(logs)]
    return max(_FINEST, 1.4826 * statistics.median(differences) / math.sqrt(2))


def _penalty(n: int) -> float:
    """BIC's for a step's place and two levels, and room for a spread that few runs tell badly."""
    return 3 * math.log(n) * (1 + 12 / n)


@dataclass(frozen=True, slots=True)
class Change:
    """A change point: the first run `after` it, and typical values of the runs around it.

    `slowdown` is how much worse it became, as a share; negative is a gain.
    """

    series: Series
    place: int
    before: float
    after: float

    @property
    def slowdown(self) -> float:
        ratio = self.after / self.before
        return (ratio if self.series.metric.better == "lower" else 1 / ratio) - 1


def changes(series: Series) -> tuple[Change, ...]:
    """The change points of a series with the typical values before and after each."""
    places = change_points(series)
    edges = (0, *places, len(series.points))
    values = [point.value for point in series.points]
    means = [statistics.geometric_mean(values[a:b]) for a, b in pairwise(edges) if places]
    return tuple(
        Change(series, place, before, after)
        for place, (before, after) in zip(places, pairwise(means), strict=True)
    )


def table(history: History) -> Table:
    """Every change point, and what a reader must know about the runs."""
    columns = (
        Column("network", "Network"),
        Column("setting", "Setting"),
        Column("metric", "Metric"),
        Column("when", "When", title="The first run after the change"),
        Column("before", "Before", "right", "Geometric mean of the runs since the change before"),
        Column("after", "After", "right", "Geometric mean of the runs up to the next change"),
        Column("change", "Change", "right"),
        Column("commit", "Commit"),
        Column("environment", "Environment", title="What changed in it with this run"),
    )
    rows = tuple(_row(change) for series in history.series for change in changes(series))
    title = (
        f"Change points over {counted(history.runs, 'run')} of {history.suite} on {history.device}"
    )
    remarks = tuple(_remarks(history))
    return Table("change-points", one_line(title), columns, rows, remarks, naming=4)


def lines(whole: Table) -> Iterator[str]:
    """The table of change points for a terminal."""
    yield whole.title
    for row in whole.rows:
        network, setting, metric, when, before, after, change, commit, environment = (
            entry.text for entry in row
        )
        told = f"{before} → {after}, commit {commit}{f'; {environment}' * bool(environment)}"
        yield f"  {network} {metric} ({setting}): {change} since {when} ({told})"
    yield from (whole.remarks if whole.rows else ("  none", *whole.remarks))


def _row(change: Change) -> tuple[Entry, ...]:
    series, point = change.series, change.series.points[change.place]
    unit = series.metric.unit
    return (
        Entry(one_line(series.model.label), one_line(series.model.name)),
        Entry(series.setting),
        Entry(series.metric.title),
        Entry(one_line(point.created.replace("T", " ").replace("+00:00", " UTC"))),
        Entry(units.scaled(change.before, unit, 4), sort=change.before),
        Entry(units.scaled(change.after, unit, 4), sort=change.after),
        Entry(worded(change.slowdown, series.metric), sort=change.slowdown),
        Entry(one_line(point.commit) or "unknown", quiet=not point.commit),
        Entry(point.changed),
    )


def _remarks(history: History) -> Iterator[str]:
    looked = [series for series in history.series if series.long_enough]
    short = len(history.series) - len(looked)
    if not _RUPTURES:
        yield "No change points were looked for: the package ruptures is not installed."
    elif looked:
        yield (
            f"Looked for in {counted(len(looked), 'series', 'series')} by PELT on the logarithms "
            "of the values; a change lasts two runs at least."
        )
    if short:
        yield (
            f"Not looked for in {counted(short, 'series', 'series')}: change points need "
            f"{FEWEST_RUNS} runs of values above zero."
        )
    if not history.series:
        yield "No run has a sampled metric."
    if history.elsewhere:
        others = counted(history.elsewhere, "run")
        verb = "is" if history.elsewhere == 1 else "are"
        yield f"{others} of other suites or devices {verb} not shown."
    for reason in history.left_out:
        yield one_line(f"Left out: {reason}.")


# --- figures --------------------------------------------------------------------------------------

_MOST_NAMED = 3  # in the text of a mark


def drawings(history: History) -> list[Drawing]:
    """A figure for each setting and metric, throughput first: each model relative to its first run.

    Series of one run, and those with values that are not above zero, have no line.
    """
    return list(drawing.draw(plots(history), ["png"]))


def plots(history: History) -> list[Plot]:
    """The figures before they are drawn."""
    groups: dict[tuple[str, str], list[Series]] = {}
    for series in history.series:
        if len(series.points) > 1 and all(point.value > 0 for point in series.points):
            groups.setdefault((series.setting, series.metric.name), []).append(series)
    return [_plot(found) for found in groups.values()]


def _plot(found: Sequence[Series]) -> Plot:
    metric, setting = found[0].metric, found[0].setting
    times = sorted({point.created for series in found for point in series.points})
    places = {time: place for place, time in enumerate(times)}
    what = f"{metric.title} relative to each model's first run (%)"
    points = DataFrame([spot for series in found for spot in _spots(series, places, found)])
    ticks = _ticks(times)
    marks = (*_change_marks(found, places), *_environment_marks(found, places))
    many = counted(len(times), "run")
    caption = (
        f"{metric.title} on {setting} over {many}; {metric.better} is better. "
        "Bars are 95 % intervals over the processes of a run. Solid lines are change points, "
        "dotted ones changes of the environment."
    )
    if not any(series.long_enough for series in found):
        caption += f" No change points were looked for: they need {FEWEST_RUNS} runs."
    return Plot(
        f"history-{metric.name.replace('_', '-')}-{setting}",
        f"{metric.title} over time · {setting}", caption, _alt(what, found, marks),
        points.assign(tick=[ticks[place] for place in points["x"]]),
        partial(timeline.paint, marks=marks, ticks=ticks, what=f"{metric.title}, first run = 100"),
        lines=22,
    )  # fmt: skip


def _label(series: Series, found: Sequence[Series]) -> str:
    """The model's label; its name where another model has the same label."""
    alike = [other for other in found if other.model.label == series.model.label]
    return short_label(series.model.label if len(alike) == 1 else series.model.name)


def _spots(
    series: Series, places: dict[str, int], found: Sequence[Series]
) -> Iterator[dict[str, Any]]:
    label, scale = _label(series, found), 100 / series.points[0].value
    for point in series.points:
        low, high = (math.nan if edge is None else edge * scale for edge in (point.low, point.high))
        yield {
            "label": label, "family": series.model.family, "x": places[point.created],
            "y": point.value * scale, "low": low, "high": high, "line": label,
        }  # fmt: skip


def _change_marks(found: Sequence[Series], places: dict[str, int]) -> Iterator[Mark]:
    """The largest changes first."""
    texts: dict[int, list[str]] = {}
    every = [change for series in found for change in changes(series)]
    for change in sorted(every, key=lambda change: -abs(change.slowdown)):
        series = change.series
        text = f"{_label(series, found)} {worded(change.slowdown, series.metric)}"
        texts.setdefault(places[series.points[change.place].created], []).append(text)
    yield from _marks(texts, change=True)


def _environment_marks(found: Sequence[Series], places: dict[str, int]) -> Iterator[Mark]:
    texts: dict[int, list[str]] = {}
    for series in found:
        for point in series.points:
            for text in filter(None, point.changed.split("; ")):
                texts.setdefault(places[point.created], []).append(text)
    yield from _marks(texts, change=False)


def _marks(texts: dict[int, list[str]], change: bool) -> Iterator[Mark]:
    """Between a run and the one before it."""
    for place, lines in sorted(texts.items()):
        told = list(dict.fromkeys(lines))
        if len(told) > _MOST_NAMED:
            told[_MOST_NAMED - 1 :] = [f"and {len(told) - _MOST_NAMED + 1} more"]
        yield Mark(place - 0.5, "\n".join(told), change)


def _ticks(times: Sequence[str]) -> tuple[str, ...]:
    """The days of the runs; month, day and time where two fall on one day."""
    days = tuple(time[:10] for time in times)
    if len(set(days)) == len(days):
        return days
    return tuple(time[5:16].replace("T", " ") for time in times)


def _alt(what: str, found: Sequence[Series], marks: Sequence[Mark]) -> str:
    named = ", ".join(_label(series, found) for series in found[:12])
    told = "; ".join(mark.text.replace("\n", ", ") for mark in marks if mark.change)
    return f"{what}, of {named}. " + (f"Changes: {told}." if told else "No change point.")
