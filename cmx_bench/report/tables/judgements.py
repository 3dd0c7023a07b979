"""A suite's claims judged from what was measured: each holds, fails or stays undecided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cmx_bench import units
from cmx_bench.cell import Setting
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.report.tables import caveats, quantities
from cmx_bench.report.tables.quantities import Span, UnknownError
from cmx_bench.results.nouns import Report
from cmx_bench.spec.claims import (
    CheckError,
    Claim,
    Comparison,
    Condition,
    Joined,
    Number,
    Quantity,
    Within,
    parse,
    words,
)
from cmx_bench.units import plain

State: TypeAlias = Literal["HOLDS", "FAILS", "UNDECIDED"]
STATES: tuple[State, ...] = ("HOLDS", "FAILS", "UNDECIDED")


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a claim in a setting; `found` has a line for each comparison in its check."""

    claim: Claim
    setting: Setting
    state: State
    found: tuple[str, ...]


def judged(report: Report) -> tuple[Judged, ...]:
    """Every claim of the run in every setting.

    A claim holds where its check is true on the whole 95 % interval of what it compares, and fails
    where it is false on the whole of it. Published figures decide nothing.
    """
    return tuple(
        _judge(claim, report, setting)
        for claim in report.run.claims
        for setting in report.run.settings
    )


def counts(found: Sequence[Judged]) -> dict[State, int]:
    """How many claims came out in which way."""
    counted = Counter(one.state for one in found)
    return {state: counted[state] for state in STATES}


def counted(found: Mapping[State, int]) -> str:
    """`3 hold, 1 fails, 4 undecided`."""
    verbs = {"HOLDS": "hold", "FAILS": "fail"}
    return ", ".join(
        f"{count} {verbs[state] + 's' * (count == 1) if state in verbs else 'undecided'}"
        for state, count in found.items()
        if count
    )


def _judge(claim: Claim, report: Report, setting: Setting) -> Judged:
    try:
        condition = parse(claim.check, [model.name for model in report.run.models])
    except CheckError as error:
        return Judged(claim, setting, "UNDECIDED", (f"the check cannot be read: {error}",))
    state, found = _decided(condition, report, setting)
    return Judged(claim, setting, state, tuple(dict.fromkeys(found)))


def _decided(condition: Condition, report: Report, setting: Setting) -> tuple[State, list[str]]:
    if isinstance(condition, Joined):
        parts = [_decided(part, report, setting) for part in condition.parts]
        return _joined(condition.word, {state for state, _ in parts}), [
            line for _, lines in parts for line in lines
        ]
    try:
        if isinstance(condition, Within):
            found = quantities.span(condition.quantity, report, setting)
            low, high = condition.low, condition.high
            wanted = f"in [{low.text}, {high.text}]"
            return _within(found, low.value, high.value), [_line(condition.quantity, found, wanted)]
        return _compared(condition, report, setting)
    except UnknownError as error:
        return "UNDECIDED", [str(error)]


def _joined(word: Literal["and", "or"], states: set[State]) -> State:
    """One part that fails decides an "and", one that holds an "or", whatever the others do."""
    decisive: State = "FAILS" if word == "and" else "HOLDS"
    if decisive in states:
        return decisive
    return "UNDECIDED" if "UNDECIDED" in states else states.pop()


def _compared(condition: Comparison, report: Report, setting: Setting) -> tuple[State, list[str]]:
    sign = condition.sign
    quantity, bound = quantities.held(condition.left, condition.right, report, setting)
    found = quantities.span(quantity, report, setting)
    shown = condition.right.text if isinstance(condition.right, Number) else f"{bound:g}"
    line = _line(quantity, found, f"{sign} {shown}")
    if sign in ("<", "<="):  # mirrored, so that one rule does
        found, bound = Span(-found.value, -found.high, -found.low), -bound
    reached, missed = (
        (found.low >= bound, found.high < bound) if "=" in sign
        else (found.low > bound, found.high <= bound)
    )  # fmt: skip
    return ("HOLDS" if reached else "FAILS" if missed else "UNDECIDED"), [line]


def _within(found: Span, low: float, high: float) -> State:
    if low <= found.low and found.high <= high:
        return "HOLDS"
    return "FAILS" if found.high < low or high < found.low else "UNDECIDED"


def _line(quantity: Quantity, found: Span, wanted: str) -> str:
    """`a / b = 0.284 (95 % interval 0.219 to 0.368), claimed < 1`."""
    if found.exact:
        digits, doubt = 5, "exact"
    else:
        digits = max(4, units.digits_for(found.value, (found.high - found.low) / 2))
        low, high = (units.significant(edge, digits) for edge in (found.low, found.high))
        doubt = f"95 % interval {low} to {high}"
    value = units.significant(found.value, digits)
    return f"{words(quantity)} = {value} ({doubt}), claimed {wanted}"


def table(report: Report) -> Table:
    """Each claim in each setting, with what decided it."""
    columns = (
        Column("claim", "Claim", title="In the suite's words, and as it was checked"),
        Column("setting", "Setting"),
        Column("verdict", "Verdict", title="From 95 % intervals of what was measured here"),
        Column("found", "What was measured"),
    )
    rows = tuple(
        (
            Entry(plain(one.claim.say), plain(one.claim.check)),
            Entry(one.setting.name),
            Entry(one.state, quiet=one.state == "UNDECIDED"),
            Entry("\n".join(one.found)),
        )
        for one in judged(report)
    )
    return caveats.by_setting(report, Table("claims", "Claims", columns, rows, _REMARKS, naming=2))


_REMARKS = (
    "A claim HOLDS where its check is true on the whole of the 95 % interval, FAILS where it is "
    "false on the whole of it, and is UNDECIDED in between and where a value is missing. "
    "Published figures decide nothing.",
    "Quotients and products are taken on logarithms, round by round where their values were "
    "measured in the same rounds (Student's t), and else by Welch's t; differences of top-1 on the "
    "same images, by those that only one model has right; other sums and differences add the half "
    "intervals of their parts, which is wider than need be.",
)
