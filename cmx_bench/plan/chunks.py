"""A plan divided into parts that are runs of their own: cells of one replicate that fit into a
time."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cmx_bench import units
from cmx_bench.cell import Cell
from cmx_bench.errors import PlanError
from cmx_bench.measures import MEASURES
from cmx_bench.plan import Plan, replicates_of
from cmx_bench.results.grouping import group

# Cells of one setting, or of one training: they belong into one part where they fit.
_Group: TypeAlias = list[Cell]


@dataclass(frozen=True, slots=True)
class Chunk:
    """One replicate of the cells that the globs `only` choose, and the seconds that their run takes
    by the plan's estimates."""

    replicate: int
    only: tuple[str, ...]
    seconds: float


def divide(first: Plan, most: float, besides: float) -> list[Chunk]:
    """The parts that make the whole together, each replicate of each cell in exactly one.

    Models are measured side by side: a part has all models of a setting where they fit, and all
    measures of a model in a setting otherwise. An evaluation is not divided, for its models share
    the images that are read; nor is a training, and on a CPU all models are trained together.

    Args:
        first: the plan of replicate 0, the one that every cell has.
        most: the seconds that a part takes at most; longer ones cannot be divided.
        besides: the seconds that a run takes in addition to its cells.

    Raises:
        PlanError: that leaves no time for cells.
    """
    if most <= besides:
        raise PlanError(f"--chunk: a job takes {units.duration(besides)} without its cells; give "
                        f"it more than {units.duration(most)}")  # fmt: skip
    suite, task = first.suite_file.suite, first.evaluation
    counts = {cell.key: replicates_of(cell, suite.replicates, task) for cell in first.cells}
    return [
        Chunk(replicate, tuple(_globs(first, cells)), besides + _seconds(first, cells))
        for replicate in range(max(counts.values()))
        for cells in _pack(
            first, [cell for cell in first.cells if replicate < counts[cell.key]], most - besides
        )
    ]


def _pack(plan: Plan, cells: Sequence[Cell], room: float) -> list[list[Cell]]:
    """Cells of one replicate in parts of at most `room` seconds, where they can be divided."""
    parts: list[list[Cell]] = []
    left = 0.0
    for together in _groups(plan, cells):
        is_whole = MEASURES[together[0].measure].together or _seconds(plan, together) <= room
        by_model = group(together, lambda cell: cell.model.name)
        for piece in [together] if is_whole else by_model.values():
            seconds = _seconds(plan, piece)
            if not parts or seconds > left:
                parts.append([])
                left = room
            parts[-1] += piece
            left -= seconds
    return parts


def _groups(plan: Plan, cells: Sequence[Cell]) -> list[_Group]:
    """Cells of one setting that are sampled; those evaluated together; those trained together, for
    settings of one image size share the weights."""
    task = plan.evaluation

    def shared(cell: Cell) -> Hashable:
        together = MEASURES[cell.measure].together
        if not (together and task is not None and task.trains(cell.model)):
            return together, cell.setting_key
        alone = "" if cell.setting.kind == "cpu" else cell.model.name
        return "trained", task.asked.shared_size(cell.setting), alone

    return list(group(cells, shared).values())


def _seconds(plan: Plan, cells: Sequence[Cell]) -> float:
    return sum(plan.estimates[cell.key] for cell in cells)


def _globs(plan: Plan, cells: Sequence[Cell]) -> Iterator[str]:
    """What chooses these cells of the plan's: one glob for all models of a setting."""
    for (measure, setting), alike in group(cells, lambda it: (it.measure, it.setting_key)).items():
        if len(alike) == len(plan.models):
            yield f"*/{measure}/{setting}"
        else:
            yield from (cell.key for cell in alike)
