"""A suite's claims judged from what was measured: each holds, fails or stays undecided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cmx_bench import units
from cmx_bench.cell import Setting
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.report import entries
from cmx_bench.report.tables import caveats, quantities
from cmx_bench.report.tables.quantities import Span, UnknownError
from cmx_bench.results.nouns import Report
from cmx_bench.spec import claims
from cmx_bench.spec.claims import Claim, Condition, Joined, Number, Quantity, Within

State: TypeAlias = Literal["HOLDS", "FAILS", "UNDECIDED"]
STATES: tuple[State, ...] = ("HOLDS", "FAILS", "UNDECIDED")


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a claim in a setting; `found` has a line for each comparison in its check, one
    of which rests on a `disturbed` value."""

    claim: Claim
    setting: Setting
    state: State
    found: tuple[str, ...]
    disturbed: bool = False


def judge(report: Report) -> tuple[Judged, ...]:
    """Every claim of the run in every setting.

    A claim holds where its check is true on the whole 95 % interval of what it compares, and fails
    where it is false on the whole of it. Published figures decide nothing.
    """
    return tuple(
        _judge(claim, report, setting)
        for claim in report.run.claims
        for setting in report.run.settings
    )


def counts(judged: Sequence[Judged]) -> dict[State, int]:
    """How many claims came out in which way."""
    by_state = Counter(judgement.state for judgement in judged)
    return {state: by_state[state] for state in STATES}


def count(counts: Mapping[State, int]) -> str:
    """`3 hold, 1 fails, 4 undecided`."""
    verbs = {"HOLDS": "hold", "FAILS": "fail"}
    return ", ".join(
        f"{count} {verbs[state] + 's' * (count == 1) if state in verbs else 'undecided'}"
        for state, count in counts.items()
        if count
    )


def _judge(claim: Claim, report: Report, setting: Setting) -> Judged:
    try:
        condition = claims.parse(claim.check, list(report.models))
    except claims.CheckError as error:
        return Judged(claim, setting, "UNDECIDED", (f"the check cannot be read: {error}",))
    state, lines, disturbed = _decide(condition, report, setting)
    return Judged(claim, setting, state, tuple(dict.fromkeys(lines)), disturbed)


def _decide(
    condition: Condition, report: Report, setting: Setting
) -> tuple[State, list[str], bool]:
    """The state, a line for each comparison, and whether one rests on a disturbed value."""
    if isinstance(condition, Joined):
        states, groups, disturbed = zip(
            *(_decide(part, report, setting) for part in condition.parts), strict=True
        )
        lines = [line for some in groups for line in some]
        return _join(condition.word, {*states}), lines, any(disturbed)
    try:
        if isinstance(condition, Within):
            span = quantities.span(condition.quantity, report, setting)
            low, high = condition.low, condition.high
            claimed = f"in [{low.text}, {high.text}]"
            line = _line(condition.quantity, span, claimed, low.value, high.value)
            edges = {_compare(span, ">=", low.value), _compare(span, "<=", high.value)}
            return _join("and", edges), [line], span.disturbed
        quantity, bound = quantities.held(condition.left, condition.right, report, setting)
        span = quantities.span(quantity, report, setting)
    except UnknownError as error:
        return "UNDECIDED", [str(error)], False
    shown = condition.right.text if isinstance(condition.right, Number) else f"{bound:g}"
    line = _line(quantity, span, f"{condition.sign} {shown}", bound)
    return _compare(span, condition.sign, bound), [line], span.disturbed


def _join(word: Literal["and", "or"], states: set[State]) -> State:
    """One part that fails decides an "and", one that holds an "or", whatever the others do."""
    decisive: State = "FAILS" if word == "and" else "HOLDS"
    if decisive in states:
        return decisive
    return "UNDECIDED" if "UNDECIDED" in states else states.pop()


def _compare(span: Span, sign: str, bound: float) -> State:
    low, high = span.low, span.high
    if sign in ("<", "<="):  # mirrored: one rule does for both
        low, high, bound = -high, -low, -bound
    if low > bound or ("=" in sign and low == bound):
        return "HOLDS"
    return "FAILS" if high < bound or ("=" not in sign and high == bound) else "UNDECIDED"


def _line(quantity: Quantity, span: Span, claimed: str, *bounds: float) -> str:
    """`a / b = 0.284 (95 % interval 0.219 to 0.368), claimed < 1`: with as many digits as tell its
    numbers from the bounds that are claimed."""
    digits, doubt = 5, "exact"
    if not span.exact:
        digits = max(4, units.digits_for(span.value, (span.high - span.low) / 2))
    for number in (span.value, span.low, span.high):
        for bound in bounds:
            digits = units.digits_apart(number, bound, digits)
    if not span.exact:
        low, high = (units.significant(edge, digits) for edge in (span.low, span.high))
        doubt = f"95 % interval {low} to {high}" + ", disturbed" * span.disturbed
    value = units.significant(span.value, digits)
    return f"{claims.words(quantity)} = {value} ({doubt}), claimed {claimed}"


def table(report: Report) -> Table:
    """Each claim in each setting, with what decided it."""
    columns = (
        Column("claim", "Claim", title="In the suite's words; below them the check"),
        Column("setting", "Setting"),
        Column("verdict", "Verdict", title="From the 95 % intervals of what was measured here"),
        Column("found", "What was measured"),
    )
    rows = (
        (Entry(each.claim.say, each.claim.check), each.setting.title,
         Entry(each.state, notes=entries.disturbed_notes(each.disturbed)),
         Entry("\n".join(each.found)))
        for each in judge(report)
    )  # fmt: skip
    remarks = (_VERDICTS, _QUOTIENTS + _SUMS[report.over_seeds])
    return caveats.by_setting(
        report, entries.table("claims", "Claims", columns, rows, remarks, naming=2)
    )


_VERDICTS = (
    "A claim HOLDS if its check is true on the whole 95 % interval. It FAILS if the check is false "
    "on the whole interval. It is UNDECIDED in between, and where a value is missing. Published "
    "figures decide nothing."
)
_QUOTIENTS = (
    "Quotients and products are computed on logarithms: round by round (Student's t) if their "
    "values were measured in the same rounds, otherwise by Welch's t. "
)
_SUMS = {
    False: "Differences of top-1 are computed on the same images, from the images that only one "
    "model has right. For other sums and differences the half intervals of the parts are added: "
    "the result is wider than needed.",
    True: "For sums and differences the half intervals of the parts are added: the result is wider "
    "than needed.",
}
