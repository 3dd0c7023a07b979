"""The table of models made to order: what each is matched to, how closely, changed from what."""

from __future__ import annotations

from cmx_bench import units
from cmx_bench.present.content import Column, Entry, Table
from cmx_bench.report import entries
from cmx_bench.results.nouns import Report
from cmx_bench.units import plain


def table(report: Report) -> Table:
    """One row a model that a `match:` of the suite stands for."""
    columns = (
        Column("network", "Network"),
        Column("target", "Matched to"),
        Column("residual", "Off by", "right", "As a share of the target, of the worse of two"),
        Column("departure", "Changed from the published design"),
        Column("nearest", "Nearest published", title="And how far that one is off"),
    )
    rows = tuple(
        (
            entries.network(model),
            Entry(plain(str(found["target"])), str(found["amounts"])),
            _off(found["residual"]),
            Entry(str(found["departure"])),
            Entry(str(found["nearest"]), _off(found["nearest_residual"]).text),
        )
        for model in report.run.models
        if (found := model.matched)
    )
    return Table("matched", "Models made to order", columns, rows)


def _off(residual: str | float) -> Entry:
    share = float(residual)
    return Entry(units.signed_percent(share), sort=share)
