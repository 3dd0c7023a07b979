"""What every readable format shows: made once, however many formats are written."""

from __future__ import annotations

from dataclasses import dataclass

from cmx_bench.present.content import Table
from cmx_bench.report.figures import Plots, plots
from cmx_bench.report.findings import Findings, findings
from cmx_bench.report.nouns import Report
from cmx_bench.report.tables import tables


@dataclass(frozen=True, slots=True)
class Content:
    """A report with what was found, its tables and plots: Table 1 of each setting comes `first`."""

    report: Report
    findings: Findings
    first: tuple[Table, ...]
    rest: tuple[Table, ...]
    plots: Plots


def content(report: Report) -> Content:
    """All that every readable format shows of a report."""
    every = tables(report)
    first = tuple(table for table in every if table.key.startswith("table1-"))
    return Content(
        report, findings(report, every), first, tuple(every[len(first) :]), plots(report)
    )
