"""How one thing stands in a table: a network, a measured value, a published figure, nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import compress
from pathlib import PurePath

from cmx_bench import published, units
from cmx_bench.cell import Model, Setting, slug
from cmx_bench.present.content import DISTURBED, Column, Entry, Note, Origin, Table
from cmx_bench.published import Published
from cmx_bench.report.tables.quantities import Span
from cmx_bench.results.disturbance import FEWEST_UNDISTURBED
from cmx_bench.results.stats import Estimate
from cmx_bench.results.summary import Result

DASH = Entry("–", quiet=True)
NOT_MEASURED = Entry("not measured", quiet=True)
_DISTURBED = Note(
    DISTURBED,
    f"disturbed: fewer than {FEWEST_UNDISTURBED} of its processes were calm, so that it rests on "
    "others too; it may be off by more than its interval",
)
_SOME_FAILED = Note("✗", "some processes of this cell failed; the failures of its run say why")
_LAUNCH_BOUND = Note(
    "¶",
    "launch-bound: measures the host, which needs nearly all of the time to launch the kernels; a "
    "larger batch, or compile: reduce-overhead, would measure the GPU",
)
_GIVEN = Note(
    "◊",
    "rests on the user's word on operators that no rule counts: the report has a table of these",
)
_NOT_SEEN = Note(
    "∅",
    "not above zero: the process was not seen to grow, for what it had before was enough; smaller "
    "than can be measured, and not the least",
)
_EXTRA_DATA = Note("‡", "weights trained on more data than ImageNet-1k, according to their name")
_TEACHER = Note("§", "weights distilled from a teacher, according to their name")
# Parts of keys that say too little by themselves.
_PARTS = {
    "default": "compiled (default)", "reduce_overhead": "compiled (reduce-overhead)",
    "max_autotune": "compiled (max-autotune)", "frozen": "frozen weights",
}  # fmt: skip


def table(
    key: str,
    title: str,
    columns: Iterable[Column],
    rows: Iterable[Iterable[object]],
    remarks: Iterable[str] = (),
    folded: bool = False,
    naming: int = 1,
) -> Table:
    """A table from rows of entries, and of what has an entry of its own: see `entry`."""
    written = tuple(tuple(map(entry, row)) for row in rows)
    return Table(key, title, tuple(columns), written, tuple(remarks), folded, naming)


def fill(
    columns: Sequence[Column], rows: Iterable[Iterable[object]]
) -> tuple[tuple[Column, ...], list[tuple[Entry, ...]]]:
    """The columns that have something in any row, and the rows in these."""
    written = [tuple(map(entry, row)) for row in rows]
    kept = [any(row[place].text not in ("", DASH.text) for row in written)
            for place in range(len(columns))]  # fmt: skip
    return tuple(compress(columns, kept)), [tuple(compress(row, kept)) for row in written]


def on(hardware: str, table: Table) -> Table:
    """The table of one kind of device: its key and title name it where a run has several kinds."""
    if not hardware:
        return table
    title = f"{table.title} · {hardware}"
    return replace(table, key=key_on(hardware, table.key), title=title)


def key_on(hardware: str, key: str) -> str:
    """The key of a table of one kind of device."""
    end = f"-{slug(hardware)}" if hardware else ""
    return f"{key.removesuffix(end)}{end}"


def entry(value: object) -> Entry:
    """How a value stands in a table where nothing more is said of it: an entry as it is."""
    match value:
        case Entry():
            return value
        case None:
            return DASH
        case Model():
            return network(value)
        case Setting():
            return Entry(value.title, value.key)
        case int():
            return Entry(str(value), sort=value)
        case _:
            return Entry(str(value))


def in_words(key: str) -> str:
    """`cpu, fp32, nchw, eager, batch 64, images of 224 × 224`: the key of a setting, or what those
    of several have in common."""
    return ", ".join(map(_part_in_words, key.split("-")))


def _part_in_words(part: str) -> str:
    number = part[1:]
    if not number.isdecimal():
        return _PARTS.get(part, part.replace("_", " "))
    numbered = {
        "b": f"batch {number}",
        "r": f"images of {number} × {number}",
        "t": units.tally(int(number), "thread"),
    }
    return numbered.get(part[0], part)


def network(model: Model) -> Entry:
    """The label, and below it the timm name with the tag of the weights, as timm writes them, or
    the name of their file."""
    weights = PurePath(model.weights or "").name
    between = "." if weights.replace("_", "").isalnum() else ", weights " if weights else ""
    return Entry(model.label, f"{model.name}{between}{weights}")


def show_figure(figure: Published | None, known_tag: str | None = None) -> Entry:
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
    if published.is_distilled(tag, architecture):
        yield _TEACHER


def show(result: Result | None, unit: float | None = None, best: bool = False) -> Entry:
    """A measured value with its spread; in multiples of `unit`, or with a prefix where None."""
    if result is None:
        return DASH
    estimate, origin = result.estimate, Origin(result.cell, result.metric, result.unit)
    if estimate is None and result.status == "not measured":
        return NOT_MEASURED
    if estimate is None:
        skipped = result.status == "skipped"
        return Entry(result.status, title=result.reason, quiet=skipped, origin=origin)
    value, digits = estimate.value, digits_of(result)
    factor, name = units.step(value, result.unit) if unit is None else (unit, "")
    alone = estimate.half_width is None and not result.about.exact
    if alone or result.disturbed:
        number = units.coarsen(value / factor, digits)
    else:
        number = units.multiple(value, factor, digits, result.about.exact)
    text, title = f"{number} {name}".rstrip(), "one process, therefore no interval"
    if result.about.exact:
        title = f"exactly {units.exact(value)} {result.unit}".rstrip()
    elif estimate.low is not None and estimate.high is not None:
        low, high = (units.scale(edge, result.unit, 5) for edge in (estimate.low, estimate.high))
        title = f"95 % interval {low} to {high} over {estimate.n:,} {result.over}"
    spread, notes = _spread(result, estimate), tuple(_doubts(result))
    return Entry(text, spread, value, title, notes, best=best, origin=origin)


def ratio(span: Span) -> Entry:
    """A quotient, and below it its interval."""
    digits = units.digits_for(span.value, (span.high - span.low) / 2, disturbed=span.disturbed)
    for edge in (span.low, span.high):  # an interval without 1 must not seem to end there
        digits = units.digits_apart(edge, 1.0, digits + 1) - 1
    low, high = (units.significant(edge, digits + 1) for edge in (span.low, span.high))
    text = units.significant(span.value, digits)
    return Entry(text, f"{low} to {high}", span.value, notes=disturbed_notes(span.disturbed))


def quotient(span: Span | None, first: Result, second: Result) -> Entry:
    """One value over another that is above zero, with the interval of their quotient if it has
    one."""
    if span is not None:
        return ratio(span)
    value = (first.value or 0.0) / (second.value or 1.0)
    notes = disturbed_notes(first.disturbed or second.disturbed)
    return Entry(units.coarsen(value, 2), "no interval", value, notes=notes)


def show_correlation(rho: float, networks: int = 0, disturbed: bool = False) -> Entry | None:
    """A rank correlation; None where there is none, for all values of a side tie."""
    if math.isnan(rho):
        return None
    rho = round(rho, 9)  # pandas gives 0.9999999999999998 for equal orders
    title = f"{networks} networks" if networks else ""
    return Entry(units.fix(rho, 2, -1, 1), "", rho, title, disturbed_notes(disturbed))


def disturbed_notes(disturbed: bool) -> tuple[Note, ...]:
    """What a reader must know of what rests on disturbed processes; nothing of other values."""
    return (_DISTURBED,) if disturbed else ()


def _doubts(result: Result) -> Iterator[Note]:
    yield from disturbed_notes(result.disturbed)
    if result.status == "failed":
        yield _SOME_FAILED
    if result.launch_bound:
        yield _LAUNCH_BOUND
    if result.wide and result.wanted is not None:
        wanted = units.percent(result.wanted)
        yield Note("↔", f"the interval stayed wider than the wanted ± {wanted}")
    if result.about.noise == "image":
        yield from _training(result.architecture, result.recipe)
    if result.unit == "B" and result.about.noise == "process" and (result.value or 0.0) <= 0:
        yield _NOT_SEEN
    if result.details.get("given"):
        yield _GIVEN


def digits_of(result: Result) -> int:
    """The significant digits that a result's interval supports; 3 of an exact one. A share that is
    not whole has as many as tell it from one that is."""
    estimate = result.estimate
    if estimate is None or result.about.exact:
        return 3
    half = estimate.half_width
    digits = units.digits_for(estimate.value, half, result.unit, result.disturbed)
    return units.digits_apart(estimate.value, 1.0, digits) if result.unit == "fraction" else digits


def _spread(result: Result, estimate: Estimate) -> str:
    """`± 0.84 %, n = 5`: how far to trust a sampled value; nothing where one process is all."""
    alone = result.about.noise == "process" and result.planned == 1
    if result.about.exact or (alone and estimate.n == 1):
        return ""
    half = estimate.half_width
    if result.about.noise == "image" and half is not None:
        points = f"± {units.significant(100 * half, 2)}"
        if estimate.value < half or estimate.value + half > 1:  # ± would go beyond 0 % or 100 %
            edges = (units.hundredths(edge or 0.0, 2) for edge in (estimate.low, estimate.high))
            points = " to ".join(edges)
        return f"{points}, n = {estimate.n:,} {result.over}"
    # `4 of 10` where it leaves out others, or was to have more
    many = f"n = {units.part(result.n, max(result.planned, result.n + result.left_out))}"
    if half is None:
        return f"{many}, no interval"
    relative = estimate.relative_half_width
    shown = units.scale(half, result.unit, 2) if relative is None else units.percent(relative)
    return f"± {shown}, {many}"
