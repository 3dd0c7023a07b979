"""Evaluates the models of a setting side by side. The slots share its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from cmx_bench.cell import Cell
from cmx_bench.execute.slots import Opening, Slot, Task, UnderWay
from cmx_bench.spec import disk
from cmx_bench.worker.job import EvaluationJob, Job, Outcome, Round, Seen


def evaluate(
    opened: Opening, jobs: Sequence[EvaluationJob], timeout: float, watch: Callable[[Seen], None]
) -> Iterator[tuple[EvaluationJob, Cell, Outcome]]:
    """Each cell with its outcome, in the order in which they end; an `Evaluator`, given the
    slots."""
    cells = [
        Job(cell, job.replicate, disk.within(job.folder, "log.txt"))
        for job in jobs
        for cell in job.cells
    ]
    with opened(Round(cells, repeated=False)) as slots:
        shares = [share for job in jobs for share in _shares(job, slots)]
        shares.sort(key=_seconds, reverse=True)  # the longest first: all end about together

        def hear(share: Task[EvaluationJob], said: Seen) -> None:
            """Keeps how far it is, by its longest part: a training, and not what follows it."""
            if share.seen is None or (said.size or 0) >= (share.seen.size or 0):
                share.seen = said
            watch(_together(shares, said.doing))

        under_way = UnderWay(timeout, list(slots), list(shares), hear=hear)
        for share, cell, outcome in under_way.outcomes():
            yield share.order, cell, outcome


def _seconds(share: Task[EvaluationJob]) -> float:
    return sum(share.order.estimates.get(cell.key, 0.0) for cell in share.left)


def _shares(job: EvaluationJob, slots: Sequence[Slot]) -> list[Task[EvaluationJob]]:
    """Models to be trained stand alone; of others each slot has as much to do, for those that share
    a process share the decoding of images."""
    if job.seed is not None:
        return [Task(job, [cell]) for cell in job.cells]
    takers = sum(slot.takes(job.cells[0].setting) for slot in slots)
    shares = [Task(job, list[Cell]()) for _ in range(min(max(1, takers), len(job.cells)))]
    for cell in sorted(job.cells, key=lambda cell: -job.estimates.get(cell.key, 0.0)):
        least = min(shares, key=lambda share: (_seconds(share), len(share.left)))
        least.left.append(cell)
    return shares


def _together(shares: Sequence[Task[EvaluationJob]], doing: str) -> Seen:
    """How far all shares have come: those that have said nothing yet are as large as others."""
    told = [share.seen for share in shares if share.seen is not None]
    sizes = [seen.size for seen in told if seen.size is not None]
    images = sum(seen.images for seen in told)
    if len(sizes) < len(told):
        return Seen(images, None, doing)
    return Seen(images, sum(sizes) + max(sizes) * (len(shares) - len(told)), doing)
