"""The table of comparisons, once: Markdown and HTML only write it down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cmx_bench import units
from cmx_bench.gate.outputs.sentences import (
    describe_change,
    difference,
    exact,
    interval,
    one_line,
    processes,
    share,
    why,
)
from cmx_bench.gate.verdict import Comparison, Verdict
from cmx_bench.metrics import Metric
from cmx_bench.present.content import Column, Entry, Showing, Table, Tone, tabulate

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
    columns, rows = tabulate(_columns(verdict), verdict.in_order)
    remarks = (
        "Slowdown: how much worse head is, whichever way the metric points; negative is a gain. "
        "Below it stands its 95 % interval. Exact metrics have none: any difference is real.",
        "NEW and INCOMPARABLE are not judged: they neither pass nor fail.",
        *([_LEFT_OUT] if any(sum(each.left_out) for each in verdict.comparisons) else []),
    )
    named = [column.key for column in columns].index("metric") + 1
    return Table("comparisons", "Comparisons", columns, rows, remarks, naming=named,
                 none="Nothing was compared.")  # fmt: skip


def _columns(verdict: Verdict) -> Iterator[Showing[Comparison]]:
    """Each column with what it shows of a comparison."""
    threshold = Entry(share(verdict.threshold), sort=verdict.threshold)
    yield Column("network", "Network"), lambda row: Entry(one_line(row.label), one_line(row.model))
    if verdict.several_settings:
        yield Column("setting", "Setting"), lambda row: Entry(one_line(row.setting))
    if verdict.several_sides:
        yield Column("against", "Against"), lambda row: Entry(one_line(row.against))
    yield Column("metric", "Metric"), lambda row: Entry(row.metric.title)
    yield (Column("base", "Base", "right", "Typical value; Head differs from it by the slowdown"),
           lambda row: show_value(row.base, row.metric))  # fmt: skip
    yield (Column("head", "Head", "right", "Typical value; it differs from Base by the slowdown"),
           lambda row: show_value(row.head, row.metric))  # fmt: skip
    yield (Column("slowdown", "Slowdown", "right",
                  "How much worse head is, and the 95 % interval"), _slowdown)  # fmt: skip
    yield (Column("threshold", "Threshold", "right", "The slowdown that must not pass"),
           lambda row: _DASH if row.metric.exact else threshold)  # fmt: skip
    yield (Column("detectable", "Smallest detectable", "right",
                  "The smallest slowdown that fails with 95 % probability"),
           _detectable)  # fmt: skip
    yield (Column("n", "n", "right",
                  "Fresh processes of each side, or images, that the interval rests on"),
           _processes)  # fmt: skip
    yield Column("verdict", "Verdict"), lambda row: Entry(row.state, tone=TONES[row.state])
    yield Column("why", "Why"), lambda row: Entry(why(row))


def show_value(value: float | None, metric: Metric) -> Entry:
    """A value of a metric: an exact one unrounded, a dash where there is none."""
    if value is None:
        return _DASH
    text = exact(value, metric) if metric.exact else units.scale(value, metric.unit, 4)
    return Entry(text, sort=value)


def _slowdown(comparison: Comparison) -> Entry:
    """The slowdown with its sign, and its interval; of an exact metric the difference, and the
    share that it is of the base."""
    metric, change = comparison.metric, comparison.slowdown
    base, head = comparison.base, comparison.head
    share_of_base = "" if change is None else units.signed_percent(change)
    title = "" if change is None else describe_change(change, metric)
    if metric.exact and comparison.state == "FAIL" and base is not None and head is not None:
        return Entry(difference(head - base, metric), share_of_base, change, title)
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
