"""Whether networks keep their order when the setting changes: the same for all, each at its best.

Settings of one device and image size are compared, by the first metric of every measure of speed;
by a time only settings of one batch size, for it is the time of a batch. A network's best setting
is that of its best value. Ratios of two networks are computed as claims compute them: on
logarithms, paired by round (`quantities`).

A pair of networks flips if the first is faster beyond doubt in one setting and the second in
another: the interval of their ratio lies wholly above 1 in the one, wholly below it in the other.
With k settings these intervals have the level 1 − 5 %/k. All intervals of a pair then hold together
with 95 % (Bonferroni's inequality; Dunn 1961, doi 10.1080/01621459.1961.10482090), and at most one
in forty of the pairs that keep their order seems to flip. A network's best is one of k values and
was chosen by the same samples: an interval of that level holds whichever it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from pandas import DataFrame, MultiIndex

from cmx_bench import units
from cmx_bench.cell import Setting
from cmx_bench.measures import MEASURES
from cmx_bench.metrics import METRICS, Metric, first_of
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.report import entries
from cmx_bench.report.tables import best, quantities
from cmx_bench.report.tables.quantities import Span
from cmx_bench.results import stats
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result

_MANY = 30
_FIRST = (METRICS[first_of(name)] for name, info in MEASURES.items() if info.precise)
_SPEEDS = tuple(metric for metric in _FIRST if metric.better != "none")


@dataclass(frozen=True, slots=True)
class Standings:
    """The results of one metric of speed, by the setting's key and the network's name; `settings`
    are the names of the settings by their keys. `speeds` have a row for each network with any
    value, and a column for each setting; of times one over them."""

    metric: Metric
    settings: Mapping[str, str]
    results: Mapping[str, Mapping[str, Result]]
    speeds: DataFrame

    @property
    def key(self) -> str:
        """What the keys of its tables end in: the metric, and the first setting that has values."""
        return f"{self.metric.name}-{next(iter(self.results), '')}"

    @property
    def level(self) -> float:
        """Of each interval: one for every setting then hold together with 95 %."""
        return 1 - 0.05 / len(self.settings)

    def apart(self, first: Result, second: Result) -> Span | None:
        """How many times as fast the first is, where it is beyond doubt that they differ."""
        pair = (first, second) if self.metric.better == "higher" else (second, first)
        ratio = quantities.quotient(*pair, self.level)
        return ratio if ratio is not None and ratio.apart else None


class Lead(NamedTuple):
    """How many times as fast as the second network the first is, and in which setting."""

    ratio: Span
    setting: str


class Contest(NamedTuple):
    """Two networks by name, whose values change order: where the first is ahead, and where behind,
    most and beyond doubt. The order flips where there are both."""

    first: str
    second: str
    ahead: Lead | None
    behind: Lead | None


def tables(report: Report) -> Iterator[Table]:
    """For each speed that several settings share: the values, their order, the pairs that flip."""
    for metric in _SPEEDS:
        for settings in comparable(report, metric):
            standings = in_settings(report, settings, metric)
            if len(standings.settings) > 1:
                pairs, number = contests(standings)
                yield from (
                    entries.on(settings[0].hardware, table)
                    for table in (
                        _values(report, standings, pairs, number),
                        _correlations(standings),
                        _flips(report, standings, pairs),
                    )
                )


# --- standings and pairs --------------------------------------------------------------------------


def comparable(report: Report, metric: Metric) -> list[list[Setting]]:
    """The settings in groups within which values of the metric can be compared."""
    groups: dict[tuple[object, ...], list[Setting]] = {}
    for setting in report.run.settings:
        environment = report.run.environments.get(report.environments.get(setting.key, ""), {})
        batch_size = setting.batch_size if metric.unit == "s" else None
        group = environment.get("device_name"), setting.hardware, setting.image_size, batch_size
        groups.setdefault(group, []).append(setting)
    return list(groups.values())


def in_settings(report: Report, settings: Sequence[Setting], metric: Metric) -> Standings:
    """The networks in each setting that has values: of cells of which no process failed."""
    results: dict[str, dict[str, Result]] = {}
    for setting in settings:
        for result in report.column(setting, metric.name):
            if result is not None and result.status == "ok" and (result.value or 0) > 0:
                results.setdefault(setting.key, {})[result.model] = result
    names = {setting.key: setting.name for setting in settings if setting.key in results}
    values = DataFrame(
        {key: {name: result.value for name, result in known.items()}
         for key, known in results.items()}, list(report.models), dtype=float,
    ).dropna(how="all")  # fmt: skip
    return Standings(metric, names, results, values if metric.better == "higher" else 1 / values)


def at_best(standings: Standings) -> dict[str, Result]:
    """Each network with the best of its values; its interval holds although samples chose it."""
    chosen, speeds = {}, standings.speeds
    for name, key in zip(speeds.index, speeds.idxmax(axis="columns"), strict=True):
        result = standings.results[str(key)][name]
        wider = stats.of_medians(list(result.medians.values()), standings.level)
        chosen[result.model] = result._replace(low=wider.low, high=wider.high, wanted=None)
    return chosen


def contests(standings: Standings) -> tuple[list[Contest], int]:
    """The pairs whose values change order, and the number of all that two settings or more have
    values of."""
    speeds = standings.speeds
    left, right = np.triu_indices(len(speeds), 1)
    pairs = MultiIndex.from_arrays([speeds.index[left], speeds.index[right]])
    ratios = speeds.to_numpy()[left] / speeds.to_numpy()[right]
    shared = DataFrame(ratios, pairs, speeds.columns).dropna(thresh=2)
    changing = shared[(shared.min(axis="columns") < 1) & (shared.max(axis="columns") > 1)]
    rows = zip(list(changing.index), changing.to_numpy().tolist(), strict=True)
    return [_contest(standings, first, second, row) for (first, second), row in rows], len(shared)


def _contest(standings: Standings, first: str, second: str, ratios: Sequence[float]) -> Contest:
    def lead(ranked: Iterable[tuple[float, str]], ahead: bool) -> Lead | None:
        for _, key in ranked:  # one at a time, for each interval takes a while
            results = standings.results[key]
            ratio = standings.apart(results[first], results[second])
            if ratio is not None and (ratio.value > 1) is ahead:
                return Lead(ratio, standings.settings[key])
        return None

    known = [pair for pair in zip(ratios, standings.settings, strict=True) if pair[0] > 0]
    ranked = sorted(known, key=itemgetter(0))
    return Contest(first, second, lead(reversed(ranked), True), lead(ranked, False))


# --- tables ---------------------------------------------------------------------------------------


def _values(report: Report, standings: Standings, pairs: Sequence[Contest], number: int) -> Table:
    metric, each = standings.metric, at_best(standings)
    one_for_all = f"{metric.title} ({metric.unit}), one setting for all"
    columns = (
        Column("network", "Network"),
        *(Column(key, name, "right", key, one_for_all)
          for key, name in standings.settings.items()),
        Column("best", "value", "right", "In the network's best setting", "Each at its best"),
        Column("best_setting", "setting", group="Each at its best",
               title="Below it: settings that the data cannot tell apart from it"),
    )  # fmt: skip
    values = [
        best.mark([report.results.get((name, setting, metric.name)) for name in report.models],
                    best.find_tied(list(results.values())), 1.0)
        for setting, results in standings.results.items()
    ]  # fmt: skip
    values += [best.mark(map(each.get, report.models), best.find_tied(list(each.values())), 1.0)]
    rows = [
        (model.label, *row, _best_setting(standings, each.get(model.name)))
        for model, *row in zip(report.run.models, *values, strict=True)
    ]
    flips = sum(pair.ahead is not None and pair.behind is not None for pair in pairs)
    remarks = (
        f"Pairs of networks: {number}. Same order in every setting: {number - len(pairs)}. Order "
        f"flips: {flips}. Undecided, because values change order but their intervals do not prove "
        f"it: {len(pairs) - flips}.",
        f"A network's best is the best of {len(standings.settings)} values, chosen by the same "
        f"samples. Its interval has the level {units.percent(standings.level, 4)}: after this "
        "choice it still holds with 95 % confidence.",
        *best.remarks(rows),
    )
    title = f"One setting for all, and each network's best · {metric.title}"
    return entries.table(f"fairness-{standings.key}", title, columns, rows, remarks)


def _best_setting(standings: Standings, mine: Result | None) -> Entry | None:
    if mine is None:
        return None
    alike = [
        standings.settings[key]
        for key, results in standings.results.items()
        if key != mine.setting and mine.model in results
        if not standings.apart(mine, results[mine.model])
    ]
    names = f"or {', '.join(alike)}" if alike else ""
    return Entry(standings.settings[mine.setting], names)


def _correlations(standings: Standings) -> Table:
    names = {**standings.settings, "best": "each at its best"}
    columns = (
        Column("setting", "Setting"),
        *(Column(key, name, "right", key) for key, name in names.items()),
    )
    every = standings.speeds.assign(best=standings.speeds.max(axis="columns"))
    there = every.notna().astype(int)
    shared = there.T @ there
    others = (shared > 2) & ~np.eye(len(names), dtype=bool)
    rho = every.corr("spearman").where(others)  # none where all values of a side tie
    rows = [
        (name, *map(entries.show_correlation, rho[key], shared[key]))
        for key, name in names.items()
        if others.any(axis=None)
    ]
    remark = (
        "Spearman's ρ over the networks measured in both settings, if there are three or more. "
        "There is none where all of a setting are equal."
    )
    title = f"Rank correlation between settings · {standings.metric.title}"
    return entries.table(f"rank-correlation-{standings.key}", title, columns, rows, [remark])


def _flips(report: Report, standings: Standings, pairs: Sequence[Contest]) -> Table:
    ahead, behind = "Where the first is ahead", "Where it is behind"
    columns = (
        Column("first", "First"),
        Column("second", "Second"),
        Column("ahead_by", "times as fast", "right", group=ahead),
        Column("ahead_in", "setting", group=ahead),
        Column("behind_by", "times as fast", "right", group=behind),
        Column("behind_in", "setting", group=behind),
    )
    rows = [
        (report.models[first].label, report.models[second].label,
         entries.ratio(most.ratio), most.setting, entries.ratio(least.ratio), least.setting)
        for first, second, most, least in pairs
        if most is not None and least is not None
    ]  # fmt: skip
    remark = (
        "A pair flips if the first network is faster beyond doubt in one setting and the second in "
        "another. The table shows the settings with the largest such leads. The intervals are "
        "wider than usual: all intervals of a pair hold together with 95 % confidence."
    )
    title = f"Pairs whose order flips with the setting · {standings.metric.title}"
    folded = len(rows) > _MANY
    return entries.table(f"flips-{standings.key}", title, columns, rows, [remark], folded)
