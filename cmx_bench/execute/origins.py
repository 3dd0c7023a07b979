"""The files that users' models are built from: one for each model of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from cmx_bench.cell import Cell
from cmx_bench.models.importing import Origin
from cmx_bench.results.contradictions import told
from cmx_bench.results.records import Record
from cmx_bench.worker.job import Outcome


def of(found: Iterable[Record]) -> dict[str, Origin]:
    """The origin of each model of which there are records that say it."""
    return {one.model: one.details["origin"] for one in found if one.details.get("origin")}


def changed(then: Mapping[str, Origin], now: Mapping[str, Origin]) -> str:
    """Which model is from another file now, or from another content; empty where none is."""
    for name in then.keys() & now.keys():
        if then[name]["sha256"] != now[name]["sha256"]:
            return f"{name} was built from {told(then[name])}, now from {told(now[name])}"
    return ""


def checked(cell: Cell, outcome: Outcome, known: dict[str, Origin]) -> Outcome:
    """The outcome, or a failure where its model is not that of the cells before; the first of a
    model is added to those `known`."""
    mine = outcome.details.get("origin")
    if not mine:
        return outcome
    first = known.setdefault(cell.model.name, mine)
    if first["sha256"] == mine["sha256"]:
        return outcome
    reason = (f"built from {told(mine)}, the run's other cells of it from {told(first)}; leave "
              f"the file alone and begin another run")  # fmt: skip
    return replace(outcome, values={}, covariates={}, discarded={}, details={}, reason=reason)
