"""What is not in a report: what failed, what counts for nothing, what was not measured."""

from __future__ import annotations

from cmx_bench.present.content import Column, Table, first_few
from cmx_bench.report import entries
from cmx_bench.results.nouns import Report

_MANY = 12  # models that a row names


def failures(report: Report) -> Table:
    """Every process that failed and every contradiction, with the reason."""
    columns = (Column("cell", "Cell"), Column("process", "Process", "right"),
               Column("reason", "Reason"))  # fmt: skip
    rows = (
        (failure.cell, "all" if failure.replicate is None else failure.replicate, failure.reason)
        for failure in report.failures
    )
    return entries.table("failures", "Failures", columns, rows, naming=2)


def left_out(report: Report) -> Table:
    """The records that count for nothing, and why."""
    columns = (Column("cell", "Cell"), Column("process", "Process", "right"),
               Column("environment", "Environment"), Column("reason", "Reason"),
               Column("differences", "Differs in"))  # fmt: skip
    rows = (
        (record.cell, record.replicate, record.environment, record.reason, "; ".join(differences))
        for record in report.left_out
        for differences in [[f"{name}: {here} here, {there} elsewhere"
                             for name, (here, there) in record.differences.items()]]
    )  # fmt: skip
    remark = "These records are not used. Their values cannot be compared with the others."
    return entries.table("left-out", "Left out", columns, rows, [remark], naming=2)


def gaps(report: Report) -> Table:
    """What was not measured, and the command that measures it."""
    columns = (Column("what", "What"), Column("models", "Models"), Column("reason", "Reason"),
               Column("remedy", "How to measure it"))  # fmt: skip
    rows = (
        (gap.what, first_few(gap.models, _MANY) or "all", gap.reason, gap.remedy)
        for gap in report.gaps
    )
    return entries.table("not-measured", "Not measured", columns, rows)
