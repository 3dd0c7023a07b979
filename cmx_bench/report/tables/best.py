"""Which measured values are best as far as the data can tell: what a table shows in bold."""

from __future__ import annotations

from collections.abc import Sequence

from cmx_bench import units
from cmx_bench.cell import Setting
from cmx_bench.results import agreement
from cmx_bench.results.agreement import Pair
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result

REMARK = (
    "Bold is the best measured value of a column, together with those that cannot be told from it, "
    "for their 95 % intervals overlap with its own or exact values read alike; top-1 of a single "
    "seed are told apart on the same images. Nothing is bold where all are alike, or where a "
    "sampled value has no interval."
)


def leaders(report: Report, setting: Setting, metric: str) -> frozenset[str]:
    """The names of the models with the best value, ties together; empty where nothing decides."""
    found = (
        report.result(model, setting.key, setting.image_size, metric) for model in report.run.models
    )
    measured = [one for one in found if one is not None and one.estimate is not None]
    if metric == "top1" and (report.votes.classes or report.over_seeds):
        pairs = [] if report.over_seeds else agreement.pairs(report.votes, setting.key)
        placed = ranks(report, setting, measured, pairs)
        first = frozenset(name for name, (best, _) in placed.items() if best == 1)
        return first if len(first) < len(measured) else frozenset()
    return tied(measured)


def ranks(
    report: Report, setting: Setting, measured: Sequence[Result], pairs: Sequence[Pair]
) -> dict[str, tuple[int, int]]:
    """The best and the worst place by top-1 of each model that is not ruled out: by the `pairs` of
    the setting on the same images or, where there are several seeds, by the intervals over them."""
    if not report.over_seeds:
        voters = [(one.model, setting.key) for one in measured]
        return {name: places for (name, _), places in agreement.ranks(voters, pairs).items()}
    spans = {one.model: span for one in measured if (span := _span(one)) is not None}
    return {
        name: (
            1 + sum(start > high for start, _ in spans.values()),
            len(spans) - sum(end < low for _, end in spans.values()),
        )
        for name, (low, high) in spans.items()
    }


def tied(found: Sequence[Result]) -> frozenset[str]:
    """The models of those results of one metric that cannot be told from the best of them."""
    spans = {one.model: span for one in found if (span := _span(one)) is not None}
    if len(spans) < len(found) or not spans:
        return frozenset()
    best = first(found)
    low, high = spans[best.model]
    alike = {name for name, (start, end) in spans.items() if start <= high and low <= end}
    if best.about.exact:  # matched networks have 21.1 M parameters each: one in bold is a riddle
        alike |= {one.model for one in found if _shown(one) == _shown(best)}
    return frozenset(alike) if len(alike) < len(spans) else frozenset()


def first(found: Sequence[Result]) -> Result:
    """The result with the best value, all of them having one, of one metric."""
    choose = max if found[0].about.better == "higher" else min
    return choose(found, key=_value)


def _value(result: Result) -> float:
    assert result.estimate is not None
    return result.estimate.value


def _shown(result: Result) -> str:
    """An exact value as tables show it."""
    return units.scaled(_value(result), result.unit)


def _span(result: Result) -> tuple[float, float] | None:
    estimate = result.estimate
    if estimate is None:
        return None
    if result.about.exact:
        return estimate.value, estimate.value
    if estimate.low is None or estimate.high is None:
        return None
    return estimate.low, estimate.high
