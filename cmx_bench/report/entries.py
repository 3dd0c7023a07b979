"""How one thing stands in a table: a network, a measured value, a published figure, nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from cmx_bench import published, units
from cmx_bench.cell import Model
from cmx_bench.present.content import Entry, Note, Origin
from cmx_bench.published import Published
from cmx_bench.report.tables.quantities import Span
from cmx_bench.results.stats import Estimate
from cmx_bench.results.summary import Result
from cmx_bench.units import plain

DASH = Entry("–", quiet=True)
NOT_MEASURED = Entry("not measured", quiet=True)
_SOME_FAILED = Note("✗", "some processes of this cell failed; the failures are listed below")
_WIDE = "↔"
_EXTRA_DATA = Note("‡", "weights pre-trained on more than ImageNet-1k, as their name says")
_TEACHER = Note("§", "weights distilled from a teacher, as their name says")


def network(model: Model) -> Entry:
    """The label, and below it the timm name with the tag of the weights, as timm writes them, or
    the name of their file."""
    weights = PurePath(model.weights or "").name
    between = "." if weights.replace("_", "").isalnum() else ", weights " if weights else ""
    return Entry(plain(model.label), plain(f"{model.name}{between}{weights}"))


def number(value: int | None) -> Entry:
    """A whole number, or a dash where there is none."""
    return DASH if value is None else Entry(str(value), sort=value)


def printed(figure: Published | None, known_tag: str | None = None) -> Entry:
    """A published figure as it is printed, marked where nobody checked it against its source.

    The tag of its weights stands below it, unless it is the `known_tag` of the row.
    """
    if figure is None:
        return Entry("", quiet=True)
    conditions = ", ".join(part for part in (figure.dataset, figure.conditions) if part)
    title = f"{figure.source}; {conditions}" if conditions else figure.source
    tag = "" if figure.tag == known_tag else figure.tag
    return Entry(figure.printed, tag, figure.value, title, grade_notes(figure))


def grade_notes(figure: Published) -> tuple[Note, ...]:
    """What a reader must know about a published figure before using it."""
    doubtful = [Note(f"†{figure.grade}", published.GRADES[figure.grade])] * figure.doubtful
    return (*doubtful, *(_training(figure.model, figure.tag) if figure.tag else ()))


def _training(architecture: str, tag: str) -> Iterator[Note]:
    """What weights have seen that others have not."""
    if published.extra_data(tag):
        yield _EXTRA_DATA
    if published.distilled(tag, architecture):
        yield _TEACHER


def measured(result: Result | None, unit: float | None = None, best: bool = False) -> Entry:
    """A measured value with its spread; in multiples of `unit`, or with a prefix where None."""
    if result is None:
        return DASH
    origin = Origin(result.cell, result.metric, result.unit)
    if result.estimate is None:
        if result.status == "failed":
            return Entry("failed", title=plain(result.reason), origin=origin)
        if result.status == "skipped":
            return Entry("skipped", title=plain(result.reason), quiet=True, origin=origin)
        return NOT_MEASURED
    value = result.estimate.value
    digits = digits_of(result)
    if unit is None:
        text = units.scaled(value, result.unit, digits)
    else:
        text = units.significant(value / unit, digits)
    notes = tuple(_doubts(result))
    return Entry(text, _spread(result), value, _interval(result), notes, best=best, origin=origin)


def ratio(span: Span) -> Entry:
    """A quotient, and below it its interval."""
    digits = units.digits_for(span.value, (span.high - span.low) / 2)
    low, high = (units.significant(edge, digits + 1) for edge in (span.low, span.high))
    return Entry(units.significant(span.value, digits), f"{low} to {high}", span.value)


def _doubts(result: Result) -> Iterator[Note]:
    if result.status == "failed":
        yield _SOME_FAILED
    if result.wide and result.wanted is not None:
        wanted = units.percent(result.wanted)
        yield Note(_WIDE, f"the interval stayed wider than the ± {wanted} wanted")
    if result.about.noise == "image":
        yield from _training(result.architecture, result.recipe)


def digits_of(result: Result) -> int:
    """The significant digits that a result's interval supports; 3 where it has none."""
    estimate = result.estimate
    if estimate is None or estimate.low is None or estimate.high is None:
        return 3
    return units.digits_for(estimate.value, (estimate.high - estimate.low) / 2)


def _spread(result: Result) -> str:
    """`± 0.84 %, n = 5`: how far to trust a sampled value; nothing where one process is all."""
    estimate = result.estimate
    alone = result.about.noise == "process" and result.planned == 1
    if estimate is None or result.about.exact or (alone and estimate.n == 1):
        return ""
    if result.about.noise == "image" and estimate.low is not None and estimate.high is not None:
        return f"{_points(estimate)}, n = {estimate.n:,} {result.over}"
    many = f"n = {estimate.n}"
    if estimate.n < result.planned:
        many += f" of {result.planned}"
    if estimate.low is None or estimate.high is None:
        return f"{many}, no interval"
    if (relative := estimate.relative_half_width) is not None:
        return f"± {units.percent(relative)}, {many}"
    half = units.scaled((estimate.high - estimate.low) / 2, result.unit, 2)
    return f"± {half}, {many}"


def _points(estimate: Estimate) -> str:
    """`± 1.4`, in points; `0 to 24` where ± would go beyond 0 % or 100 %."""
    low, half, high = estimate.low or 0.0, estimate.half_width or 0.0, estimate.high or 0.0
    if estimate.value - half >= 0 and estimate.value + half <= 1:
        return f"± {units.significant(100 * half, 2)}"
    return f"{units.significant(100 * low, 2)} to {units.significant(100 * high, 2)}"


def _interval(result: Result) -> str:
    estimate, unit = result.estimate, result.unit
    if estimate is None:
        return ""
    if result.about.exact:
        return f"exactly {units.exact(estimate.value)} {unit}".rstrip()
    if estimate.low is None or estimate.high is None:
        return "one process: no interval"
    low, high = (units.scaled(edge, unit, 5) for edge in (estimate.low, estimate.high))
    return f"95 % interval {low} to {high} over {estimate.n:,} {result.over}"
