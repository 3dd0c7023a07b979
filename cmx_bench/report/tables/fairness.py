"""Whether networks keep their order when the setting changes: the same for all, each at its best.

Settings of one device and image size are held against each other, by the first metric of every
measure of speed. A network's best setting is that of its best value. Ratios of two networks are
taken as claims take them: on logarithms, paired by round (`quantities`).

A pair of networks flips where the first is faster beyond doubt in one setting and the second in
another: the interval of their ratio lies wholly above 1 in the one, wholly below it in the other.
With k settings these intervals have the level 1 − 5 %/k, so that all of a pair hold together with
95 % (Bonferroni's inequality; Dunn 1961, doi 10.1080/01621459.1961.10482090), and of pairs that
keep their order at most one in forty is taken for one that flips. A network's best is one of k
values, chosen by the samples that it is made of: an interval of that level holds whichever it is.

Spearman's ρ between settings is of the values as they are, without their doubt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, TypeAlias

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
from cmx_bench.units import plain

_MANY = 30
_SPEEDS = tuple(METRICS[first_of(name)] for name, info in MEASURES.items() if info.precise)


@dataclass(frozen=True, slots=True)
class Standing:
    """Results by the network's name: in one setting, or each in its best."""

    key: str
    name: str
    results: Mapping[str, Result]


@dataclass(frozen=True, slots=True)
class Lead:
    """How many times as fast as the second network the first is, and in which setting."""

    setting: str
    ratio: Span


State: TypeAlias = Literal["keeps", "flips", "undecided"]


@dataclass(frozen=True, slots=True)
class Contest:
    """Two networks by name: where the first is ahead, and where behind, most and beyond doubt.

    The order "keeps" where all values have it; it is "undecided" where values change it that
    cannot be told apart.
    """

    first: str
    second: str
    state: State
    ahead: Lead | None = None
    behind: Lead | None = None


def tables(report: Report) -> Iterator[Table]:
    """For each speed that several settings share: the values, their order, the pairs that flip."""
    for settings in _alike(report):
        for metric in _SPEEDS:
            same = in_settings(report, settings, metric)
            if len(same) > 1:
                yield from _compared(report, metric, same, f"{metric.name}-{same[0].key}")


def _alike(report: Report) -> Iterable[list[Setting]]:
    """The settings of each device and image size."""
    groups: dict[tuple[object, int], list[Setting]] = {}
    for one in report.run.settings:
        environment = report.run.environments.get(report.environments.get(one.key, ""), {})
        groups.setdefault((environment.get("device_name"), one.image_size), []).append(one)
    return groups.values()


def _compared(
    report: Report, metric: Metric, same: Sequence[Standing], key: str
) -> Iterator[Table]:
    each = at_best(same)
    pairs = contests([model.name for model in report.run.models], same)
    yield _values(report, metric, same, each, pairs, key)
    yield _correlations(metric, (*same, each), key)
    yield _flips(report, metric, pairs, key)


# --- standings ------------------------------------------------------------------------------------


def in_settings(report: Report, settings: Sequence[Setting], metric: Metric) -> list[Standing]:
    """The networks in each setting that has values of a metric."""
    found = [(setting, _results(report, setting, metric)) for setting in settings]
    return [Standing(one.key, one.name, results) for one, results in found if results]


def _results(report: Report, setting: Setting, metric: Metric) -> dict[str, Result]:
    """Those of cells of which no process failed."""
    found = (report.results.get((one.name, setting.key, metric.name)) for one in report.run.models)
    return {
        one.model: one
        for one in found
        if one is not None and one.status == "ok" and one.estimate and one.estimate.value > 0
    }


def at_best(same: Sequence[Standing]) -> Standing:
    """Each network with the best of its values; its interval holds although samples chose it."""
    found: dict[str, list[Result]] = {}
    for standing in same:
        for name, result in standing.results.items():
            found.setdefault(name, []).append(result)
    chosen = {name: _chosen(best.first(all_of), _level(same)) for name, all_of in found.items()}
    return Standing("best", "each at its best", chosen)


def _chosen(result: Result, level: float) -> Result:
    estimate = stats.estimate([[median] for median in result.medians.values()], level)
    return result._replace(low=estimate.low, high=estimate.high, wanted=None)


def _level(same: Sequence[Standing]) -> float:
    """Of each interval, so that one for every setting hold together with 95 %."""
    return 1 - 0.05 / len(same)


# --- pairs ----------------------------------------------------------------------------------------


def contests(names: Sequence[str], same: Sequence[Standing]) -> list[Contest]:
    """Every two networks that two or more settings have values of."""
    shared = (
        (pair, [one for one in same if one.results.keys() >= set(pair)])
        for pair in combinations(names, 2)
    )
    level = _level(same)
    return [_contest(*pair, settings, level) for pair, settings in shared if len(settings) > 1]


def _contest(first: str, second: str, settings: Sequence[Standing], level: float) -> Contest:
    ranked = sorted(settings, key=lambda one: _times(one, first, second))
    least, most = (_times(one, first, second) for one in (ranked[0], ranked[-1]))
    if least >= 1 or most <= 1:
        return Contest(first, second, "keeps")
    below = (one for one in _leads(first, second, ranked, level) if one.ratio.value < 1)
    above = (one for one in _leads(first, second, reversed(ranked), level) if one.ratio.value > 1)
    behind, ahead = next(below, None), next(above, None)
    return Contest(first, second, "flips" if ahead and behind else "undecided", ahead, behind)


def _times(standing: Standing, first: str, second: str) -> float:
    """How many times as fast the first is, by their values."""
    faster, slower = _ordered(standing, first, second)
    return _value(faster) / _value(slower)


def _leads(first: str, second: str, settings: Iterable[Standing], level: float) -> Iterator[Lead]:
    """Those beyond doubt, in the order of the settings; one at a time, for each takes a while."""
    for one in settings:
        if ratio := _apart(*_ordered(one, first, second), level):
            yield Lead(one.name, ratio)


def _ordered(standing: Standing, first: str, second: str) -> tuple[Result, Result]:
    """What is to be divided by what: of times, the second's by the first's."""
    one, other = standing.results[first], standing.results[second]
    return (one, other) if one.about.better == "higher" else (other, one)


def _apart(one: Result, other: Result, level: float) -> Span | None:
    """Their quotient, where it is beyond doubt that they differ."""
    ratio = quantities.quotient(one, other, level)
    return None if ratio is None or ratio.low <= 1 <= ratio.high else ratio


def _value(result: Result) -> float:
    assert result.estimate is not None
    return result.estimate.value


# --- tables ---------------------------------------------------------------------------------------


def _values(
    report: Report,
    metric: Metric,
    same: Sequence[Standing],
    each: Standing,
    pairs: Sequence[Contest],
    key: str,
) -> Table:
    one_for_all = f"{metric.title} ({metric.unit}), one setting for all"
    columns = (
        Column("network", "Network"),
        *(Column(one.key, one.name, "right", one.key, one_for_all) for one in same),
        Column("best", "value", "right", "In the setting that is best for it", "Each at its best"),
        Column("best_setting", "setting", group="Each at its best",
               title="Below it those that cannot be told from it"),
    )  # fmt: skip
    leaders = {one.key: best.tied(list(one.results.values())) for one in (*same, each)}
    rows = []
    for model in report.run.models:
        found = [report.results.get((model.name, one.key, metric.name)) for one in same]
        found.append(each.results.get(model.name))
        leads = [model.name in names for names in leaders.values()]
        values = (entries.measured(one, 1.0, lead) for one, lead in zip(found, leads, strict=True))
        rows.append((Entry(plain(model.label)), *values, _best_setting(model.name, same, each)))
    level = units.percent(_level(same), 4)
    remarks = (
        _summed_up(pairs),
        f"A network's best is one of {len(same)} values, chosen by the samples that it is made of: "
        f"its interval is one of {level}, so that it holds with 95 %.",
        *([best.REMARK] if any(leaders.values()) else []),
    )
    title = f"One setting for all, and each network's best · {metric.title}"
    return Table(f"fairness-{key}", title, columns, tuple(rows), remarks)


def _best_setting(name: str, same: Sequence[Standing], each: Standing) -> Entry:
    if name not in each.results:
        return entries.DASH
    mine = each.results[name]
    shown = next(one.name for one in same if one.key == mine.setting)
    alike = [
        one.name
        for one in same
        if one.name != shown
        and name in one.results
        and not _apart(mine, one.results[name], _level(same))
    ]
    return Entry(plain(shown), plain(f"or {', '.join(alike)}") if alike else "")


def _summed_up(pairs: Sequence[Contest]) -> str:
    counts = Counter(one.state for one in pairs)
    return (
        f"Pairs of networks: {len(pairs)}; in one order whatever the setting: {counts['keeps']}; "
        f"flipping: {counts['flips']}; undecided, for their values change order, but not beyond "
        f"doubt: {counts['undecided']}."
    )


def _correlations(metric: Metric, every: Sequence[Standing], key: str) -> Table:
    columns = (
        Column("setting", "Setting"),
        *(Column(one.key, one.name, "right", one.key) for one in every),
    )
    found = [[_correlation(one, other) for other in every] for one in every]
    some = any(entry is not entries.DASH for row in found for entry in row)
    rows = ((Entry(plain(one.name)), *row) for one, row in zip(every, found, strict=True) if some)
    remark = "Spearman's ρ of the networks that both have values of, three or more."
    title = f"Rank correlation between settings · {metric.title}"
    return Table(f"rank-correlation-{key}", title, columns, tuple(rows), (remark,))


def _correlation(one: Standing, other: Standing) -> Entry:
    shared = sorted(one.results.keys() & other.results.keys())
    if one is other or len(shared) < 3:
        return entries.DASH
    rho = stats.spearman(
        *([_value(side.results[name]) for name in shared] for side in (one, other))
    )
    return Entry(f"{rho:.2f}", sort=rho, title=f"{len(shared)} networks")


def _flips(report: Report, metric: Metric, pairs: Sequence[Contest], key: str) -> Table:
    columns = (
        Column("first", "First"),
        Column("second", "Second"),
        Column("ahead_by", "times as fast", "right", group="Where the first is ahead"),
        Column("ahead_in", "setting", group="Where the first is ahead"),
        Column("behind_by", "times as fast", "right", group="Where it is behind"),
        Column("behind_in", "setting", group="Where it is behind"),
    )
    labels = {model.name: plain(model.label) for model in report.run.models}
    rows = tuple(
        (
            Entry(labels[one.first]),
            Entry(labels[one.second]),
            *_lead(one.ahead),
            *_lead(one.behind),
        )
        for one in pairs
        if one.ahead and one.behind
    )
    remark = (
        "A pair flips where the first is faster beyond doubt in one setting and the second in "
        "another; shown are the settings with the largest such leads. Intervals are as wide as it "
        "takes for those of a pair to hold together with 95 %."
    )
    title = f"Pairs whose order flips with the setting · {metric.title}"
    return Table(f"flips-{key}", title, columns, rows, (remark,), folded=len(rows) > _MANY)


def _lead(lead: Lead) -> tuple[Entry, Entry]:
    return entries.ratio(lead.ratio), Entry(plain(lead.setting))
