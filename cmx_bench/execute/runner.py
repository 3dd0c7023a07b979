"""A plan carried out: exact cells first, then rounds over the sampled ones, each result kept."""

from __future__ import annotations

import dataclasses
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from cmx_bench import environment, records
from cmx_bench.cell import Cell
from cmx_bench.errors import RecordsError
from cmx_bench.execute.job import Executor, Job, Outcome
from cmx_bench.records import Record, Run

if TYPE_CHECKING:  # plan loads torch, which the process that runs this does without
    from cmx_bench.plan import Plan

# What must stay, beside what timings are compared by, for two halves to be one run: two GPUs of
# one model differ by 8 % on average.
_SAME_RUN = ("device_uuid", "cmx_bench", "git_commit")

# Called with a job when it starts, and again with its record when it is kept.
Watch: TypeAlias = Callable[[Job, Record | None], None]


def open_folder(plan: Plan, reports: Path, out: Path | None, fresh: bool, command: str) -> Path:
    """The folder to measure into: that of an unfinished run of the same plan, or a new one.

    Args:
        reports: holds a folder for each suite, which holds one for each run.
        out: the folder asked for, instead.
        fresh: measure anew whatever lies there.

    Raises:
        RecordsError: `out` holds another run, or nothing can be written.
    """
    now = datetime.now(UTC)
    if out is not None:
        if not (out / "run.json").exists():
            return _new_run(plan, out, command, now)
        _refuse_other(plan, out, fresh)
        return out
    suite = reports / plan.suite_file.suite.name
    if not fresh:
        for folder in sorted(suite.glob("*/"), reverse=True):
            if _unfinished(plan, folder) and not records.is_locked(folder):
                return folder
    device = re.sub(r"[^a-z0-9]+", "-", str(plan.machine["device_name"]).lower()).strip("-")
    return _new_run(plan, suite / f"{now:%Y%m%dT%H%M%SZ}-{device[:40]}", command, now)


def _refuse_other(plan: Plan, out: Path, fresh: bool) -> None:
    run = records.read_run(out)
    if fresh:
        raise RecordsError(f"{out}: already holds a run, which --fresh would mix with a new one; "
                           f"give another --out")  # fmt: skip
    if (reason := _difference(plan, run)) is not None:
        raise RecordsError(f"{out}: holds another run ({reason}); give another --out")


def _unfinished(plan: Plan, folder: Path) -> bool:
    if not (folder / "run.json").exists():
        return False
    run = records.read_run(folder)
    return not run.finished and _difference(plan, run) is None


def _difference(plan: Plan, run: Run) -> str | None:
    """Why records of `run` would not do for `plan`; None where they would."""
    if run.suite_hash != plan.suite_file.suite.hash:
        return f"of the suite {run.suite} as it was then"
    if run.cells != tuple(cell.key for cell in plan.cells):
        return "of other cells"
    for name in (*environment.COMPARABLE, *_SAME_RUN):
        then, now = run.machine.get(name), plan.machine.get(name)
        if then != now:
            return f"{name} was {then}, is {now}"
    return None


def _new_run(plan: Plan, folder: Path, command: str, now: datetime) -> Path:
    suite = plan.suite_file.suite
    run = Run(
        suite=suite.name,
        title=suite.title or suite.name,
        suite_hash=suite.hash,
        suite_path=plan.suite_file.argument,
        device=str(plan.machine["device"]),
        models=plan.models,
        settings=plan.settings,
        measures=tuple(suite.measures),
        cells=tuple(cell.key for cell in plan.cells),
        replicates=suite.replicates,
        only=plan.only,
        unavailable=plan.unavailable,
        command=command,
        created=now.isoformat(timespec="seconds"),
        machine=plan.machine,
    )
    records.write_run(folder, run)
    return folder


def run(
    plan: Plan, folder: Path, executor: Executor, watch: Watch, budget: float | None = None
) -> list[Record]:
    """Measures what the folder's records lack and returns all of them.

    Each record is on the disk before the next cell starts. With a `budget` in seconds, sampled
    cells that have one process already get no more once it is spent.

    Raises:
        RecordsError: another process measures into the folder, or it cannot be written.
    """
    with records.locked(folder):
        return _run(plan, folder, executor, watch, budget)


def _run(
    plan: Plan, folder: Path, executor: Executor, watch: Watch, budget: float | None
) -> list[Record]:
    known = records.read_run(folder)
    environments = dict(known.environments)
    found = records.read(folder)
    jobs = _jobs(plan, found, folder / "log.txt", watch, budget)
    started = datetime.now(UTC)
    for job, outcome in executor(jobs, plan.suite_file.suite.timeout):
        name = environment.digest(outcome.environment)
        if name not in environments:
            environments[name] = outcome.environment
            known = dataclasses.replace(known, environments=environments)
            records.write_run(folder, known)
        record = _record(job, outcome, name, started)
        records.append(folder, record)
        found.append(record)
        watch(job, record)
        started = datetime.now(UTC)
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    records.write_run(folder, dataclasses.replace(known, finished=known.finished or finished))
    return found


def _record(job: Job, outcome: Outcome, environment_name: str, started: datetime) -> Record:
    cell = job.cell
    return Record(
        cell=cell.key,
        model=cell.model.name,
        measure=cell.measure,
        setting=cell.setting_key,
        replicate=job.replicate,
        status="failed" if outcome.reason else "ok",
        values=outcome.values,
        reason=outcome.reason,
        environment=environment_name,
        started=started.isoformat(timespec="milliseconds"),
        elapsed=(datetime.now(UTC) - started).total_seconds(),
    )


def _jobs(
    plan: Plan, found: list[Record], log: Path, watch: Watch, budget: float | None
) -> Iterator[Job]:
    """The executions that are still missing, asked for one by one: `found` grows meanwhile."""
    begin = time.monotonic()
    for replicate in range(max(plan.replicates(cell) for cell in plan.cells)):
        for cell in _round(plan, replicate):
            mine = [record for record in found if record.cell == cell.key]
            if any(record.replicate == replicate or record.status == "failed" for record in mine):
                continue
            if mine and budget is not None and time.monotonic() - begin > budget:
                continue
            job = Job(cell, replicate, log)
            watch(job, None)
            yield job


def _round(plan: Plan, replicate: int) -> list[Cell]:
    """The cells of one round: those executed once come first, the others in random order.

    The order is drawn from the suite and the round alone, so that a resumed run keeps it. Drift of
    the machine then falls on all models alike.
    """
    cells = [cell for cell in plan.cells if replicate < plan.replicates(cell)]
    once = [cell for cell in cells if plan.replicates(cell) == 1]
    repeated = [cell for cell in cells if plan.replicates(cell) > 1]
    random.Random(f"{plan.suite_file.suite.hash}/{replicate}").shuffle(repeated)
    return once + repeated


def seconds_left(plan: Plan, found: list[Record]) -> float:
    """The time that the missing executions will take.

    A cell takes as long as it took before; one not tried yet as long as planned, scaled by how
    the cells of its measure compare with their plan so far.
    """
    took: dict[str, float] = {record.cell: record.elapsed for record in found}
    tried = Counter(record.cell for record in found)
    failed = {record.cell for record in found if record.status == "failed"}
    spent: defaultdict[str, float] = defaultdict(float)
    planned: defaultdict[str, float] = defaultdict(float)
    for cell in plan.cells:
        if cell.key in took:
            spent[cell.measure] += took[cell.key]
            planned[cell.measure] += plan.estimates[cell.key]

    def expected(cell: Cell) -> float:
        scale = spent[cell.measure] / planned[cell.measure] if planned[cell.measure] else 1.0
        return took.get(cell.key, plan.estimates[cell.key] * scale)

    return sum(
        max(0, plan.replicates(cell) - tried[cell.key]) * expected(cell)
        for cell in plan.cells
        if cell.key not in failed
    )


def outcome_counts(plan: Plan, found: list[Record]) -> Mapping[str, int]:
    """How many planned cells have ended "ok", "failed", or are "missing"."""
    status = {record.cell: record.status for record in found}
    states = [status.get(cell.key, "missing") for cell in plan.cells]
    return {state: states.count(state) for state in ("ok", "failed", "missing")}
