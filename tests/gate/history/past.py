"""Past runs that plain arithmetic made, in folders and as series."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cmx_bench.cell import Model
from cmx_bench.gate.history import History, PastRun, Point, Series
from cmx_bench.metrics import METRICS
from cmx_bench.results.records import Environment, Record, Run

from ...report.synthetic import (
    ENVIRONMENT,
    FP16,
    PAPER,
    make_records,
    make_run,
    model,
    write_folder,
)


def visit(day: int, machine: str = "A CPU", suite: str = "ci") -> PastRun:
    folder = Path("past") / re.sub(r"[^\w ]+", "-", f"{suite}-{machine}-{day}")
    return PastRun(folder, suite, machine, f"2026-01-{day:02}T00:00:00+00:00", f"commit{day}",
                   ("torch 2.14",), 3)  # fmt: skip


def series(
    values: Sequence[float], label: str = "ResNet-50", metric: str = "throughput",
    machine: str = "A CPU", suite: str = "ci",
) -> Series:  # fmt: skip
    """A run a day; torch changes on the fourth."""
    exact = METRICS[metric].exact
    points = tuple(
        Point(visit(day, machine, suite), value, None if exact else 0.98 * value,
              None if exact else 1.02 * value, "torch 2.13 → 2.14" if day == 4 else "")
        for day, value in enumerate(values, 1)
    )  # fmt: skip
    network = model("resnet50", label, "resnet")
    return Series(suite, "" if exact else machine, network, FP16.key, METRICS[metric], points)


def history(*lines: Series, **fields: Any) -> History:
    """With the runs of its series, the oldest first."""
    runs = {point.run.folder: point.run for line in lines for point in line.points}
    in_order = tuple(sorted(runs.values(), key=lambda run: run.created))
    return History(**({"runs": in_order, "series": lines} | fields))


def past_run(
    folder: Path, day: int, factor: float, machine: Mapping[str, Any] | None = None,
    models: tuple[Model, ...] = PAPER, **fields: Any,
) -> Run:  # fmt: skip
    """Writes a run whose throughputs are those of the synthetic run times `factor`."""
    environment: Environment = ENVIRONMENT | {"git_commit": f"commit{day}"} | dict(machine or {})
    run = replace(
        make_run(models, measures=("params", "throughput")),
        created=f"2026-01-{day:02}T00:00:00+00:00", machine=environment,
        environments={"e1": environment}, **fields,
    )  # fmt: skip
    write_folder(folder, run, [scaled(record, factor) for record in make_records(run)])
    return run


def scaled(record: Record, factor: float) -> Record:
    if record.measure != "throughput":
        return record
    values = {name: [factor * value for value in values] for name, values in record.values.items()}
    return replace(record, values=values)
