"""Compares the processes of a run with each other, so that a process that was slow throughout is
detected.

A process judges its blocks by its own calm ones. Where a neighbour slowed it from beginning to end
it has none, or finds nothing amiss; beside the other processes of the cell it does. Beside those on
the same device alone: two GPUs of one model differ by 8 % on average, and the slower one of a run
is not disturbed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from cmx_bench.measures import conditions
from cmx_bench.metrics import first_of
from cmx_bench.results import collector
from cmx_bench.results.records import Record

# With fewer undisturbed processes, the disturbed count too: an interval needs three.
FEWEST_UNDISTURBED = 3


@collector.pausing()
def judge_together(records: Sequence[Record]) -> list[Record]:
    """The records, the blocks of each judged anew: causes by the fast probes of its setting, times
    by the calm blocks of its cell where it has too few of its own, both on its device.

    On a GPU the probes are those of its cell too: how high the clock is under a power limit depends
    on what is computed.
    """
    return judge_by(fast_probes(records), records)


def fast_probes(records: Iterable[Record]) -> dict[str, float | None]:
    """A fast probe of each setting, or on a GPU of each cell, on each device, by `_peers`."""
    probes: defaultdict[str, list[float]] = defaultdict(list)
    for record in records:
        probes[_peers(record)] += record.covariates.get("probe", ())
    return {peers: conditions.fast_probe(taken) for peers, taken in probes.items()}


def judge_by(fast: Mapping[str, float | None], records: Sequence[Record]) -> list[Record]:
    """As `judge_together`, for all records of some cells.

    Args:
        fast: as `fast_probes` gives them, of more records; a setting may be absent.
    """
    blocks = [_blocks(record, fast.get(_peers(record))) for record in records]
    calm: defaultdict[str, list[float]] = defaultdict(list)
    for record, taken in zip(records, blocks, strict=True):
        if taken:
            calm[_rivals(record)] += taken.calm
    return [
        _judge(record, taken, calm[_rivals(record)]) if taken else record
        for record, taken in zip(records, blocks, strict=True)
    ]


def _peers(record: Record) -> str:
    """Whose probes tell how fast the device is."""
    if "gpu_sm_clock" in record.covariates:
        return _rivals(record)
    return f"{record.setting} {record.environment}"


def _rivals(record: Record) -> str:
    """Whose times tell how fast the cell is: each device has an environment of its own."""
    return f"{record.cell} {record.environment}"


def is_disturbed(record: Record) -> bool:
    """Whether a process stayed disturbed: some of its blocks that count are disturbed."""
    disturbed, thrown = (record.covariates.get(name, ()) for name in ("disturbed", "discarded"))
    return any(one and not gone for one, gone in zip(disturbed, thrown, strict=False))


def counting(records: Sequence[Record]) -> list[Record]:
    """The processes of a cell that count: the undisturbed ones, or all if these are too few."""
    calm = [record for record in records if not is_disturbed(record)]
    return calm if len(calm) >= FEWEST_UNDISTURBED else list(records)


class _Blocks(NamedTuple):
    """The blocks of a record, in the order in which they were taken, and the rates of the calm
    ones."""

    samples: Mapping[str, list[float]]
    rates: list[float]
    conditions: list[conditions.Covariates]
    calm: list[float]


def _blocks(record: Record, fast: float | None) -> _Blocks | None:
    """What was measured in blocks; None where no probe stands between them, so that a process knows
    as much as the run."""
    if not record.covariates.get("probe") or first_of(record.measure) not in record.values:
        return None
    metric = first_of(record.measure)
    taken = {name: in_order(record, name) for name in record.values}
    samples = {name: values for name, (values, flags) in taken.items() if flags == taken[metric][1]}
    rates, blocks = samples[metric], conditions.read_back(record.covariates, fast)
    return _Blocks(samples, rates, blocks, conditions.calm(rates, blocks))


def _judge(record: Record, blocks: _Blocks, of_cell: Sequence[float]) -> Record:
    """The record judged by its own calm blocks or, where these are too few, by its cell's."""
    reference = conditions.calm_rate(blocks.calm) or conditions.calm_rate(of_cell)
    slowed = conditions.add_slowdowns(blocks.rates, blocks.conditions, reference)
    anew = conditions.judge(blocks.samples, slowed)
    values = {**record.values, **anew.values}
    return replace(record, values=values, covariates=anew.covariates, discarded=anew.discarded)


def in_order(record: Record, metric: str) -> tuple[list[float], list[bool]]:
    """All samples in the order in which they were taken, and which of them are discarded."""
    kept, thrown = list(record.values.get(metric, ())), list(record.discarded.get(metric, ()))
    discarded = record.covariates.get("discarded", ())
    if len(discarded) != len(kept) + len(thrown):
        return [*kept, *thrown], [False] * len(kept) + [True] * len(thrown)
    left = {False: iter(kept), True: iter(thrown)}
    flags = [bool(flag) for flag in discarded]
    return [next(left[flag]) for flag in flags], flags
