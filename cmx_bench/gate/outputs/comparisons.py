"""The table of comparisons, once: Markdown and HTML only write it down."""

from __future__ import annotations

from collections.abc import Mapping

from cmx_bench import units
from cmx_bench.gate.outputs.sentences import (
    ORDER,
    describe_change,
    difference,
    exact,
    interval,
    one_line,
    processes,
    several_settings,
    several_sides,
    share,
    why,
)
from cmx_bench.gate.verdict import Comparison, Verdict
from cmx_bench.present.content import Column, Entry, Table, Tone

# Of the states of comparisons and of whole verdicts.
TONES: Mapping[str, Tone] = {
    "PASS": "good", "FAIL": "bad", "NOTHING COMPARED": "bad", "INCONCLUSIVE": "unsure",
    "NEW": "", "INCOMPARABLE": "",
}  # fmt: skip
_DASH = Entry("–", quiet=True)
_LEFT_OUT = (
    "n counts the processes that the interval rests on. Where it reads “4 of 10”, the other 6 "
    "stayed disturbed or ran in another environment, and count for nothing."
)


def table(verdict: Verdict) -> Table:
    """Every comparison. Failures come first."""
    against, settings = several_sides(verdict), several_settings(verdict)
    columns = (
        Column("network", "Network"),
        *([Column("setting", "Setting")] if settings else []),
        *([Column("against", "Against")] if against else []),
        Column("metric", "Metric"),
        Column("base", "Base", "right", "Typical value; Head differs from it by the slowdown"),
        Column("head", "Head", "right", "Typical value; it differs from Base by the slowdown"),
        Column("slowdown", "Slowdown", "right", "How much worse head is, and the 95 % interval"),
        Column("threshold", "Threshold", "right", "The slowdown that must not pass"),
        Column("detectable", "Smallest detectable", "right",
               "The smallest slowdown that fails with 95 % probability"),
        Column("n", "n", "right",
               "Fresh processes of each side, or images, that the interval rests on"),
        Column("verdict", "Verdict"),
        Column("why", "Why"),
    )  # fmt: skip
    rows = tuple(
        _row(comparison, verdict, against, settings) for comparison in sort_comparisons(verdict)
    )
    remarks = (
        "Slowdown: how much worse head is, whichever way the metric points; negative is a gain. "
        "Below it stands its 95 % interval. Exact metrics have none: any difference is real.",
        "NEW and INCOMPARABLE are not judged: they neither pass nor fail.",
        *([_LEFT_OUT] if any(sum(each.left_out) for each in verdict.comparisons) else []),
    )
    named = [column.key for column in columns].index("metric") + 1
    return Table("comparisons", "Comparisons", columns, rows, remarks, naming=named,
                 none="Nothing was compared.")  # fmt: skip


def sort_comparisons(verdict: Verdict) -> list[Comparison]:
    """The comparisons, failures first. Within a state sampled metrics come before exact ones."""
    return sorted(
        verdict.comparisons, key=lambda each: (ORDER.index(each.state), each.metric.exact)
    )


def _row(
    comparison: Comparison, verdict: Verdict, against: bool, settings: bool
) -> tuple[Entry, ...]:
    threshold = Entry(share(verdict.threshold), sort=verdict.threshold)
    return (
        Entry(one_line(comparison.label), one_line(comparison.model)),
        *([Entry(one_line(comparison.setting))] if settings else []),
        *([Entry(one_line(comparison.against))] if against else []),
        Entry(comparison.metric.title),
        value(comparison.base, comparison),
        value(comparison.head, comparison),
        slowdown(comparison),
        _DASH if comparison.metric.exact else threshold,
        _detectable(comparison),
        _processes(comparison),
        Entry(comparison.state, tone=TONES[comparison.state]),
        Entry(why(comparison)),
    )


def value(number: float | None, comparison: Comparison) -> Entry:
    """A side's value: an exact one unrounded."""
    if number is None:
        return _DASH
    metric = comparison.metric
    text = exact(number, comparison) if metric.exact else units.scale(number, metric.unit, 4)
    return Entry(text, sort=number)


def slowdown(comparison: Comparison) -> Entry:
    """The slowdown with its sign, and its interval; of an exact metric the difference, and the
    share that it is of the base."""
    metric, change = comparison.metric, comparison.slowdown
    base, head = comparison.base, comparison.head
    share_of_base = "" if change is None else units.signed_percent(change)
    title = "" if change is None else describe_change(change, metric)
    if metric.exact and comparison.state == "FAIL" and base is not None and head is not None:
        return Entry(difference(head - base, comparison), share_of_base, change, title)
    if change is None:
        return _DASH
    low, high = comparison.low, comparison.high
    edges = "" if low is None or high is None else interval(low, high)
    return Entry(share_of_base, edges, change, title)


def _detectable(comparison: Comparison) -> Entry:
    if comparison.metric.exact:
        return Entry("any", title="An exact metric: any difference is real")
    return _DASH if comparison.detectable is None else Entry(units.percent(comparison.detectable))


def _processes(comparison: Comparison) -> Entry:
    both = ", ".join(dict.fromkeys(processes(comparison)))
    return Entry(both, sort=sum(comparison.n)) if sum(comparison.n) else _DASH
