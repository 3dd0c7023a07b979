"""Executes jobs, and evaluates the models of a setting, side by side: each order on a device that
does nothing else meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from queue import SimpleQueue
from typing import Generic, Protocol, TypeAlias, TypeVar

from cmx_bench.cell import Cell, Setting
from cmx_bench.errors import CmxError
from cmx_bench.worker.job import EvaluationJob, Heard, Job, Outcome, Round, Seen


class SlotLostError(CmxError):
    """A slot is gone with its order. Another slot may repeat it, or the same one if it already
    `is_back`."""

    def __init__(self, why: str, is_back: bool = False) -> None:
        super().__init__(why)
        self.is_back = is_back


Tell: TypeAlias = Callable[[Heard], None]
Order = TypeVar("Order", Job, EvaluationJob)


class Slot(Protocol):
    """A device, or a whole machine, that carries out one order at a time."""

    @property
    def name(self) -> str:
        """What it is called in messages, such as "cuda:1"."""

    def takes(self, setting: Setting) -> bool:
        """Whether it is what a setting asks for."""

    def carry_out(self, order: Job | EvaluationJob, timeout: float, tell: Tell) -> Future[None]:
        """Begins to execute a job, or an evaluation with its trainings if the order has a seed.

        Any thread may call `tell`. It is called once for each cell, when the cell's predictions and
        weights are in the order's folder. The future ends after the last call, and may raise
        `SlotLostError`.
        """


# Gives the slots of a round, at most one for each job, when all are ready: a slot that still loads
# torch would disturb the others. The slots of a round that is not `repeated` also evaluate.
Opening: TypeAlias = Callable[[Round], AbstractContextManager[Sequence[Slot]]]


def execute(
    opened: Opening, rounds: Iterable[Round], timeout: float
) -> Iterator[tuple[Job, Outcome]]:
    """Each job with its outcome, in the order in which they end; an `Executor`, given the slots."""
    for this in rounds:
        tasks = [Task(job, [job.cell]) for job in this.jobs]
        with opened(this) as slots:
            for task, said in UnderWay(timeout, list(slots), tasks, this.begin).words():
                if not isinstance(said, Seen):
                    yield task.order, said[1]


def evaluate(
    opened: Opening, jobs: Sequence[EvaluationJob], timeout: float
) -> Iterator[tuple[EvaluationJob, Heard]]:
    """Each cell with its outcome, in the order in which they end, and how far all are; an
    `Evaluator`, given the slots."""
    cells = [Job(cell, job.replicate, job.log) for job in jobs for cell in job.cells]
    with opened(Round(cells, repeated=False)) as slots:
        shares = [share for job in jobs for share in _shares(job, slots)]
        shares.sort(key=_seconds, reverse=True)  # the longest first: all end about together
        for share, said in UnderWay(timeout, list(slots), list(shares)).words():
            if not isinstance(said, Seen):
                yield share.order, said
                continue
            # By its longest part: a training, and not what follows it.
            if share.seen is None or (said.size or 0) >= (share.seen.size or 0):
                share.seen = said
            yield share.order, _together(shares, said.doing)


@dataclass(eq=False, slots=True)
class Task(Generic[Order]):
    """An order for one slot; `left` are the cells whose outcomes are still to come."""

    order: Order
    left: list[Cell]
    lost_once: bool = False
    seen: Seen | None = None


@dataclass(slots=True)
class UnderWay(Generic[Order]):
    """Tasks that wait, the slots that are idle, and what each of the others does.

    What a lost slot has not told is done once more on another. Where that is lost too, or no slot
    is left that takes it, its outcome is `lost`. `begin` says whether an order may begin.
    """

    timeout: float
    idle: list[Slot]
    waiting: list[Task[Order]]
    begin: Callable[[Order], bool] = lambda order: True
    begun: dict[Future[None], tuple[Task[Order], Slot]] = field(default_factory=dict)
    # What the slots tell from their threads: a word of a task, and the future of one that ended.
    heard: SimpleQueue[tuple[Task[Order], Heard] | Future[None]] = field(
        default_factory=SimpleQueue
    )

    def words(self) -> Iterator[tuple[Task[Order], Heard]]:
        """What is heard of each task, in the order in which it comes."""
        self._start()
        while self.begun:
            said = self.heard.get()
            if isinstance(said, Future):
                yield from self._end(said)
                self._start()
                continue
            task, word = said
            if not isinstance(word, Seen):
                task.left.remove(word[0])
            yield task, word
        for task in self.waiting:
            yield from _give_up(task, f"no device is left for {task.left[0].setting.title}")

    def _start(self) -> None:
        """Gives each idle slot the first task that it takes and that may begin."""
        for slot in list(self.idle):
            while task := next((t for t in self.waiting if slot.takes(t.left[0].setting)), None):
                self.waiting.remove(task)
                if task.lost_once or self.begin(task.order):
                    self.idle.remove(slot)
                    order: Job | EvaluationJob = task.order
                    left = order if isinstance(order, Job) else replace(order, cells=task.left)
                    future = slot.carry_out(left, self.timeout, partial(self._hear, task))
                    self.begun[future] = task, slot
                    future.add_done_callback(self.heard.put)
                    break

    def _hear(self, task: Task[Order], said: Heard) -> None:
        self.heard.put((task, said))

    def _end(self, future: Future[None]) -> Iterator[tuple[Task[Order], Heard]]:
        task, slot = self.begun.pop(future)
        try:
            future.result()
            self.idle.append(slot)
        except SlotLostError as error:
            self.idle += [slot] * error.is_back
            if task.left and not task.lost_once:
                task.lost_once = True
                self.waiting.insert(0, task)
            else:
                yield from _give_up(task, str(error))


def _give_up(task: Task[Order], reason: str) -> Iterator[tuple[Task[Order], Heard]]:
    for cell in task.left:
        yield task, (cell, Outcome({}, reason, {}, lost=True))


def _seconds(share: Task[EvaluationJob]) -> float:
    return sum(share.order.estimates.get(cell.key, 0.0) for cell in share.left)


def _shares(job: EvaluationJob, slots: Sequence[Slot]) -> list[Task[EvaluationJob]]:
    """A share for each model to be trained, and one for each slot of the others, of equal work.
    Models of one share run in one process, which decodes the images once."""
    if job.seed is not None:
        return [Task(job, [cell]) for cell in job.cells]
    takers = sum(slot.takes(job.cells[0].setting) for slot in slots)
    shares = [Task(job, list[Cell]()) for _ in range(min(max(1, takers), len(job.cells)))]
    for cell in sorted(job.cells, key=lambda cell: -job.estimates.get(cell.key, 0.0)):
        least = min(shares, key=lambda share: (_seconds(share), len(share.left)))
        least.left.append(cell)
    return shares


def _together(shares: Sequence[Task[EvaluationJob]], doing: str) -> Seen:
    """How far all shares have come. A share that reports no size yet counts as large as the
    largest."""
    reports = [share.seen for share in shares if share.seen is not None]
    sizes = [report.size for report in reports if report.size is not None]
    images = sum(report.images for report in reports)
    if len(sizes) < len(reports):
        return Seen(images, None, doing)
    return Seen(images, sum(sizes) + max(sizes) * (len(shares) - len(reports)), doing)
