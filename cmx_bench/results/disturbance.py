"""Processes of a run judged by each other: a machine that was slow throughout one shows in the
probes of the others.

A process judges its blocks by its own fastest probes. Where a neighbour slowed it from beginning to
end it finds nothing amiss; beside the other processes of the setting it does.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence

from cmx_bench.measures import Watched, conditions
from cmx_bench.metrics import first_of
from cmx_bench.results.records import Record

# With fewer undisturbed processes, the disturbed count too: an interval needs three.
FEWEST_UNDISTURBED = 3


def judged_together(records: Sequence[Record]) -> list[Record]:
    """The records, the blocks of each judged anew by the fastest probes of its setting."""
    probes: defaultdict[str, list[float]] = defaultdict(list)
    for record in records:
        probes[record.setting] += record.covariates.get("probe", ())
    bars = {setting: conditions.bar(found) for setting, found in probes.items()}
    return [_judged(record, bars[record.setting]) for record in records]


def by_cell(records: Sequence[Record]) -> defaultdict[str, list[Record]]:
    """Records by the key of their cell."""
    cells: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        cells[record.cell].append(record)
    return cells


def cells_together(found: Mapping[str, Sequence[Record]]) -> Mapping[str, list[Record]]:
    """As `judged_together`, for records by cell."""
    return by_cell(judged_together([record for mine in found.values() for record in mine]))


def disturbed(record: Record) -> bool:
    """Whether a process stayed disturbed: some of the blocks that count are."""
    found, thrown = (record.covariates.get(name, ()) for name in ("disturbed", "discarded"))
    return any(one and not gone for one, gone in zip(found, thrown, strict=False))


def counting(records: Sequence[Record]) -> list[Record]:
    """The processes of a cell that count: the undisturbed, or all where these are too few."""
    calm = [record for record in records if not disturbed(record)]
    return calm if len(calm) >= FEWEST_UNDISTURBED else list(records)


def _judged(record: Record, bar: float | None) -> Record:
    metric = first_of(record.measure) if record.covariates.get("probe") else None
    if metric is None or bar is None or metric not in record.values:
        return record
    kept, thrown = iter(record.values[metric]), iter(record.discarded.get(metric, ()))
    samples = [next(thrown if gone else kept) for gone in record.covariates["discarded"]]
    found: Watched = conditions.judged_by(metric, samples, record.covariates, bar)
    return dataclasses.replace(
        record,
        values={**record.values, **found.values},
        covariates=found.covariates,
        discarded=found.discarded,
    )
