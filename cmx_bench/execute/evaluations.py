"""Evaluates models on this machine. One fresh process evaluates all models of a setting on images
decoded once. Each `python:` model has a process of its own, because its code can change what others
predict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell
from cmx_bench.spec import disk
from cmx_bench.worker import local
from cmx_bench.worker.job import Evaluated, Heard, Outcome, Seen
from cmx_bench.worker.local import KilledError, ProcessError
from cmx_bench.worker.targets import Target


def execute(
    cells: Sequence[Cell], task: Evaluation, folder: Path, timeout: float
) -> Iterator[Heard]:
    """Each cell of one setting with its outcome, as it comes, and how many images all groups
    together have seen."""
    shared = [cell for cell in cells if cell.model.source != "python"]
    alone = [[cell] for cell in cells if cell.model.source == "python"]
    groups = [shared, *alone] if shared else alone
    for number, group in enumerate(groups):
        for said in _execute(group, task, folder, timeout):
            if isinstance(said, Seen) and said.size is not None:
                images, size = said.images + number * said.size, len(groups) * said.size
                yield replace(said, images=images, size=size)
            else:
                yield said


def _execute(
    cells: Sequence[Cell], task: Evaluation, folder: Path, timeout: float
) -> Iterator[Heard]:
    """Each cell of one group with its outcome, and how far they are.

    Where the process dies, or says nothing for `timeout` seconds, those left are tried again one
    by one, each in a process of its own; so are those for which memory ran out. One whose own
    process something outside ended is tried again once.
    """
    left = {cell.key: cell for cell in cells}
    alone = len(cells) == 1
    for again in (False, True):
        try:
            for said in _hear(list(left.values()), task, folder, timeout):
                if isinstance(said, Seen):
                    yield said
                elif not said.again:
                    yield left.pop(said.key), said.outcome
            break
        except ProcessError as error:
            if not alone:
                break
            if again or not isinstance(error, KilledError):
                yield cells[0], Outcome({}, f"the process {error}", {}, lost=error.blameless)
                return
    for cell in left.values():
        yield from _execute([cell], task, folder, timeout)


def _hear(
    cells: Sequence[Cell], task: Evaluation, folder: Path, timeout: float
) -> Iterator[Seen | Evaluated]:
    """What the process says, until it has spoken of every cell."""
    waiting = len(cells)
    log = disk.within(folder, "log.txt")
    with local.process(Target.SCORE, tuple(cells), task, folder, log) as child:
        while waiting:
            said: Seen | Evaluated = local.receive(child, timeout)
            waiting -= isinstance(said, Evaluated)
            yield said
