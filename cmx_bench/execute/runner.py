"""A plan carried out: exact cells first, then rounds over the sampled ones, each result kept."""

from __future__ import annotations

import dataclasses
import math
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain, filterfalse
from pathlib import Path
from typing import Any, TypeAlias

from cmx_bench import (
    agreement,
    disturbance,
    environment,
    metrics,
    predictions,
    records,
    stats,
)
from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell
from cmx_bench.claims import Claim
from cmx_bench.errors import CmxError, RecordsError
from cmx_bench.execute import evaluations, local, trainings
from cmx_bench.execute.evaluations import Evaluator
from cmx_bench.execute.job import Executor, Job, Outcome, Seen
from cmx_bench.measures import MEASURES
from cmx_bench.plan import INTERPRETER_SECONDS, Plan
from cmx_bench.records import Record, Run

# What must stay, beside what timings are compared by, for two halves to be one run: two GPUs of
# one model differ by 8 % on average.
_SAME_RUN = ("device_uuid", "cmx_bench", "git_commit")

# With a precision asked for, a cell gets at most so many processes. An interval half as wide costs
# four times as many: a cell that is far from narrow by then needs a calmer machine.
MOST_PROCESSES = 40
# And at least so many: a few that happen to agree would stop it, and be wrong too often.
FEWEST_FOR_PRECISION = 5
# Without one, at most so many times the suite's number, in place of those that stayed disturbed.
MOST_REPEATS = 2

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
    return _new_run(plan, suite / records.name_of_new(plan.machine, now), command, now)


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
    for name, (then, now) in environment.differences(run.machine, plan.machine, _SAME_RUN).items():
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
        precision=suite.precision,
        accuracy=_accuracy(plan),
        claims=_claims(plan),
    )
    records.write_run(folder, run)
    return folder


def _accuracy(plan: Plan) -> dict[str, Any]:
    """What models are evaluated on, for run.json; empty where none is."""
    task = plan.evaluation
    if task is None or all(map(_alone, plan.cells)):
        return {}
    path = None if task.path is None else str(task.path)
    return {**task.asked.model_dump(), "path": path, "allow_missing": task.allow_missing}


def _claims(plan: Plan) -> tuple[Claim, ...]:
    return tuple(Claim(one.say, one.check) for one in plan.suite_file.suite.claims)


def run(
    plan: Plan,
    folder: Path,
    executor: Executor,
    watch: Watch,
    budget: float | None = None,
    evaluator: Evaluator = evaluations.execute,
    spread: float = 0.0,
) -> list[Record]:
    """Measures what the folder's records lack and returns all of them.

    Each record is on the disk before the next cell starts. Where the suite wants a precision,
    rounds go on for the cells that have not reached it, up to `MOST_PROCESSES`. With a `budget` in
    seconds, nothing is repeated any more once it is spent. The suite's rounds begin evenly over
    `spread` seconds: processes that follow at once agree with each other, and not with those of ten
    minutes later, on a machine whose speed drifts. Evaluations come last.

    Raises:
        RecordsError: another process measures into the folder, or it cannot be written.
    """
    with records.locked(folder):
        return _run(plan, folder, executor, watch, budget, evaluator, spread)


def _run(
    plan: Plan,
    folder: Path,
    executor: Executor,
    watch: Watch,
    budget: float | None,
    evaluator: Evaluator,
    spread: float,
) -> list[Record]:
    # Weights and images may be given to a run that lacked them, claims to one that made none.
    before = records.read_run(folder)
    given = {name: value for name, value in _accuracy(plan).items() if value is not None}
    known = dataclasses.replace(
        before,
        models=plan.models,
        accuracy={**before.accuracy, **given},
        claims=_claims(plan),
    )
    environments = dict(known.environments)
    found = records.read(folder)
    cells = disturbance.by_cell(found)
    jobs = _jobs(plan, cells, folder / "log.txt", watch, budget, spread)
    measured = executor(jobs, plan.suite_file.suite.timeout)
    for job, outcome in chain(measured, _evaluations(plan, cells, folder, watch, evaluator)):
        name = environment.digest(outcome.environment)
        if name not in environments:
            environments[name] = outcome.environment
            known = dataclasses.replace(known, environments=environments)
            records.write_run(folder, known)
        record = _record(job, outcome, name)
        records.append(folder, record)
        predictions.forget_rows(folder, record)
        found.append(record)
        cells[record.cell].append(record)
        watch(job, record)
    _keep_thumbnails(plan, folder)
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    records.write_run(folder, dataclasses.replace(known, finished=known.finished or finished))
    return found


def _record(job: Job, outcome: Outcome, environment_name: str) -> Record:
    cell = job.cell
    started = datetime.now(UTC) - timedelta(seconds=outcome.elapsed)
    return Record(
        cell=cell.key,
        model=cell.model.name,
        measure=cell.measure,
        setting=cell.setting_key,
        replicate=job.replicate,
        status="skipped" if outcome.skipped else "failed" if outcome.reason else "ok",
        values=outcome.values,
        reason=outcome.reason,
        environment=environment_name,
        started=started.isoformat(timespec="milliseconds"),
        elapsed=outcome.elapsed,
        covariates=outcome.covariates,
        discarded=outcome.discarded,
        details=outcome.details,
    )


def _evaluations(
    plan: Plan,
    found: Mapping[str, Sequence[Record]],
    folder: Path,
    watch: Watch,
    evaluator: Evaluator,
) -> Iterator[tuple[Job, Outcome]]:
    """The cells that are evaluated together, setting by setting; what failed is tried again."""
    log, timeout = folder / "log.txt", plan.suite_file.suite.timeout
    task = plan.evaluation
    if task is None:
        return
    groups: defaultdict[tuple[str, int], list[Cell]] = defaultdict(list)
    for cell in filterfalse(_alone, plan.cells):
        for replicate in range(len(task.seeds)):
            mine = [one for one in found.get(cell.key, ()) if one.replicate == replicate]
            if mine and _evaluated(cell, mine[-1], task):
                continue
            if reason := plan.skipped.get(cell.key):
                if not mine or mine[-1].reason != reason:
                    skipped = Outcome({}, reason, plan.machine, skipped=True)
                    yield Job(cell, replicate, log), skipped
                continue
            groups[cell.setting_key, replicate].append(cell)
    side_by_side = trainings.at_once(plan, task)
    for (_, replicate), cells in groups.items():
        job = Job(cells[0], replicate, log)
        watch(job, None)
        seed, tell = task.seeds[replicate], partial(_tell, watch, job)
        outcomes = (
            evaluator(cells, task, folder, timeout, tell)
            if seed is None
            else trainings.execute(cells, seed, task, side_by_side, folder, timeout, tell)
        )
        for cell, outcome in outcomes:
            yield Job(cell, replicate, log), outcome


def _evaluated(cell: Cell, last: Record, task: Evaluation) -> bool:
    """Whether a cell has been evaluated, with the weights that it has now."""
    trained = task.asked.train is not None
    return last.status == "ok" and (trained or last.details.get("weights") == cell.model.weights)


def _keep_thumbnails(plan: Plan, folder: Path) -> None:
    """Small copies of the images that only one of two models has right, for the report."""
    voters = [(one.model.name, one.setting_key) for one in plan.cells if not _alone(one)]
    telling = agreement.telling(agreement.read(folder, voters))
    left = {place for place in telling if not agreement.thumbnail(folder, place).exists()}
    if left:
        with suppress(CmxError):  # the images are out of reach by now: they are named instead
            local.call("cmx_bench.execute.thumbnails:make", plan.evaluation, folder, left)


def _tell(watch: Watch, job: Job, seen: Seen) -> None:
    watch(dataclasses.replace(job, seen=seen), None)


def _jobs(
    plan: Plan,
    found: Mapping[str, Sequence[Record]],
    log: Path,
    watch: Watch,
    budget: float | None,
    spread: float,
) -> Iterator[Job]:
    """The executions that are still missing, asked for one by one: `found` grows meanwhile."""
    due = begin = time.monotonic()

    def is_spent() -> bool:
        return budget is not None and time.monotonic() - begin > budget

    for replicate in range(max(_most_processes(plan, cell) for cell in plan.cells)):
        missing = [
            cell
            for cell in _round(plan, replicate, found)
            if all(record.replicate != replicate for record in found.get(cell.key, ()))
        ]
        if replicate and is_spent():
            return
        if missing:
            time.sleep(max(0.0, due - time.monotonic()))
            due = time.monotonic() + _apart(plan, spread)
        for cell in missing:
            if replicate and is_spent():
                return  # in the rounds behind the first, every cell has a process
            job = Job(cell, replicate, log)
            watch(job, None)
            yield job


def _apart(plan: Plan, spread: float) -> float:
    """The seconds from the beginning of a round to that of the next, at least."""
    return spread / plan.suite_file.suite.replicates


def _round(plan: Plan, replicate: int, found: Mapping[str, Sequence[Record]]) -> list[Cell]:
    """The cells of one round: those executed once come first, the others in random order.

    The order is drawn from the suite and the round alone, before cells that need no more are left
    out, so that a resumed run keeps it. Drift of the machine then falls on all models alike.
    """
    once = [cell for cell in plan.cells if _alone(cell) and not MEASURES[cell.measure].repeated]
    repeated = [cell for cell in plan.cells if MEASURES[cell.measure].repeated]
    random.Random(f"{plan.suite_file.suite.hash}/{replicate}").shuffle(repeated)
    left = all_processes_left(plan, found)
    return [cell for cell in once + repeated if left[cell.key]]


def _alone(cell: Cell) -> bool:
    return not MEASURES[cell.measure].together


def _most_processes(plan: Plan, cell: Cell) -> int:
    least = plan.replicates(cell)
    if not MEASURES[cell.measure].precise:
        return least
    wants_more = plan.suite_file.suite.precision is not None
    return max(MOST_REPEATS * least, MOST_PROCESSES * wants_more)


def processes_left(plan: Plan, cell: Cell, found: Sequence[Record]) -> int:
    """How many more processes a cell will get: known up to the plan's number, beyond it a guess.

    Processes that stayed disturbed are repeated, `MOST_REPEATS` times the plan's number in all. 0
    is certain: by the estimate over what counts the cell is narrow enough, or it has all that it
    may have, or it failed.

    Args:
        found: the cell's records, judged together with the others.
    """
    if any(record.status == "failed" for record in found):
        return 0
    precision = plan.suite_file.suite.precision if MEASURES[cell.measure].precise else None
    least = plan.replicates(cell)
    least = least if precision is None else max(least, FEWEST_FOR_PRECISION)
    calm = sum(not disturbance.disturbed(record) for record in found)
    missing = min(least - calm, MOST_REPEATS * least - len(found))
    if missing > 0:
        return min(missing, _most_processes(plan, cell) - len(found))
    metric = metrics.first_of(cell.measure)
    counting = disturbance.counting(found)
    samples = [record.values[metric] for record in counting if record.values.get(metric)]
    if precision is None or not samples:
        return 0
    so_far = stats.estimate(samples)
    if so_far.within(precision):
        return 0
    n, width = so_far.n, so_far.relative_half_width
    # An interval shrinks with the square root of the processes it rests on.
    needed = n + 1 if width is None else math.ceil(n * (width / precision) ** 2)
    return max(0, min(max(needed, n + 1) - n, _most_processes(plan, cell) - len(found)))


def all_processes_left(plan: Plan, found: Mapping[str, Sequence[Record]]) -> dict[str, int]:
    """`processes_left` of every cell, by its key.

    Args:
        found: all records, by cell, as they were kept.
    """
    judged = disturbance.cells_together(found)
    return {cell.key: processes_left(plan, cell, judged.get(cell.key, ())) for cell in plan.cells}


def seconds_left(
    plan: Plan,
    found: Mapping[str, Sequence[Record]],
    budget: float | None = None,
    spread: float = 0.0,
) -> float:
    """The time that the missing executions will take.

    A cell takes as long as it took before; one not tried yet as long as planned, scaled by how
    the cells of its measure compare with their plan so far.

    Args:
        found: all records, by cell.
        budget: the seconds left in which cells are repeated.
        spread: as for `run`.
    """
    took = {key: mine[-1].elapsed for key, mine in found.items() if mine}
    spent: defaultdict[str, float] = defaultdict(float)
    planned: defaultdict[str, float] = defaultdict(float)
    for cell in plan.cells:
        if cell.key in took:
            spent[cell.measure] += took[cell.key]
            planned[cell.measure] += plan.estimates[cell.key]

    def expected(cell: Cell) -> float:
        scale = spent[cell.measure] / planned[cell.measure] if planned[cell.measure] else 1.0
        return took.get(cell.key, plan.estimates[cell.key] * scale)

    first = sum(expected(cell) for cell in plan.cells if cell.key not in took)
    left = all_processes_left(plan, found)
    rounds = max((left[one.key] for one in plan.cells if MEASURES[one.measure].repeated), default=0)
    every = INTERPRETER_SECONDS * rounds
    every += sum(left[cell.key] * expected(cell) for cell in plan.cells)
    every = max(every, (rounds - 1) * _apart(plan, spread))
    return every if budget is None else min(every, max(first, budget))
