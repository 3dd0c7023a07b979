"""How often the interval of a throughput holds the value of a long reference run.

``python tests/bench/coverage.py record FILE ROUNDS`` measures the models of suites/ci.yaml in
rounds as `run` does, and appends its records. ``… rates FILE [PROCESSES [APART …]]`` takes rounds
in a row for one repeat, or every second, third, … as `run --spread` would, as many as `run` would
have taken until each model has so many processes that were not disturbed, and all other rounds for
its reference, which so lasted as long as all repeats and was measured beside them.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from cmx_bench.execute import rounds
from cmx_bench.results import disturbance, gaps, stats
from cmx_bench.results.grouping import group
from cmx_bench.results.records import Record
from cmx_bench.results.stats import Estimate
from cmx_bench.spec import suite
from cmx_bench.worker import local
from cmx_bench.worker.job import Job, Round
from cmx_bench.worker.targets import Target


def record(file: Path, count: int) -> None:
    plan = local.call(Target.MAKE_PLAN, suite.load("ci"), "cpu")
    cells = [cell for cell in plan.cells if cell.measure == "throughput"]
    for number in range(count):
        begin = time.time()
        jobs = [Job(cell, number, file.with_suffix(".log")) for cell in random.sample(cells, 5)]
        with file.open("a", encoding="utf-8") as out:
            for job, outcome in rounds.execute([Round(jobs, repeated=True)], 600):
                replicate = Record(
                    job.cell.key, job.cell.model.name, "throughput", job.cell.setting_key, number,
                    "ok", outcome.values, "", "", "", outcome.elapsed,
                    covariates={name: [float(f"{value:.5g}") for value in samples]
                                for name, samples in outcome.covariates.items()},
                    discarded=outcome.discarded,
                )  # fmt: skip
                out.write(json.dumps(dataclasses.asdict(replicate)) + "\n")
        print(f"round {number + 1} of {count}: {time.time() - begin:.0f} s", flush=True)


def read(path: Path) -> list[Record]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:  # type: ignore[operator]
        return [Record(**json.loads(line)) for line in file]


def estimates(records: Sequence[Record]) -> dict[str, Estimate]:
    """What a run of these records says of each model."""
    cells = group(disturbance.judge_together(records), lambda record: record.cell)
    return {
        mine[0].model: stats.estimate([
            record.values["throughput"] for record in disturbance.counting(mine)
        ])
        for mine in cells.values()
    }  # fmt: skip


def repeats(records: Sequence[Record], n: int) -> Iterator[list[Record]]:
    """Rounds in a row that give each model `n` undisturbed processes, or twice as many in all."""
    some: list[Record] = []
    for number in sorted({record.replicate for record in records}):
        some += [record for record in records if record.replicate == number]
        cells = group(disturbance.judge_together(some), lambda record: record.cell)
        if all(
            len(mine) == gaps.MOST_REPEATS * n or sum(map(calm, mine)) >= n
            for mine in cells.values()
        ):
            yield some
            some = []


def apart(records: Sequence[Record], step: int) -> list[Record]:
    """The records with their rounds numbered anew, so that those `step` apart are in a row."""
    numbers = sorted({record.replicate for record in records})
    order = [number for first in range(step) for number in numbers[first::step]]
    return [
        dataclasses.replace(record, replicate=order.index(record.replicate)) for record in records
    ]


def calm(record: Record) -> bool:
    return not disturbance.is_disturbed(record)


def rates(records: Sequence[Record], n: int) -> tuple[int, int]:
    """Prints how many intervals held, by model; gives how many did, of how many."""
    held: dict[str, list[bool]] = {}
    widths: list[float] = []
    used: list[int] = []
    for some in repeats(records, n):
        mine = {id(record) for record in some}
        reference = estimates([record for record in records if id(record) not in mine])
        used.append(len({record.replicate for record in some}))
        for model, interval in estimates(some).items():
            assert interval.low is not None
            assert interval.high is not None
            held.setdefault(model, []).append(
                interval.low <= reference[model].value <= interval.high
            )
            widths.append(interval.relative_half_width or 0.0)
    judged = disturbance.judge_together(records)
    for model, ones in sorted(held.items()):
        theirs = [record for record in judged if record.model == model]
        spread = statistics.stdev(
            statistics.median(record.values["throughput"]) for record in theirs if calm(record)
        )
        value = estimates(records)[model].value
        print(
            f"{model:24} {sum(ones)} of {len(ones)} intervals hold the reference; sd of an "
            f"undisturbed process {100 * spread / value:.1f} %, "
            f"{sum(not calm(record) for record in theirs)} of {len(theirs)} processes disturbed"
        )
    every = [hit for ones in held.values() for hit in ones]
    print(
        f"{sum(every)} of {len(every)} intervals over {n} processes hold the value of the "
        f"reference; half their width is {100 * statistics.median(widths):.1f} % in the median, "
        f"{statistics.fmean(used):.1f} rounds a repeat"
    )
    return sum(every), len(every)


if __name__ == "__main__":
    command, path, *rest = sys.argv[1:]
    if command == "record":
        record(Path(path), int(rest[0]))
    else:
        n, *steps = map(int, rest or ["5"])
        held, of = 0, 0
        for step in steps or [1]:
            print(f"\nrounds {step} apart")
            some = rates(apart(read(Path(path)), step), n)
            held, of = held + some[0], of + some[1]
        print(f"\n{held} of {of} in all ({100 * held / of:.0f} %)")
