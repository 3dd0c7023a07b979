"""What every readable format shows: made once, however many formats are written."""

from __future__ import annotations

from dataclasses import dataclass

from cmx_bench.present.content import Table
from cmx_bench.report.figures import Plots, plots
from cmx_bench.report.tables import tables
from cmx_bench.results.nouns import Report


@dataclass(frozen=True, slots=True)
class Content:
    """A report with its tables and plots: Table 1 of each setting comes `first`."""

    report: Report
    first: tuple[Table, ...]
    rest: tuple[Table, ...]
    plots: Plots


def content(report: Report) -> Content:
    made = tables(report)
    first = tuple(table for table in made if table.key.startswith("table1-"))
    return Content(report, first, tuple(made[len(first) :]), plots(report))
