"""Decides which executions of a run count."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

from cmx_bench.metrics import METRICS
from cmx_bench.results import disturbance, environment
from cmx_bench.results.records import Record, Run

# Why a record counts for nothing; empty for one that counts.
Why: TypeAlias = Literal["", "tried again", "other environment"]


@dataclass(frozen=True, slots=True)
class Execution:
    """A record whose blocks are compared with the blocks of the other processes of its setting.

    `why` says why it counts for nothing. `differences` maps each field in which its environment is
    unlike that of the majority to this record's value and the majority's.
    """

    record: Record
    why: Why = ""
    differences: Mapping[str, tuple[Any, Any]] | None = None


def executions(run: Run, records: Sequence[Record]) -> list[Execution]:
    """Every record of a run, in the order in which they were measured."""
    last = {(record.cell, record.replicate): place for place, record in enumerate(records)}
    left = set(last.values())
    majority = majorities(run, (record for place, record in enumerate(records) if place in left))
    tries: list[Execution] = []
    for place, record in enumerate(records):
        if place not in left:
            tries.append(Execution(record, "tried again"))
        elif differences := _differences(run, record, majority):
            tries.append(Execution(record, "other environment", differences))
        else:
            tries.append(Execution(record))
    judged = iter(disturbance.judge_together([each.record for each in tries if not each.why]))
    return [each if each.why else Execution(next(judged)) for each in tries]


def majorities(run: Run, records: Iterable[Record]) -> dict[str, str]:
    """The environment that most ok records of each setting have. Comparable ones count as one, and
    are named by the first."""
    counts: dict[str, Counter[str]] = {}
    first: dict[str, str] = {}
    shapes = {
        digest: json.dumps(environment.comparable(run.environments.get(digest, {})), default=str)
        for digest in ("", *run.environments)
    }
    for record in records:
        if record.status == "ok" and not _exact_only(record.measure):
            shape = shapes.get(record.environment, shapes[""])
            counts.setdefault(record.setting, Counter())[shape] += 1
            first.setdefault(shape, record.environment)
    return {key: first[counter.most_common(1)[0][0]] for key, counter in counts.items()}


@cache
def _exact_only(measure: str) -> bool:
    """Whether a measure gives the same on every machine, so that environments do not matter."""
    exact = [metric.exact for metric in METRICS.values() if metric.measure == measure]
    return bool(exact) and all(exact)


def _differences(
    run: Run, record: Record, majority: Mapping[str, str]
) -> dict[str, tuple[Any, Any]]:
    if record.status != "ok" or _exact_only(record.measure):
        return {}
    own, most = record.environment, majority[record.setting]
    if own == most:
        return {}
    return environment.differences(run.environments.get(own, {}), run.environments.get(most, {}))
