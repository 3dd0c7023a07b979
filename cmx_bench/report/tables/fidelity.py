"""What was measured against what is published: counts, top-1, and throughput as ratios."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import combinations
from typing import NamedTuple

from pandas import DataFrame

from cmx_bench import published, units
from cmx_bench.cell import Model, Setting
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.published import Published
from cmx_bench.report import entries
from cmx_bench.report.tables import caveats, quantities
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result

PUBLISHED_SIZE = 224  # side of the images of the published figures, in pixels


def table(report: Report) -> Table:
    """Each measured value that has a published counterpart, and how far apart the two are."""
    columns = (
        Column("network", "Network"),
        Column("quantity", "Quantity"),
        Column("setting", "Setting"),
        Column("measured", "Measured", "right"),
        Column("published", "Published", "right"),
        Column("difference", "Difference", "right", "(measured − published) / published"),
        Column("finding", "Finding"),
    )
    models = report.run.models
    rows = [row for model in models for name in ("params", "macs")
            for row in _values(report, model, name, f"r{PUBLISHED_SIZE}")]  # fmt: skip
    for setting in report.run.settings:
        for model in models if report.on_imagenet else ():
            rows += _values(report, model, "top1", setting.key, setting.title)
        rows += _ratios(report, setting)
    remarks = [
        "Throughput is compared as a ratio of two networks, because the paper measured on another "
        "device (one RTX 8000, batch 64, half precision). A ratio that differs from the paper's "
        "shows a difference between the devices.",
        "Published MACs are raw counts of fvcore. The column Finding names what these are known to "
        "leave out or to add.",
    ]
    measured = any(key[2] == "top1" and each.estimate for key, each in report.results.items())
    if not (measured and report.on_imagenet):
        remarks.append("ImageNet top-1 is not measured here.")
    title = "Fidelity: measured against published"
    table = entries.table("fidelity", title, columns, rows, remarks, naming=3)
    return caveats.by_setting(report, table)


def _row(
    model: Model, quantity: str, setting: str, measured: Entry, printed: Entry, finding: str
) -> tuple[object, ...]:
    """A row of the table; what is measured and what is printed sort by the same base unit."""
    difference = None
    if measured.sort is not None and printed.sort is not None:
        share = measured.sort / printed.sort - 1
        difference = Entry(units.signed_percent(share), sort=share)
    return model.label, quantity, setting, measured, printed, difference, finding


def _values(
    report: Report, model: Model, metric: str, key: str, setting: str = ""
) -> Iterator[tuple[object, ...]]:
    """A metric of a model in the setting of a key against every published figure of it."""
    result, known = report.results.get((model.name, key, metric)), report.published[model.name]
    figures = (
        known.counts if metric == "macs" else (known.paper.get(metric), known.timm.get(metric))
    )
    for figure in figures:
        if figure is None or figure.value is None or result is None or result.value is None:
            continue
        if result.about.exact:
            measured = Entry(units.scale(result.value, result.unit, 5), sort=result.value)
            finding = _agreement(result.value, figure)
        else:
            measured = entries.show(result)
            finding = _inside(result.low, result.high, figure.value) + _tell_how(result, figure)
        text = f"{figure.printed} {figure.printed_unit}".rstrip()
        printed = replace(entries.show_figure(figure), text=text)
        yield _row(model, result.about.title, setting, measured, printed, finding)


def _agreement(value: float, figure: Published) -> str:
    """How well a count fits a printed one: its last digit may be rounded, or cut off; published
    MACs have known errors."""
    assert figure.value is not None
    printed = Decimal(figure.printed)
    unit = abs(figure.value / float(printed)) * 10.0 ** int(printed.as_tuple().exponent)
    distance = abs(value - figure.value) / unit
    if distance <= 0.5:
        return "agrees to the printed digits"
    if figure.quantity != "macs":
        return "differs in the last printed digit" if distance <= 1 else "differs"
    if figure.variant not in published.COUNTING_ERRORS:
        return "differs"
    least, most = published.COUNTING_ERRORS[figure.variant]
    known = least <= value / figure.value - 1 <= most
    agreement = "known error" if known else "differs by more or less than the known error"
    return f"{agreement}: {figure.conditions} {figure.variant}"


def _tell_how(result: Result, figure: Published) -> str:
    """`; measured with 224 px, crop 0.875, …` where a figure is of images prepared in another way;
    nothing where that is not known."""
    if "preprocessing" not in result.details or not figure.conditions:
        return ""
    geometry = result.details["preprocessing"]["geometry"]
    conditions = f"crop {geometry['crop_pct']:.3f}, {geometry['interpolation']}"
    ours = f"{geometry['image_size']} px, {conditions}"
    theirs = f"{figure.image_size} px, {figure.conditions}"
    return "" if ours == theirs else f"; measured with {ours}, published with {theirs}"


def _inside(low: float | None, high: float | None, theirs: float) -> str:
    if low is None or high is None:
        return "has no interval"
    return f"{'within' if low <= theirs <= high else 'outside'} the 95 % interval"


# --- throughput -----------------------------------------------------------------------------------


class Throughput(NamedTuple):
    """A throughput that is in the paper and was measured by processes of which none failed."""

    model: Model
    figure: Published
    published: float
    result: Result


def throughputs(report: Report, setting: Setting) -> list[Throughput]:
    """Those of a setting, in the order of the models."""
    return [
        Throughput(model, figure, figure.value, result)
        for model in report.run.models
        if (result := report.result(model, setting, "throughput")) and result.value
        if result.status == "ok"
        if (figure := report.published[model.name].paper.get("throughput")) and figure.value
    ]


def _ratios(report: Report, setting: Setting) -> Iterator[tuple[object, ...]]:
    every, size = throughputs(report, setting), setting.image_size
    unlike = f"; measured with {size} px, published with {PUBLISHED_SIZE} px"
    sizes = unlike * (size != PUBLISHED_SIZE)
    for compared in every[1:]:
        base = every[0]
        theirs = compared.published / base.published
        notes = (*entries.grade_notes(compared.figure), *entries.grade_notes(base.figure))
        printed = Entry(units.significant(theirs), sort=theirs, notes=tuple(dict.fromkeys(notes)),
                        title=f"{compared.figure.printed} / {base.figure.printed}")  # fmt: skip
        span = quantities.quotient(compared.result, base.result)
        measured = entries.quotient(span, compared.result, base.result)
        low, high = (None, None) if span is None else (span.low, span.high)
        quantity = f"Throughput relative to {base.model.label}"
        finding = _inside(low, high, theirs) + sizes
        yield _row(compared.model, quantity, setting.title, measured, printed, finding)


def order(report: Report) -> Table:
    """Whether the networks stand in the paper's order of throughput."""
    columns = (
        Column("setting", "Setting"),
        Column("models", "Networks", "right", "Whose throughput is measured and in the paper"),
        Column("rho", "Spearman's ρ", "right", "Rank correlation with the paper's throughput"),
        Column("same", "Pairs in the paper's order", "right"),
        Column("other", "In the other order", "right"),
        Column("undecided", "Undecided", "right",
               "Their ratio has no 95 % interval, or it contains 1, or the paper has them equal"),
    )  # fmt: skip
    rows = []
    for setting in report.run.settings:
        every = throughputs(report, setting)
        if len(every) > 2:
            values = DataFrame([(each.published, each.result.value) for each in every])
            rho = float(values.corr("spearman").to_numpy()[0, 1])
            doubtful = any(each.result.disturbed for each in every)
            shown = entries.show_correlation(rho, disturbed=doubtful)
            same = Counter(_same_order(*pair) for pair in combinations(every, 2))
            rows.append((setting, len(every), shown, same[True], same[False], same[None]))
    title = "Order by throughput, compared with the paper's"
    return caveats.by_setting(report, entries.table("order", title, columns, rows))


def _same_order(first: Throughput, second: Throughput) -> bool | None:
    """None where neither order is beyond doubt, here or in the paper."""
    span = quantities.quotient(first.result, second.result)
    if span is None or not span.apart or first.published == second.published:
        return None
    return (span.value > 1) is (first.published > second.published)
