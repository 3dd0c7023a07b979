"""Which measured values are best as far as the data can tell: what a table shows in bold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from cmx_bench import units
from cmx_bench.cell import Setting
from cmx_bench.metrics import METRICS
from cmx_bench.present.content import DISTURBED, Entry
from cmx_bench.report import entries
from cmx_bench.results import agreement
from cmx_bench.results.agreement import Pair
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result

REMARK = (
    "Bold marks the best measured value of a column, and of each setting where rows are of "
    "several. Values that cannot be told apart from it are bold too: their 95 % intervals overlap, "
    "or exact values read the same. Top-1 of a single seed is compared on the same "
    "images. Nothing is bold where all values are alike, or where a sampled value has no interval "
    "or is not above zero."
)
_DOUBTFUL = f" Values marked {DISTURBED} can make the wrong ones bold."


def remarks(rows: Iterable[Iterable[object]]) -> list[str]:
    """What bold means, where anything is bold."""
    every = [entry for row in rows for entry in row if isinstance(entry, Entry)]
    if not any(entry.best for entry in every):
        return []
    return [REMARK + _DOUBTFUL * any(entry.disturbed for entry in every)]


def column(report: Report, setting: Setting, metric: str, unit: float | None = None) -> list[Entry]:
    """A metric's value for each model of the run, the best in bold."""
    results = report.column(setting, metric)
    return mark(results, leaders(report, setting, metric), unit)


def mark(
    results: Iterable[Result | None], leading: Collection[str], unit: float | None = None
) -> list[Entry]:
    """An entry for each result, in bold for the models that are leading."""
    return [
        entries.show(result, unit, result is not None and result.model in leading)
        for result in results
    ]


def list_valued(report: Report, setting: Setting, metric: str) -> list[Result]:
    """The results of a setting that have a value."""
    results = report.column(setting, metric)
    return [result for result in results if result is not None and result.value is not None]


def leaders(report: Report, setting: Setting, metric: str) -> frozenset[str]:
    """The names of the models with the best value, ties together; empty where nothing decides, or
    no value of the metric is better than another."""
    if METRICS[metric].better == "none":
        return frozenset()
    measured = list_valued(report, setting, metric)
    if metric != "top1":
        return find_tied(measured)
    alike = on_same_images(report, setting, measured)
    pairs = agreement.pairs(report.votes, setting.key) if alike else []
    places = ranks(report, setting, measured, pairs)
    return _unless_all({name for name, (place, _) in places.items() if place == 1}, measured)


def on_same_images(report: Report, setting: Setting, measured: Sequence[Result]) -> bool:
    """Whether top-1 values are compared image by image: of one seed each, whose predictions are all
    at hand."""
    voters = {(result.model, setting.key) for result in measured}
    return not report.over_seeds and report.votes.classes.keys() >= voters


def ranks(
    report: Report, setting: Setting, measured: Sequence[Result], pairs: Sequence[Pair]
) -> dict[str, tuple[int, int]]:
    """The best and the worst place by top-1 of each model that is not ruled out: by the `pairs` of
    the setting on the same images or, where they are not, by their intervals."""
    if on_same_images(report, setting, measured):
        voters = [(result.model, setting.key) for result in measured]
        return {name: places for (name, _), places in agreement.ranks(voters, pairs).items()}
    spans = _spans(measured)
    return {
        name: (
            1 + sum(start > high for start, _ in spans.values()),
            len(spans) - sum(end < low for _, end in spans.values()),
        )
        for name, (low, high) in spans.items()
    }


def find_tied(results: Sequence[Result]) -> frozenset[str]:
    """The models of those results of one metric that cannot be told from the best of them."""
    spans = _spans(results)
    if len(spans) < len(results) or not spans:
        return frozenset()
    best = first(results)
    if best.about.noise == "process" and min(result.value or 0.0 for result in results) <= 0:
        return frozenset()
    low, high = spans[best.model]
    alike = {name for name, (start, end) in spans.items() if start <= high and low <= end}
    if best.about.exact:  # of matched networks, each with 21.1 M parameters, none is the smallest
        shown = {result.model: units.scale(result.value or 0.0, result.unit) for result in results}
        alike |= {name for name, text in shown.items() if text == shown[best.model]}
    return _unless_all(alike, results)


def first(results: Sequence[Result]) -> Result:
    """The result with the best value of those of one metric, each of which has a value."""
    choose = max if results[0].about.better == "higher" else min
    return choose(results, key=lambda result: result.value or 0.0)


def _unless_all(names: Collection[str], results: Sequence[Result]) -> frozenset[str]:
    return frozenset(names) if len(names) < len(results) else frozenset()


def _spans(results: Sequence[Result]) -> dict[str, tuple[float, float]]:
    """The interval of each result that has one, by the model's name; of an exact one the value."""
    spans = {}
    for result in results:
        exact = result.about.exact
        low, high = (result.value, result.value) if exact else (result.low, result.high)
        if low is not None and high is not None:
            spans[result.model] = low, high
    return spans
