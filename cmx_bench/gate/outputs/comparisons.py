"""The table of comparisons, once: Markdown and HTML only write it down."""

from __future__ import annotations

from collections.abc import Mapping

from cmx_bench import units
from cmx_bench.gate.outputs.sentences import (
    ORDER,
    difference,
    exact,
    interval,
    one_line,
    processes,
    several_settings,
    several_sides,
    share,
    why,
    worded,
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
    """Every comparison, what failed first."""
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
        Column("n", "n", "right", "Fresh processes of each side that the interval rests on"),
        Column("verdict", "Verdict"),
        Column("why", "Why"),
    )  # fmt: skip
    rows = tuple(_row(one, verdict, against, settings) for one in ordered(verdict))
    remarks = (
        "Slowdown: how much worse head is, whichever way the metric points; negative is a gain. "
        "Below it stands its 95 % interval. Exact metrics have none: any difference is real.",
        "NEW and INCOMPARABLE are not judged: they neither pass nor fail.",
        *([_LEFT_OUT] if any(sum(one.left_out) for one in verdict.comparisons) else []),
    )
    named = [column.key for column in columns].index("metric") + 1
    return Table("comparisons", "Comparisons", columns, rows, remarks, naming=named,
                 none="Nothing was compared.")  # fmt: skip


def ordered(verdict: Verdict) -> list[Comparison]:
    """The comparisons, what failed first; within a state sampled before exact metrics."""
    return sorted(verdict.comparisons, key=lambda one: (ORDER.index(one.state), one.metric.exact))


def _row(one: Comparison, verdict: Verdict, against: bool, settings: bool) -> tuple[Entry, ...]:
    return (
        Entry(one_line(one.label), one_line(one.model)),
        *([Entry(one_line(one.setting))] if settings else []),
        *([Entry(one_line(one.against))] if against else []),
        Entry(one.metric.title),
        value(one.base, one),
        value(one.head, one),
        slowdown(one),
        _DASH if one.metric.exact else Entry(share(verdict.threshold), sort=verdict.threshold),
        _detectable(one),
        _processes(one),
        Entry(one.state, tone=TONES[one.state]),
        Entry(why(one)),
    )


def value(found: float | None, one: Comparison) -> Entry:
    """A side's value: an exact one unrounded."""
    if found is None:
        return _DASH
    text = exact(found, one) if one.metric.exact else units.scaled(found, one.metric.unit, 4)
    return Entry(text, sort=found)


def slowdown(one: Comparison) -> Entry:
    """The slowdown with its sign, and its interval; of an exact metric the difference, and the
    share that it is of the base."""
    share_of_base = "" if one.slowdown is None else units.signed_percent(one.slowdown)
    title = "" if one.slowdown is None else worded(one.slowdown, one.metric)
    if one.metric.exact and one.state == "FAIL" and one.base is not None and one.head is not None:
        return Entry(difference(one.head - one.base, one), share_of_base, one.slowdown, title)
    if one.slowdown is None:
        return _DASH
    edges = "" if one.low is None or one.high is None else interval(one.low, one.high)
    return Entry(share_of_base, edges, one.slowdown, title)


def _detectable(one: Comparison) -> Entry:
    if one.metric.exact:
        return Entry("any", title="An exact metric: any difference is real")
    return _DASH if one.detectable is None else Entry(units.percent(one.detectable))


def _processes(one: Comparison) -> Entry:
    both = ", ".join(dict.fromkeys(processes(one)))
    return Entry(both, sort=sum(one.n)) if sum(one.n) else _DASH
