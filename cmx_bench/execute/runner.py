"""Carries out a plan: exact cells first, then rounds of the sampled ones. Each result is kept at
once."""

from __future__ import annotations

import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, groupby
from pathlib import Path
from threading import Event, Thread
from typing import TypeAlias

from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell
from cmx_bench.errors import CmxError, cut
from cmx_bench.execute import learners, opening, remaining
from cmx_bench.execute.outlook import Outlook
from cmx_bench.measures import MEASURES
from cmx_bench.models import digest_of
from cmx_bench.models.importing import Origin
from cmx_bench.plan import Plan, at_once
from cmx_bench.results import agreement, environment, origins, predictions, records
from cmx_bench.results.records import Record, Run, make_sound
from cmx_bench.spec import disk
from cmx_bench.worker import local
from cmx_bench.worker.job import EvaluationJob, Evaluator, Executor, Job, Outcome, Round, Seen
from cmx_bench.worker.targets import Target

_LARGEST_LOG = 2**28  # bytes; ten thousand cells print a tenth of that
_LOOK = 1.0  # seconds from look to look at the log

# Called with a job when it starts, and again with its record when it is kept.
Watch: TypeAlias = Callable[[Job, Record | None], None]


def run(
    outlook: Outlook,
    folder: Path,
    executor: Executor,
    watch: Watch,
    budget: float | None = None,
    evaluator: Evaluator = learners.evaluate,
    spread: float = 0.0,
) -> list[Record]:
    """Measures what the folder's records lack for the outlook's plan and returns all of them; the
    outlook is one of `outlook.continuing`.

    Each record is on the disk, and in the outlook, before `watch` is told and the next cell starts.
    Where the suite wants a precision, rounds go on for the cells that have not reached it, up to
    `MOST_PROCESSES`. With a `budget` in seconds, nothing is repeated that would not end within it;
    each cell is measured once. The suite's rounds begin evenly over `spread` seconds: processes
    that follow at once agree with each other, and not with those of ten minutes later, on a machine
    whose speed drifts. Evaluations come last.

    What was lost, not by a model's fault, has no record, its cell gets no more processes, and the
    run is not finished: the next command goes on with it.

    Raises:
        RecordsError: the folder cannot be written.
    """
    log = disk.within(folder, "log.txt")
    plan = outlook.plan
    with _keeping_short(log):
        begun = records.read_run(folder)
        known = opening.continue_run(plan, begun, budget)
        if known.cells != begun.cells:  # whoever reads their records reads this first
            records.rewrite_run(folder, known)
        measured = executor(
            _rounds(outlook, log, watch, budget, spread), plan.suite_file.suite.timeout
        )
        evaluated = _evaluations(outlook, folder, watch, evaluator)
        before = len(outlook.records)
        known = _keep(
            outlook, folder, known, chain(_lacking(outlook, log), measured, evaluated), watch
        )
        _keep_thumbnails(plan, folder)
        already = known.finished if len(outlook.records) == before else ""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        finished = "" if outlook.lost else already or now
        cut_off = remaining.cut_off(plan, outlook.all_left()) if budget is not None else {}
        records.rewrite_run(folder, replace(known, finished=finished, cut_off=cut_off))
    return outlook.records


@contextmanager
def _keeping_short(log: Path) -> Iterator[None]:
    """Keeps a log from filling the disk, whatever a model prints: where it is too long it begins
    anew."""
    over = Event()

    def watch(descriptor: int) -> None:
        while not over.wait(_LOOK):
            if os.fstat(descriptor).st_size > _LARGEST_LOG:
                os.ftruncate(descriptor, 0)
                with suppress(OSError):  # the disk may be full for another reason
                    os.write(descriptor, b"--- over 256 MiB were printed before, and are gone\n")

    with disk.writing(log):
        file = disk.appending(log, buffering=0)
    with file:
        watching = Thread(target=watch, args=(file.fileno(),), daemon=True)
        watching.start()
        try:
            yield
        finally:
            over.set()
            watching.join()


def _keep(
    outlook: Outlook,
    folder: Path,
    known: Run,
    outcomes: Iterable[tuple[Job, Outcome]],
    watch: Watch,
) -> Run:
    """Keeps each outcome as it comes; gives the run with the environments that were met."""
    known_origins = dict(outlook.plan.origins)
    for record in outlook.records:
        known_origins |= origins.sources(record.model, record.setting, record.details)
    with records.appending(folder) as append:
        for job, measured in outcomes:
            outcome = _of_one_origin(job.cell, measured, known_origins)
            name = environment.digest(outcome.environment)
            if outcome.lost:
                outlook.lose(job.cell)
                reason = f"{outcome.reason}; the next command tries it again"
                watch(job, _record(job, replace(outcome, reason=reason), name))
                continue
            if name not in known.environments:
                environments = {**known.environments, name: outcome.environment}
                known = replace(known, environments=environments)
                records.rewrite_run(folder, known)
            record, line = make_sound(_record(job, outcome, name))
            append(line)
            predictions.forget_rows(folder, record)
            outlook.add(record)
            watch(job, record)
    return known


def _of_one_origin(cell: Cell, outcome: Outcome, known: dict[str, Origin]) -> Outcome:
    """The outcome, or a failure where its model is not that of the cells before; the first of a
    model is added to those `known`."""
    sources = origins.sources(cell.model.name, cell.setting_key, outcome.details)
    for name, mine in sources.items():
        if first := origins.other_before(name, mine, known):
            reason = (f"built from {origins.describe(mine)}, the run's other cells of it from "
                      f"{origins.describe(first)}; leave the file alone and begin another "
                      f"run")  # fmt: skip
            return replace(
                outcome, values={}, covariates={}, discarded={}, details={}, reason=reason
            )
    return outcome


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
        reason=cut(outcome.reason),
        environment=environment_name,
        started=started.isoformat(timespec="milliseconds"),
        elapsed=outcome.elapsed,
        covariates=outcome.covariates,
        discarded=outcome.discarded,
        details=outcome.details,
    )


def _lacking(outlook: Outlook, log: Path) -> Iterator[tuple[Job, Outcome]]:
    """The cells of rounds that the plan skips."""
    plan = outlook.plan
    for cell in plan.cells:
        reason = plan.skipped.get(cell.key)
        if reason and not MEASURES[cell.measure].together and not outlook.found.get(cell.key):
            skipped = Outcome({}, reason, plan.machine, skipped=True)
            yield Job(cell, plan.replicate or 0, log), skipped


def _evaluations(
    outlook: Outlook, folder: Path, watch: Watch, evaluator: Evaluator
) -> Iterator[tuple[Job, Outcome]]:
    """The cells that are evaluated together, setting by setting; what failed is tried again."""
    plan, found = outlook.plan, outlook.found
    log, timeout = disk.within(folder, "log.txt"), plan.suite_file.suite.timeout
    task = plan.evaluation
    if task is None:
        return
    groups: defaultdict[tuple[str, int, int | None], list[Cell]] = defaultdict(list)
    for cell in plan.evaluated:
        for replicate, seed in enumerate(task.seeds_of(cell.model)):
            if not plan.asks_for(replicate):
                continue
            mine = [record for record in found.get(cell.key, ()) if record.replicate == replicate]
            if mine and _is_evaluated(cell, mine[-1], task):
                continue
            if reason := plan.skipped.get(cell.key):
                if not mine or mine[-1].reason != reason:
                    skipped = Outcome({}, reason, plan.machine, skipped=True)
                    yield Job(cell, replicate, log), skipped
                continue
            groups[cell.setting_key, replicate, seed].append(cell)
    trained = {cell.model.name for cell in plan.evaluated if task.trains(cell.model)}
    side_by_side = at_once(plan.machine, len(trained), task.processes)
    jobs = [
        EvaluationJob(cells, replicate, seed, task, folder, side_by_side, plan.estimates)
        for (_, replicate, seed), cells in groups.items()
    ]
    jobs.sort(key=lambda job: job.seed is not None)  # with weights, before others are trained
    for _, of_setting in groupby(jobs, lambda job: (job.cells[0].setting_key, job.seed is None)):
        together = list(of_setting)
        first = Job(together[0].cells[0], together[0].replicate, log)
        watch(first, None)
        for job, said in evaluator(together, timeout):
            if isinstance(said, Seen):
                watch(replace(first, seen=said), None)
            else:
                yield Job(said[0], job.replicate, log), said[1]


def _is_evaluated(cell: Cell, last: Record, task: Evaluation) -> bool:
    """Whether a cell has been evaluated, with the weights that it has now; those that timm knows
    by a tag stay the same."""
    if last.status != "ok" or task.trains(cell.model):
        return last.status == "ok"
    named = cell.model.weights
    if named is None or last.details.get("weights") != named:
        return False
    if not (file := Path(named)).is_file():
        return True
    return bool(last.details["weights_sha256"] == digest_of(file))


def _keep_thumbnails(plan: Plan, folder: Path) -> None:
    """Small copies of the images that only one of two models has right, where a report may hold
    them."""
    if plan.evaluation is None or not plan.evaluation.shows_images:
        return
    voters = [(cell.model.name, cell.setting_key) for cell in plan.evaluated]
    telling = agreement.telling(agreement.read(folder, voters))
    kept = {place: disk.within(folder, agreement.thumbnail(place)) for place in telling}
    left = {place for place, path in kept.items() if not path.exists()}
    if left:
        with suppress(CmxError):  # the images are out of reach by now: they are named instead
            local.call(Target.MAKE_THUMBNAILS, plan.evaluation, folder, left)


def _rounds(
    outlook: Outlook, log: Path, watch: Watch, budget: float | None, spread: float
) -> Iterator[Round]:
    """The executions that are still missing, round by round: the outlook grows meanwhile."""
    plan, found = outlook.plan, outlook.found
    due = begin = time.monotonic()

    def fits(cell: Cell, starting: float = 0.0) -> bool:
        """Whether the next process of a cell may begin; its first always may."""
        mine = found.get(cell.key)
        if budget is None or not mine:
            return True
        return time.monotonic() - begin + starting + mine[-1].elapsed <= budget

    def begin_job(job: Job) -> bool:
        if may_begin := fits(job.cell):
            watch(job, None)
        return may_begin

    for replicate in remaining.rounds(plan):
        missing = [
            cell
            for cell in _cells_of_round(outlook, replicate)
            if cell.key not in outlook.lost
            and all(record.replicate != replicate for record in found.get(cell.key, ()))
            and fits(cell, plan.starting)
        ]
        if missing:
            time.sleep(max(0.0, due - time.monotonic()))
            due = time.monotonic() + remaining.apart(plan, spread)
        for repeated, cells in groupby(missing, key=plan.repeats):
            jobs = [
                Job(cell, replicate, log, task=plan.evaluation if cell.is_quantised else None)
                for cell in cells
            ]
            yield Round(jobs, repeated, begin_job)


def _cells_of_round(outlook: Outlook, replicate: int) -> list[Cell]:
    """The cells of one round: those executed once come first, the others in random order.

    The order is drawn from the suite and the round alone, before cells that need no more are left
    out, so that a resumed run keeps it. Drift of the machine then falls on all models alike.
    """
    plan = outlook.plan
    repeated = list(plan.repeated)
    others = (cell for cell in plan.cells if not plan.repeats(cell))
    once = [cell for cell in others if not MEASURES[cell.measure].together]
    random.Random(f"{plan.suite_file.hash}/{replicate}").shuffle(repeated)
    left = outlook.all_left()
    return [cell for cell in once + repeated if left[cell.key]]
