"""Executes the jobs of a round side by side, each on a device that does nothing else meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from cmx_bench.cell import Cell
from cmx_bench.errors import CmxError
from cmx_bench.worker.job import EvaluationJob, Job, Outcome, Round, Seen


class SlotLostError(CmxError):
    """A slot is gone with its job. Another slot may repeat the job, or the same one if it already
    `is_back`."""

    def __init__(self, why: str, is_back: bool = False) -> None:
        super().__init__(why)
        self.is_back = is_back


# What is heard of an evaluation: how far it has come, or a cell with its outcome.
Heard: TypeAlias = Seen | tuple[Cell, Outcome]


class Slot(Protocol):
    """A device, or a whole machine, that executes one job at a time."""

    @property
    def name(self) -> str:
        """What it is called in messages, such as "cuda:1"."""

    def takes(self, job: Job) -> bool:
        """Whether it is what the job's setting asks for."""

    def submit(self, job: Job, timeout: float) -> Future[Outcome]:
        """Begins a job; the future may raise `SlotLostError`."""

    def evaluate(
        self, job: EvaluationJob, timeout: float, tell: Callable[[Heard], None]
    ) -> Future[None]:
        """Begins to evaluate, and to train where the job has a seed.

        `tell`, which any thread may call, hears of each cell once, when its predictions and weights
        lie in the job's folder. The future, done after the last word, may raise `SlotLostError`.
        """


# Gives the slots of a round, at most one a job, when all of them are ready: one that still loads
# torch would disturb the others. Those of a round that is not `repeated` also evaluate.
Opening: TypeAlias = Callable[[Round], AbstractContextManager[Sequence[Slot]]]


def execute(
    opened: Opening, rounds: Iterable[Round], timeout: float
) -> Iterator[tuple[Job, Outcome]]:
    """Each job with its outcome, in the order in which they end; an `Executor`, given the slots.

    A job whose slot is lost is executed once more on another. Where that is lost too, or no slot is
    left that takes it, its outcome is `lost`.
    """
    for this in rounds:
        with opened(this) as slots:
            yield from _RoundUnderWay(this, timeout, list(slots)).outcomes()


@dataclass(slots=True)
class _RoundUnderWay:
    """A round, the slots that are idle, and what each of the others executes."""

    this: Round
    timeout: float
    idle: list[Slot]
    waiting: list[Job] = field(init=False)
    under_way: dict[Future[Outcome], tuple[Job, Slot]] = field(default_factory=dict)
    lost_once: list[Job] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.waiting = list(self.this.jobs)

    def outcomes(self) -> Iterator[tuple[Job, Outcome]]:
        self._start()
        while self.under_way:
            ended, _ = wait(self.under_way, return_when=FIRST_COMPLETED)
            for future in ended:
                job, slot = self.under_way.pop(future)
                try:
                    outcome = future.result()
                except SlotLostError as error:
                    self.idle += [slot] * error.is_back
                    if job not in self.lost_once:
                        self.lost_once.append(job)
                        self.waiting.insert(0, job)
                        continue
                    outcome = Outcome({}, str(error), {}, lost=True)
                else:
                    self.idle.append(slot)
                yield job, outcome
            self._start()
        for job in self.waiting:
            reason = f"no device is left for {job.cell.setting.title}"
            yield job, Outcome({}, reason, {}, lost=True)

    def _start(self) -> None:
        """Gives each idle slot the first job that it takes and that may begin."""
        for slot in list(self.idle):
            while job := next(filter(slot.takes, self.waiting), None):
                self.waiting.remove(job)
                if job in self.lost_once or self.this.begin(job):
                    self.idle.remove(slot)
                    self.under_way[slot.submit(job, self.timeout)] = job, slot
                    break
