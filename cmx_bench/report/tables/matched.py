"""The table of models made to order: what each is matched to, how closely, changed from what."""

from __future__ import annotations

from cmx_bench import units
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.report import entries
from cmx_bench.results.nouns import Report


def table(report: Report) -> Table:
    """One row a model that a `match:` of the suite stands for."""
    columns = (
        Column("network", "Network"),
        Column("target", "Matched to"),
        Column("residual", "Difference", "right", "Share of the target; of two targets the larger"),
        Column("departure", "Changed from the published design"),
        Column("nearest", "Nearest published model", title="Below it: its difference"),
    )
    rows = (
        (
            model,
            Entry(str(order["target"]), str(order["amounts"])),
            _difference(order["residual"]),
            order["departure"],
            Entry(str(order["nearest"]), _difference(order["nearest_residual"]).text),
        )
        for model in report.run.models
        if (order := model.matched)
    )
    return entries.table("matched", "Models made to order", columns, rows)


def _difference(residual: str | float) -> Entry:
    share = float(residual)
    return Entry(units.signed_percent(share), sort=share)
