"""results.csv, one row a figure in base units and full precision; and any table as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping

from cmx_bench.cell import Model
from cmx_bench.metrics import METRICS
from cmx_bench.present.content import Table
from cmx_bench.published import Published
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result
from cmx_bench.units import plain

COLUMNS = (
    "model", "label", "family", "setting", "metric", "value", "unit", "low", "high", "n", "status",
    "source",
)  # fmt: skip
_PUBLISHED = ("params", "macs", "throughput", "top1", "top5")


def render(report: Report) -> str:
    """results.csv: what was measured, failed or is missing, then what is published.

    A published row's `setting` holds the conditions it was taken under, its `status` the grade of
    its source: neither can be taken for a measurement of this run.
    """
    rows = [_measured(result) for result in report.results.values()]
    rows += [row for model in report.run.models for row in _published(report, model)]
    return _text([COLUMNS, *rows])


def side_by_side(reports: Mapping[str, Report]) -> str:
    """What several runs measured, each row behind the run's label."""
    rows = (
        [label, *_measured(result)]
        for label, report in reports.items()
        for result in report.results.values()
    )
    return _text([("run", *COLUMNS), *rows])


def _measured(result: Result) -> list[str]:
    estimate = result.estimate
    figures = [None, None, None] if estimate is None else [
        estimate.value, estimate.low, estimate.high]  # fmt: skip
    value, low, high = (_number(figure) for figure in figures)
    count = "0" if estimate is None else str(estimate.n)
    return [result.model, plain(result.label), result.family, result.setting, result.metric, value,
            result.unit, low, high, count, result.status, "measured"]  # fmt: skip


def _published(report: Report, model: Model) -> Iterator[list[str]]:
    for figure in report.published[model.name].figures:
        if figure.quantity in _PUBLISHED:
            yield _published_row(model, figure)


def _published_row(model: Model, figure: Published) -> list[str]:
    parts = (figure.tag, figure.dataset, figure.conditions, figure.variant)
    setting = ", ".join(part for part in parts if part)
    unit = METRICS[figure.quantity].unit if figure.quantity in METRICS else figure.unit
    return [model.name, plain(model.label), model.family, setting, figure.quantity,
            _number(figure.value), unit, "", "", "", f"grade {figure.grade}",
            f"published:{figure.source}"]  # fmt: skip


def _number(value: float | None) -> str:
    """Shortest text that reads back as the same number; whole numbers without a point."""
    if value is None:
        return ""
    return str(int(value)) if value == int(value) else repr(value)


def table(table: Table) -> str:
    """A table with its text as every format shows it; a row's footnotes stand in a last column."""
    rows = [
        [*(entry.flat for entry in row),
         "; ".join(dict.fromkeys(f"{n.mark}: {n.text}" for entry in row for n in entry.notes))]
        for row in table.rows
    ]  # fmt: skip
    return _text([[column.key for column in table.columns] + ["footnotes"], *rows])


def _text(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
