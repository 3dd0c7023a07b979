"""Measured values added, subtracted, multiplied and divided, with the interval of what comes out.

Products and quotients are taken on logarithms: over the rounds of a run where their values were
measured in the same ones, for a round's drift then falls out of a quotient, and else by Welch's t.
Sums and differences take the ends of their parts' intervals: at least as wide as any dependence
between the parts can make it. But two top-1 on the same images differ by the images that only one
of the models has right: a paired interval, far narrower.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cmx_bench.cell import Setting
from cmx_bench.metrics import METRICS
from cmx_bench.results import agreement, stats
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result
from cmx_bench.spec.claims import Number, Operation, Quantity, Value


@dataclass(frozen=True, slots=True)
class Span:
    """A value with its 95 % interval, whose ends are the value itself where it is exact; a
    `disturbed` one rests on a disturbed value."""

    value: float
    low: float
    high: float
    disturbed: bool = False

    @property
    def exact(self) -> bool:
        return self.low == self.high

    @property
    def apart(self) -> bool:
        """Whether a quotient is known to be no 1: its interval lies on one side of it."""
        return self.low > 0 and not self.low <= 1 <= self.high


class UnknownError(Exception):
    """A quantity has no value, or none with an interval; the text says why."""


@dataclass(frozen=True, slots=True)
class _Product:
    """A number times powers of values that were sampled in several processes, all positive."""

    factor: float
    powers: Mapping[tuple[str, str], tuple[Result, int]] = field(default_factory=dict)


def span(quantity: Quantity, report: Report, setting: Setting) -> Span:
    """The value of a quantity in a setting.

    Raises:
        UnknownError: a part of it has no value, or no interval.
    """
    span = _span(_evaluate(quantity, report, setting))
    if not all(map(math.isfinite, (span.value, span.low, span.high))):
        raise UnknownError("it is larger than a number can be")
    return span


def _evaluate(quantity: Quantity, report: Report, setting: Setting) -> _Product | Span:
    if isinstance(quantity, Number):
        return _Product(quantity.value)
    if isinstance(quantity, Value):
        return _look_up(quantity, report, setting)
    if quantity.sign in "+-":
        return _add(_parts(quantity), report, setting)
    left, right = (_evaluate(side, report, setting) for side in (quantity.left, quantity.right))
    return _times(left, right if quantity.sign == "*" else _inverse(right))


def _look_up(value: Value, report: Report, setting: Setting) -> _Product | Span:
    name = f"{METRICS[value.metric].title} of {value.model}"
    if all(metric != value.metric for _, _, metric in report.results):
        raise UnknownError(f"{value.metric} is not measured here")
    model = report.models[value.model]
    result = report.result(model, setting, value.metric)
    if result is None or result.status in ("not measured", "skipped"):
        why = f": {result.reason}" if result is not None and result.reason else ""
        raise UnknownError(f"{name} is not measured here{why}")
    if result.status == "failed" or result.value is None:
        raise UnknownError(f"{name} failed: {result.reason}")
    if result.about.exact:
        return _Product(result.value)
    if result.low != result.high and result.n > 1 and _has_logarithm(result):
        return _Product(1.0, {(value.metric, value.model): (result, 1)})
    if result.low is None or result.high is None:
        raise UnknownError(f"{name} comes from one process and has no interval")
    return Span(result.value, result.low, result.high, result.disturbed)


def _has_logarithm(result: Result) -> bool:
    """Whether it was sampled over processes, all of them positive."""
    return result.about.noise == "process" and min(result.medians.values(), default=1.0) > 0


# --- sums -----------------------------------------------------------------------------------------


def _parts(quantity: Quantity, sign: int = 1) -> list[tuple[int, Quantity]]:
    """What a quantity adds (1) and subtracts (-1)."""
    if isinstance(quantity, Operation) and quantity.sign in "+-":
        second = sign if quantity.sign == "+" else -sign
        return [*_parts(quantity.left, sign), *_parts(quantity.right, second)]
    return [(sign, quantity)]


def _add(parts: list[tuple[int, Quantity]], report: Report, setting: Setting) -> Span:
    """Two top-1 of which one is subtracted by their images, every other part by its own ends."""
    value = low = high = 0.0
    disturbed = False
    while parts:
        sign, first = parts.pop(0)
        span = None
        for part in parts:
            if part[0] == -sign and (span := _pair(first, part[1], report, setting)):
                parts.remove(part)
                break
        span = span or _span(_evaluate(first, report, setting))
        ends = sorted((sign * span.low, sign * span.high))
        value, low, high = value + sign * span.value, low + ends[0], high + ends[1]
        disturbed |= span.disturbed
    return Span(value, low, high, disturbed)


def _pair(first: Quantity, second: Quantity, report: Report, setting: Setting) -> Span | None:
    """The first less the second, both a top-1 of one training on the same images; None for any
    other two."""
    match first, second:
        case Value("top1", one), Value("top1", other) if not report.over_seeds:
            voters = (other, setting.key), (one, setting.key)
            if report.votes.classes.keys() >= set(voters):
                difference = agreement.pair(report.votes, *voters).difference
                return Span(difference.value, difference.low, difference.high)
    return None


# --- products -------------------------------------------------------------------------------------


def _times(left: _Product | Span, right: _Product | Span) -> _Product | Span:
    if isinstance(left, _Product) and isinstance(right, _Product):
        powers = dict(left.powers)
        for key, (result, power) in right.powers.items():
            powers[key] = (result, power + powers.get(key, (result, 0))[1])
        kept = {key: power for key, power in powers.items() if power[1]}
        return _Product(_multiply(left.factor, right.factor), kept)
    first, second = _span(left), _span(right)
    ends = [_multiply(a, b) for a in (first.low, first.high) for b in (second.low, second.high)]
    disturbed = first.disturbed or second.disturbed
    return Span(first.value * second.value, min(ends), max(ends), disturbed)


def _multiply(first: float, second: float) -> float:
    """A product that is zero only where a factor is, and infinite only where one is."""
    product = first * second
    if math.isinf(product) and math.isfinite(first) and math.isfinite(second):
        raise UnknownError("it is larger than a number can be")
    if first and second and abs(product) < sys.float_info.min:
        raise UnknownError("it is smaller than a number can be")
    return product


def _inverse(quantity: _Product | Span) -> _Product | Span:
    if isinstance(quantity, _Product):
        if not quantity.factor:
            raise UnknownError("it divides by zero")
        powers = {key: (result, -power) for key, (result, power) in quantity.powers.items()}
        return _Product(_multiply(1 / quantity.factor, 1.0), powers)
    if quantity.low <= 0 <= quantity.high:
        raise UnknownError("it divides by a value that may be zero")
    return Span(1 / quantity.value, 1 / quantity.high, 1 / quantity.low, quantity.disturbed)


def _span(quantity: _Product | Span) -> Span:
    if isinstance(quantity, Span):
        return quantity
    if not quantity.powers:
        return Span(quantity.factor, quantity.factor, quantity.factor)
    return _exponential(quantity.factor, list(quantity.powers.values()))


def _exponential(factor: float, sides: Sequence[tuple[Result, int]], level: float = 0.95) -> Span:
    """A factor times powers: paired by round where all were measured in the same ones."""
    rounds = list(sides[0][0].medians)
    if all(result.medians.keys() == set(rounds) for result, _ in sides):
        logs = [[power * math.log(result.medians[replicate]) for replicate in rounds]
                for result, power in sides]  # fmt: skip
        change = stats.compare_pairs(list(map(sum, zip(*logs, strict=True))))
    else:
        change = stats.product([(list(side.medians.values()), power) for side, power in sides])
    value, *ends = (
        _multiply(factor, _exp(exponent))
        for exponent in (change.value, change.bound((1 - level) / 2), change.bound((1 + level) / 2))
    )
    disturbed = any(result.disturbed for result, _ in sides)
    return Span(value, min(ends), max(ends), disturbed)


def _exp(exponent: float) -> float:
    try:
        return math.exp(exponent) or math.ulp(0.0)
    except OverflowError:
        return math.inf


def quotient(first: Result, second: Result, level: float = 0.95) -> Span | None:
    """One result over another of the same run, with its interval; None where either has none, or
    where it is no size that a number has."""
    if not all(len(side.medians) > 1 and _has_logarithm(side) for side in (first, second)):
        return None
    try:
        span = _exponential(1.0, [(first, 1), (second, -1)], level)
    except UnknownError:
        return None
    return span if all(map(math.isfinite, (span.value, span.low, span.high))) else None


# --- comparisons ----------------------------------------------------------------------------------


def held(
    left: Quantity, right: Quantity, report: Report, setting: Setting
) -> tuple[Quantity, float]:
    """What decides a comparison: a quantity and the number that it is to be held against.

    A quotient against 1 where both sides are products of positive values, for it has the narrower
    interval; a difference against 0 otherwise; the left side itself against a number.

    Raises:
        UnknownError: a part of a side has no value, or no interval.
    """
    sides = [_evaluate(side, report, setting) for side in (left, right)]
    if isinstance(right, Number):
        return left, right.value
    if all(isinstance(side, _Product) and side.factor > 0 for side in sides):
        return Operation("/", left, right), 1.0
    return Operation("-", left, right), 0.0
