"""Evaluates the models of a setting side by side. The slots share its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TypeAlias

from cmx_bench.cell import Cell
from cmx_bench.execute.slots import Heard, Opening, Slot, SlotLostError
from cmx_bench.spec import disk
from cmx_bench.worker.job import EvaluationJob, Job, Outcome, Round, Seen

_Graded: TypeAlias = tuple[EvaluationJob, Cell, Outcome]


def evaluate(
    opened: Opening, jobs: Sequence[EvaluationJob], timeout: float, watch: Callable[[Seen], None]
) -> Iterator[_Graded]:
    """Each cell with its outcome, in the order in which they end; an `Evaluator`, given the slots.

    What a lost slot has not told is evaluated once more on another. Where that is lost too, or no
    slot is left that takes it, its outcome is `lost`.
    """
    cells = [Job(cell, job.replicate, _log(job)) for job in jobs for cell in job.cells]
    with opened(Round(cells, repeated=False)) as slots:
        shares = [share for job in jobs for share in _shares(job, slots)]
        shares.sort(key=_Share.seconds, reverse=True)  # the longest first: all end about together
        yield from _Evaluation(timeout, watch, list(slots), shares).outcomes()


def _log(job: EvaluationJob) -> Path:
    return disk.within(job.folder, "log.txt")


@dataclass(eq=False, slots=True)
class _Share:
    """The cells of a job that one slot evaluates, `left` those that it has not told of yet."""

    job: EvaluationJob
    left: list[Cell]
    lost_once: bool = False
    seen: Seen | None = None

    def seconds(self) -> float:
        return sum(self.job.estimates.get(cell.key, 0.0) for cell in self.left)

    def hear(self, said: Seen) -> None:
        """Keeps how far it is, by its longest part: a training, and not the evaluation after it."""
        if self.seen is None or (said.size or 0) >= (self.seen.size or 0):
            self.seen = said

    def to_do(self) -> EvaluationJob:
        return replace(self.job, cells=self.left)

    def is_taken_by(self, slot: Slot) -> bool:
        return slot.takes(Job(self.left[0], self.job.replicate, _log(self.job)))


def _shares(job: EvaluationJob, slots: Sequence[Slot]) -> list[_Share]:
    """Models to be trained stand alone; of others each slot has as much to do, for those that share
    a process share the decoding of images."""
    if job.seed is not None:
        return [_Share(job, [cell]) for cell in job.cells]
    takers = sum(map(_Share(job, list(job.cells)).is_taken_by, slots))
    shares = [_Share(job, []) for _ in range(min(max(1, takers), len(job.cells)))]
    for cell in sorted(job.cells, key=lambda cell: -job.estimates.get(cell.key, 0.0)):
        least = min(shares, key=lambda share: (share.seconds(), len(share.left)))
        least.left.append(cell)
    return shares


@dataclass(slots=True)
class _Evaluation:
    """Shares, the slots that are idle, and what each of the others evaluates."""

    timeout: float
    watch: Callable[[Seen], None]
    idle: list[Slot]
    shares: Sequence[_Share]
    waiting: list[_Share] = field(init=False)
    under_way: dict[Future[None], tuple[_Share, Slot]] = field(default_factory=dict)
    # What the slots tell from their threads: a word of a share, and the future of one that ended.
    heard: SimpleQueue[tuple[_Share, Heard] | Future[None]] = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        self.waiting = list(self.shares)

    def outcomes(self) -> Iterator[_Graded]:
        self._start()
        while self.under_way:
            said = self.heard.get()
            if isinstance(said, Future):
                yield from self._ended(said)
                self._start()
            else:
                yield from self._told(*said)
        for share in self.waiting:
            yield from _lost(share, f"no device is left for {share.job.cells[0].setting.name}")

    def _start(self) -> None:
        """Gives each idle slot the first share that it takes."""
        for slot in list(self.idle):
            share = next((share for share in self.waiting if share.is_taken_by(slot)), None)
            if share is not None:
                self.waiting.remove(share)
                self.idle.remove(slot)
                tell = partial(self._hear, share)
                future = slot.evaluate(share.to_do(), self.timeout, tell)
                self.under_way[future] = share, slot
                future.add_done_callback(self.heard.put)

    def _hear(self, share: _Share, said: Heard) -> None:
        self.heard.put((share, said))

    def _told(self, share: _Share, said: Heard) -> Iterator[_Graded]:
        if isinstance(said, Seen):
            share.hear(said)
            self.watch(_together(self.shares, said.doing))
            return
        cell, outcome = said
        share.left.remove(cell)
        yield share.job, cell, outcome

    def _ended(self, future: Future[None]) -> Iterator[_Graded]:
        share, slot = self.under_way.pop(future)
        try:
            future.result()
            self.idle.append(slot)
        except SlotLostError as error:
            self.idle += [slot] * error.is_back
            if share.left and not share.lost_once:
                share.lost_once = True
                self.waiting.insert(0, share)
            else:
                yield from _lost(share, str(error))


def _lost(share: _Share, reason: str) -> Iterator[_Graded]:
    for cell in share.left:
        yield share.job, cell, Outcome({}, reason, {}, lost=True)


def _together(shares: Sequence[_Share], doing: str) -> Seen:
    """How far all shares have come: those that have said nothing yet are as large as others."""
    told = [share.seen for share in shares if share.seen is not None]
    sizes = [seen.size for seen in told if seen.size is not None]
    images = sum(seen.images for seen in told)
    if len(sizes) < len(told):
        return Seen(images, None, doing)
    return Seen(images, sum(sizes) + max(sizes) * (len(shares) - len(told)), doing)
