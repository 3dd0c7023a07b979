"""Trains models on this machine, each in a fresh process, and then evaluates them like models with
given weights.

On a CPU as many are trained side by side as there are cores: a second core makes the small steps
of small models hardly shorter. A GPU has one at a time.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path

from cmx_bench.errors import CmxError, RecordsError, first_line
from cmx_bench.execute import evaluations
from cmx_bench.results import predictions
from cmx_bench.spec import disk
from cmx_bench.training import files
from cmx_bench.worker import local
from cmx_bench.worker.job import EvaluationJob, Heard, Outcome, Seen, TrainingJob
from cmx_bench.worker.local import Child, KilledError, LostError, ProcessError
from cmx_bench.worker.targets import Target

_TARGET: str = Target.FIT


@dataclass(slots=True)
class _UnderWay:
    """A training that has begun: its process, which `closing` ends, and how many seconds it has
    been silent."""

    job: TrainingJob
    child: Child
    closing: ExitStack
    begin: float
    silent: float = 0.0
    seen: Seen | None = None


def evaluate(
    jobs: Sequence[EvaluationJob], timeout: float
) -> Iterator[tuple[EvaluationJob, Heard]]:
    """What is heard of one job after the other; an `Evaluator`."""
    return ((job, said) for job in jobs for said in outcomes(job, timeout))


def outcomes(job: EvaluationJob, timeout: float) -> Iterator[Heard]:
    """Each cell of a job with its outcome, its model trained before where the job has a seed, and
    how far they are."""
    # A model may change the working folder of its process.
    job = replace(job, folder=job.folder.absolute())
    if job.seed is None:
        return evaluations.execute(job.cells, job.task, job.folder, timeout)
    return _train_and_evaluate(job, job.seed, timeout)


def _train_and_evaluate(job: EvaluationJob, seed: int, timeout: float) -> Iterator[Heard]:
    """Each cell with its outcome, its model trained with `seed`, and how far they are.

    Settings of one image size share the weights: what has been trained is not trained again, and
    what was broken off goes on.
    """
    trained: list[tuple[TrainingJob, Outcome]] = []
    left: list[TrainingJob] = []
    for cell in job.cells:
        size = job.task.asked.shared_size(cell.setting)
        kept = files.of(job.folder, cell.model.name, size, seed)
        training = TrainingJob(cell, seed, job.task, kept, job.at_once)
        if (told := files.read_told(kept.told)) is None:
            left.append(training)
        else:
            trained.append((training, Outcome({}, "", {}, details=told)))
    if left and (reason := _why_unlearnable(left[0], job.folder)):
        yield from ((training.cell, Outcome({}, reason, {})) for training in left)
        left = []
    for said in _train(left, job.log, timeout):
        if isinstance(said, Seen):
            yield said
        elif said[1].reason:
            yield said[0].cell, said[1]
        else:
            trained.append(said)
    trained.sort(key=lambda each: job.cells.index(each[0].cell))
    if trained:
        yield from _evaluate(job, trained, timeout)


def _why_unlearnable(job: TrainingJob, folder: Path) -> str:
    """Why a model cannot learn from these images; empty where it can. All models of a run learn
    from the same images, whose digest the run keeps."""
    try:
        digest = local.call(Target.DIGEST_LEARNED, job.task, job.cell.model.num_classes)
    except CmxError as error:
        return first_line(error)
    known = files.learned(folder)
    if not known.exists():
        known.parent.mkdir(exist_ok=True)
        disk.write(known, digest)
    elif disk.text_of(known, RecordsError) != digest:
        return ("the images to learn from changed since this run's trainings began; begin another "
                "with --fresh, or another --out")  # fmt: skip
    return ""


def _train(
    jobs: Sequence[TrainingJob], log: Path, timeout: float
) -> Iterator[Seen | tuple[TrainingJob, Outcome]]:
    """Each training with its outcome, as it ends, and how far all are. One whose process something
    outside ended goes on once."""
    waiting = deque(jobs)
    tried: list[TrainingJob] = []
    under_way: dict[Connection, _UnderWay] = {}
    with ExitStack() as closing:
        while waiting or under_way:
            while waiting and len(under_way) < waiting[0].at_once:
                job, own = waiting.popleft(), closing.enter_context(ExitStack())
                child = own.enter_context(local.process(_TARGET, job, log))
                under_way[child.pipe] = _UnderWay(job, child, own, time.monotonic())
            for training in _await_words(under_way.values(), timeout):
                if (ended := _hear(training, timeout)) is not None:
                    del under_way[training.child.pipe]
                    outcome = _end(training, ended)
                    if isinstance(ended, KilledError) and training.job not in tried:
                        tried.append(training.job)
                        waiting.appendleft(training.job)
                    else:
                        yield training.job, outcome
                yield from _together(under_way.values(), len(jobs), len(waiting))


def _await_words(under_way: Collection[_UnderWay], timeout: float) -> list[_UnderWay]:
    """Those that have something to say, or have been silent for too long."""
    begin = time.monotonic()
    spoke = wait([training.child.pipe for training in under_way], min(timeout, local.LOOK))
    passed = min(time.monotonic() - begin, local.LOOK)  # while all are stopped, nothing does
    for training in under_way:
        training.silent = 0.0 if training.child.pipe in spoke else training.silent + passed
    return [
        training
        for training in under_way
        if training.child.pipe in spoke or training.silent >= timeout
    ]


def _hear(training: _UnderWay, timeout: float) -> Outcome | ProcessError | None:
    """How a training ended; None where it goes on."""
    if not training.child.pipe.poll():
        return ProcessError(f"took longer than {timeout:g} s")
    try:
        said: Seen | Outcome = local.receive(training.child, None)
    except ProcessError as error:
        return error
    if isinstance(said, Seen):
        training.seen = said
        return None
    return said


def _end(training: _UnderWay, ended: Outcome | ProcessError) -> Outcome:
    """What came of a training, whose process is ended."""
    if isinstance(ended, ProcessError):
        # Trainings side by side share a server, which another of them may have killed.
        is_beside = isinstance(ended, LostError) and training.job.at_once > 1
        ended = Outcome({}, f"the process {ended}", {}, lost=ended.blameless or is_beside)
    if ended.reason:
        training.child.process.kill()  # it may hang
    training.closing.close()
    return replace(ended, elapsed=time.monotonic() - training.begin)


def _together(under_way: Collection[_UnderWay], jobs: int, waiting: int) -> Iterator[Seen]:
    """How far all trainings have come together; nothing before each under way has spoken, for one
    that goes on is not at its beginning."""
    seen = [one.seen for one in under_way if one.seen is not None]
    if not seen or len(seen) < len(under_way):
        return
    size = seen[0].size  # of all the same: one data set, one recipe
    assert size is not None  # where images are drawn at random their number is known
    ended = (jobs - waiting - len(under_way)) * size
    doing = f"training {' and '.join(training.job.cell.model.name for training in under_way)}"
    yield Seen(ended + sum(each.images for each in seen), jobs * size, doing)


def _evaluate(
    job: EvaluationJob, trained: Sequence[tuple[TrainingJob, Outcome]], timeout: float
) -> Iterator[Heard]:
    """Each cell whose model is trained with its outcome, that of the training in it, and how far
    they are."""
    trainings = {training.cell.key: (training, ended) for training, ended in trained}
    cells = [
        replace(cell, model=replace(cell.model, weights=str(training.files.last.absolute())))
        for training, _ in trained
        for cell in [training.cell]
    ]
    home = predictions.home(job.folder, job.replicate)
    home.mkdir(parents=True, exist_ok=True)
    for said in evaluations.execute(cells, job.task, home, timeout):
        if isinstance(said, Seen):
            yield said
            continue
        cell, outcome = said
        training, ended = trainings[cell.key]
        weights = training.files.last.relative_to(job.folder).as_posix()
        details = {**outcome.details, "weights": weights, "training": ended.details}
        elapsed = outcome.elapsed + ended.elapsed
        yield training.cell, replace(outcome, details=details, elapsed=elapsed)
