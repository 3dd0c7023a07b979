"""What was measured against what is published: counts, top-1, and throughput as ratios."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import combinations

from cmx_bench import published, units
from cmx_bench.cell import Model, Setting
from cmx_bench.metrics import METRICS
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.published import Published
from cmx_bench.report import entries
from cmx_bench.report.tables import caveats, quantities
from cmx_bench.report.tables.quantities import Span, UnknownError
from cmx_bench.results import stats
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result
from cmx_bench.spec.claims import Operation, Value
from cmx_bench.units import plain

# The image size of the published figures.
_PUBLISHED_SIZE = 224


def table(report: Report) -> Table:
    """Each measured value that has a published counterpart, and how far apart the two are."""
    columns = (
        Column("network", "Network"),
        Column("quantity", "Quantity"),
        Column("setting", "Setting"),
        Column("measured", "Measured", "right"),
        Column("published", "Published", "right"),
        Column("difference", "Difference", "right", "Of the measured from the published value"),
        Column("finding", "Finding"),
    )
    rows = [row for model in report.run.models for row in _counts(report, model)]
    rows += [row for setting in report.run.settings for row in _sampled(report, setting)]
    measured = any(key[2] == "top1" and one.estimate for key, one in report.results.items())
    measured = measured and report.on_imagenet
    remarks = [*_REMARKS, *([] if measured else ["ImageNet top-1 is not measured here."])]
    made = Table("fidelity", "Fidelity: measured against published", columns, tuple(rows),
                 tuple(remarks), naming=3)  # fmt: skip
    return caveats.by_setting(report, made)


_REMARKS = (
    "Throughput is compared as a ratio between two networks, for the paper's is of another device "
    "(one RTX 8000, batch 64, half precision): ratios that differ say that the devices do.",
    "Published MACs are raw counts of fvcore; what they are known to leave out or to add is named.",
)


def _counts(report: Report, model: Model) -> Iterator[tuple[Entry, ...]]:
    """Exact metrics against the paper's and timm's figures."""
    known = report.published[model.name]
    for figure in (known.paper.get("params"), *known.counts):
        if figure is None or figure.value is None:
            continue
        result = report.results.get((model.name, f"r{_PUBLISHED_SIZE}", figure.quantity))
        if result is None or result.estimate is None:
            continue
        finding = _agreement(result.estimate.value, figure)
        if figure.quantity == "macs" and finding != _AGREES:
            finding = _known_error(result.estimate.value, figure)
        metric, value = METRICS[figure.quantity], result.estimate.value
        measured = Entry(units.scaled(value, metric.unit, 5), sort=value)
        yield _row(
            model, metric.title, "", measured, _printed(figure), value / figure.value - 1, finding
        )  # fmt: skip


def _known_error(value: float, figure: Published) -> str:
    """Whether a published count is off by what its counter is known to get wrong."""
    assert figure.value is not None
    if figure.variant not in published.COUNTING_ERRORS:
        return "differs"
    least, most = published.COUNTING_ERRORS[figure.variant]
    known = least <= value / figure.value - 1 <= most
    about = f"{figure.conditions}, which {figure.variant}"
    return f"known: {about}" if known else f"differs by what is not known of {about}"


_AGREES = "agrees to the digits printed"


def _agreement(value: float, figure: Published) -> str:
    """How well a count fits a printed one: its last digit may be rounded, or cut off."""
    assert figure.value is not None
    printed = Decimal(figure.printed)
    unit = abs(figure.value / float(printed)) * 10.0 ** int(printed.as_tuple().exponent)
    distance = abs(value - figure.value) / unit
    if distance <= 0.5:
        return _AGREES
    return "differs in the last digit printed" if distance <= 1 else "differs"


def _sampled(report: Report, setting: Setting) -> Iterator[tuple[Entry, ...]]:
    for model in report.run.models:
        result = report.result(model, setting.key, setting.image_size, "top1")
        known = report.published[model.name]
        for figure in (known.paper.get("top1"), known.timm.get("top1")):
            if figure is not None and result is not None and report.on_imagenet:
                yield from _accuracy(model, setting, result, figure)
    compared = _compared(report, setting)
    for model, figure in compared[1:]:
        yield _ratio(report, setting, compared[0], (model, figure))


def _accuracy(
    model: Model, setting: Setting, result: Result, figure: Published
) -> Iterator[tuple[Entry, ...]]:
    estimate = result.estimate
    if estimate is None or figure.value is None:
        return
    span = (
        None
        if estimate.low is None or estimate.high is None
        else Span(estimate.value, estimate.low, estimate.high)
    )
    yield _row(
        model, METRICS["top1"].title, setting.name, entries.measured(result), _printed(figure),
        estimate.value / figure.value - 1, _finding(span, figure.value) + _prepared(result, figure),
    )  # fmt: skip


def _prepared(result: Result, figure: Published) -> str:
    """`; measured with 224 px, crop 0.875, …` where a figure is of images prepared in another way;
    nothing where that is not known."""
    found = result.details.get("preprocessing")
    if found is None or not figure.conditions:
        return ""
    geometry = found["geometry"]
    ours = (
        f"{geometry['image_size']} px, crop {geometry['crop_pct']:.3f}, {geometry['interpolation']}"
    )
    theirs = f"{figure.image_size} px, {figure.conditions}"
    return "" if ours == theirs else f"; measured with {ours}, published with {theirs}"


def _finding(span: Span | None, theirs: float) -> str:
    if span is None:
        return "has no interval"
    inside = span.low <= theirs <= span.high
    return "within the 95 % interval" if inside else "outside the 95 % interval"


# --- throughput -----------------------------------------------------------------------------------


def _compared(report: Report, setting: Setting) -> list[tuple[Model, Published]]:
    """The models whose throughput is both measured and in the paper; the first is the reference."""
    found = []
    for model in report.run.models:
        result = report.result(model, setting.key, setting.image_size, "throughput")
        figure = report.published[model.name].paper.get("throughput")
        if result is not None and result.estimate is not None and figure and figure.value:
            found.append((model, figure))
    return found


def _ratio(
    report: Report, setting: Setting, reference: tuple[Model, Published],
    compared: tuple[Model, Published],
) -> tuple[Entry, ...]:  # fmt: skip
    model, figure = compared
    first, base = reference
    assert figure.value and base.value
    theirs = figure.value / base.value
    quantity = f"Throughput over that of {plain(first.label)}"
    notes = tuple(dict.fromkeys((*entries.grade_notes(figure), *entries.grade_notes(base))))
    shown = Entry(units.significant(theirs), sort=theirs, notes=notes,
                  title=f"{figure.printed} / {base.printed}")  # fmt: skip
    try:
        span = _measured_ratio(report, setting, model, first)
    except UnknownError as error:
        return _row(model, quantity, setting.name, entries.NOT_MEASURED, shown, None, str(error))
    measured = entries.ratio(span)
    finding = _finding(span, theirs)
    return _row(model, quantity, setting.name, measured, shown, span.value / theirs - 1, finding)


def _measured_ratio(report: Report, setting: Setting, model: Model, over: Model) -> Span:
    quotient = Operation("/", Value("throughput", model.name), Value("throughput", over.name))
    return quantities.span(quotient, report, setting)


def _row(
    model: Model, quantity: str, setting: str, measured: Entry, published: Entry,
    difference: float | None, finding: str,
) -> tuple[Entry, ...]:  # fmt: skip
    apart = entries.DASH if difference is None else Entry(_signed(difference), sort=difference)
    return (
        Entry(plain(model.label)), Entry(quantity), Entry(setting), measured, published, apart,
        Entry(plain(finding)),
    )  # fmt: skip


def _signed(share: float) -> str:
    sign = "−" if share < 0 else "+"
    return f"{sign}{units.percent(abs(share))}" if share else "0 %"


def _printed(figure: Published) -> Entry:
    """A published figure with its unit; the tag of its weights stands below it."""
    shown = entries.printed(figure)
    unit = figure.printed_unit
    return Entry(
        f"{shown.text} {unit}".rstrip(), shown.detail, shown.sort, shown.title, shown.notes
    )


# --- order ----------------------------------------------------------------------------------------


def order(report: Report) -> Table:
    """Whether the networks stand in the paper's order of throughput."""
    columns = (
        Column("setting", "Setting"),
        Column("models", "Networks", "right", "Whose throughput is measured and in the paper"),
        Column("rho", "Spearman's ρ", "right", "Rank correlation with the paper's throughput"),
        Column("same", "Pairs in the paper's order", "right"),
        Column("other", "In the other order", "right"),
        Column("undecided", "Undecided", "right", "The ratio's 95 % interval holds 1"),
    )
    rows = tuple(
        _ordered(report, setting, found)
        for setting in report.run.settings
        if len(found := _compared(report, setting)) > 2
    )
    made = Table("order", "Order by throughput, beside the paper's", columns, rows)
    return caveats.by_setting(report, made)


def _ordered(
    report: Report, setting: Setting, compared: Sequence[tuple[Model, Published]]
) -> tuple[Entry, ...]:
    measured = [
        result.estimate.value
        for model, _ in compared
        if (result := report.result(model, setting.key, setting.image_size, "throughput"))
        and result.estimate
    ]
    rho = stats.spearman(measured, [figure.value or 0.0 for _, figure in compared])
    verdicts = [_same_order(report, setting, *pair) for pair in combinations(compared, 2)]
    return (
        Entry(setting.name, setting.key),
        entries.number(len(compared)),
        Entry(f"{rho:.2f}", sort=rho),
        *(entries.number(verdicts.count(one)) for one in (True, False, None)),
    )


def _same_order(
    report: Report, setting: Setting, one: tuple[Model, Published], other: tuple[Model, Published]
) -> bool | None:
    """None where neither order is beyond doubt, here or in the paper."""
    assert one[1].value and other[1].value
    try:
        span = _measured_ratio(report, setting, one[0], other[0])
    except UnknownError:
        return None
    if span.low <= 1 <= span.high or one[1].value == other[1].value:
        return None
    return (span.value > 1) is (one[1].value > other[1].value)
