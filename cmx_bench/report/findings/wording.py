"""Numbers put into words: how many times, how many more, which of several."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cmx_bench import units
from cmx_bench.cell import Model
from cmx_bench.present.content import DISTURBED, Entry
from cmx_bench.report.tables.judgements import Judged
from cmx_bench.report.tables.quantities import Span
from cmx_bench.results.summary import Result

_MOST_DIGITS = 3
_MOST_NAMED = 3


def name(model: Model) -> str:
    """The label of a model on one line."""
    return " ".join(model.label.split())


def join(texts: Sequence[str]) -> str:
    """`a, b and c`; of more than three `a, b, c and 2 more`."""
    more = len(texts) - _MOST_NAMED
    parts = [*texts[:_MOST_NAMED], f"{more} more"] if more > 0 else list(texts)
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def are(count: int) -> str:
    """The verb behind a count."""
    return "is" if count == 1 else "are"


def times(span: Span) -> tuple[str, str]:
    """How many times larger the larger side is, and its interval: `4.3` and `3.4 to 5.3`.

    There are as many digits as the interval supports, and as it takes to tell its end from 1. What
    rests on a disturbed value is marked.

    Args:
        span: a quotient that is `apart` from 1, in either direction.
    """
    value, low, high = span.value, span.low, span.high
    if value < 1:
        value, low, high = 1 / value, 1 / high, 1 / low
    supported = units.digits_for(value, (high - low) / 2, disturbed=span.disturbed)
    digits = units.digits_apart(low, 1.0, min(_MOST_DIGITS, supported))
    shown, least, most = (units.significant(edge, digits) for edge in (value, low, high))
    interval = f"{least} to {most}" if least != most else "to all digits shown"
    return shown + mark_doubt(span), interval


def margin(span: Span) -> str:
    """How far from 1 a quotient may be: `± 12 %`, or `a factor of 3.2`."""
    furthest = max(span.high, 1 / span.low) if span.low > 0 else math.inf
    mark = mark_doubt(span)
    if furthest < 1.5:
        return f"± {units.percent(furthest - 1)}{mark}"
    return f"a factor of {units.significant(furthest, 2)}{mark}"


def mark_doubt(*values: Span | Result | Entry | Judged) -> str:
    """The mark behind what rests on a disturbed value."""
    return DISTURBED * any(value.disturbed for value in values)


def more_or_fewer(ratio: float, what: str) -> str:
    """`14 % fewer parameters`, `4.4 times the MACs`, `as many parameters`; `nearly as many` where
    less than 0.5 % is between them, and `less than 1 % of the MACs`: no model has 100 % fewer."""
    if abs(ratio - 1) < 0.005:
        return f"{'nearly ' if ratio != 1 else ''}as many {what}"
    if ratio >= 2:
        return f"{units.significant(ratio, 2)} times the {what}"
    if ratio < 0.01:
        return f"less than 1 % of the {what}"
    return f"{units.percent(abs(ratio - 1))} {'more' if ratio > 1 else 'fewer'} {what}"
