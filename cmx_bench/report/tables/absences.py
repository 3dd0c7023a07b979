"""What is not in a report: what failed, what counts for nothing, what was not measured."""

from __future__ import annotations

from collections.abc import Sequence

from cmx_bench.present.content import Column, Entry, Table, first_few
from cmx_bench.report import entries
from cmx_bench.results.nouns import Report
from cmx_bench.units import plain


def failures(report: Report) -> Table:
    """Every process that failed and every contradiction, with the reason."""
    columns = (Column("cell", "Cell"), Column("process", "Process", "right"),
               Column("reason", "Reason"))  # fmt: skip
    rows = tuple(
        (
            Entry(plain(one.cell)),
            Entry("all") if one.replicate is None else entries.number(one.replicate),
            Entry(plain(one.reason)),
        )
        for one in report.failures
    )
    return Table("failures", "Failures", columns, rows, naming=2)


def left_out(report: Report) -> Table:
    """The records that count for nothing, and why."""
    columns = (Column("cell", "Cell"), Column("process", "Process", "right"),
               Column("environment", "Environment"), Column("reason", "Reason"),
               Column("differences", "Differs in"))  # fmt: skip
    rows = tuple(
        (
            Entry(plain(one.cell)),
            entries.number(one.replicate),
            Entry(one.environment),
            Entry(one.reason),
            Entry(plain("; ".join(_difference(*item) for item in one.differences.items()))),
        )
        for one in report.left_out
    )
    remark = "These records count for nothing: their values may not be compared with the rest."
    return Table("left-out", "Left out", columns, rows, (remark,), naming=2)


def _difference(name: str, values: tuple[object, object]) -> str:
    return f"{name}: {values[0]} here, {values[1]} elsewhere"


_MANY = 12


def gaps(report: Report) -> Table:
    """What was not measured, and the command that measures it."""
    columns = (Column("what", "What"), Column("models", "Models"), Column("reason", "Reason"),
               Column("remedy", "How to measure it"))  # fmt: skip
    rows = tuple(
        (
            Entry(plain(gap.what)),
            _names(gap.models),
            Entry(gap.reason),
            Entry(plain(gap.remedy)),
        )
        for gap in report.gaps
    )
    return Table("not-measured", "Not measured", columns, rows)


def _names(names: Sequence[str]) -> Entry:
    return Entry(plain(first_few(names, _MANY)) or "all")
