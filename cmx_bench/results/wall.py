"""The time that measuring took. Pauses do not count, and parallel work counts once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from heapq import heapreplace
from typing import TypeAlias

from cmx_bench.results.records import Record

# The seconds since 1970 between which something was measured.
_Interval: TypeAlias = tuple[float, float]


def seconds(records: Sequence[Record]) -> float:
    """The seconds in which anything was measured: the length of the union of all intervals."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(_intervals(records)):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def _intervals(records: Sequence[Record]) -> Iterator[_Interval]:
    """When each record was measured; of trainings one interval for all with the same seed.

    A training is recorded when all of its seed have ended and it has been evaluated, with the
    seconds of both. Its record therefore does not say when it ran: the trainings are laid out as
    they were started, so many at once, before the end of the last record.
    """
    trained: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)
    for record in records:
        if record.details.get("training"):
            trained[record.setting, record.replicate].append(record)
        else:
            end = _end(record)
            yield end - record.elapsed, end
    for together in trained.values():
        at_once = max(record.details["training"].get("at_once", 1) for record in together)
        lanes = [0.0] * min(at_once, len(together))
        for record in together:
            heapreplace(lanes, lanes[0] + record.elapsed)
        end = max(map(_end, together))
        yield end - max(lanes), end


def _end(record: Record) -> float:
    return datetime.fromisoformat(record.started).timestamp() + record.elapsed
