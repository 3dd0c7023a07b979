"""Trains models on this machine, one after another in fresh processes, and then evaluates them as
if their weights had been there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cmx_bench import predictions
from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell
from cmx_bench.execute import evaluations, local
from cmx_bench.execute.job import Outcome, Seen, Trained
from cmx_bench.execute.local import ProcessError
from cmx_bench.training import files
from cmx_bench.training.files import Files

_TARGET = "cmx_bench.execute.trainer:train"


@dataclass(frozen=True, slots=True)
class _Ready:
    """A cell whose model is trained: its weights, what is told of the training, its seconds."""

    cell: Cell
    weights: Path
    told: Mapping[str, Any]
    seconds: float


def execute(
    cells: Sequence[Cell], seed: int, task: Evaluation, folder: Path, timeout: float,
    watch: Callable[[Seen], None],
) -> Iterator[tuple[Cell, Outcome]]:  # fmt: skip
    """Each cell of one setting with its outcome, its model trained with `seed`.

    Settings of one image size share the weights: what has been trained is not trained again, and
    what was broken off goes on.
    """
    ready: list[_Ready] = []
    for cell in cells:
        begin = time.monotonic()
        kept = files.of(folder, cell.model.name, task.asked.shared_size(cell.setting), seed)
        told: Mapping[str, Any] | None = files.read_told(kept.told)
        if told is None:
            ended = _ended(cell, seed, task, kept, folder / "log.txt", timeout, watch)
            if ended.told is None:
                seconds = time.monotonic() - begin
                yield cell, Outcome({}, ended.reason, ended.environment, elapsed=seconds)
                continue
            told = ended.told
        ready.append(_Ready(cell, kept.last, told, time.monotonic() - begin))
    yield from _evaluated(ready, seed, task, folder, timeout, watch)


def _ended(
    cell: Cell, seed: int, task: Evaluation, kept: Files, log: Path, timeout: float,
    watch: Callable[[Seen], None],
) -> Trained:  # fmt: skip
    """How a training ended, by a process of its own."""
    try:
        with local.process(_TARGET, cell, seed, task, kept, log) as child:
            while True:
                said: Seen | Trained = local.receive(child, timeout)
                if isinstance(said, Trained):
                    return said
                watch(said)
    except ProcessError as error:
        return Trained(None, f"the process {error}", {})


def _evaluated(
    ready: Sequence[_Ready], seed: int, task: Evaluation, folder: Path,
    timeout: float, watch: Callable[[Seen], None],
) -> Iterator[tuple[Cell, Outcome]]:  # fmt: skip
    if not ready:
        return
    trained = {one.cell.key: one for one in ready}
    cells = [_with_weights(one.cell, one.weights) for one in ready]
    home = predictions.home(folder, task.seeds.index(seed))
    home.mkdir(parents=True, exist_ok=True)
    for cell, outcome in evaluations.execute(cells, task, home, timeout, watch):
        one = trained[cell.key]
        weights = one.weights.relative_to(folder).as_posix()
        details = {**outcome.details, "weights": weights, "training": one.told}
        elapsed = outcome.elapsed + one.seconds
        yield one.cell, replace(outcome, details=details, elapsed=elapsed)


def _with_weights(cell: Cell, path: Path) -> Cell:
    return replace(cell, model=replace(cell.model, weights=str(path.absolute())))
