"""Decides how many more processes each cell of a plan gets, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cmx_bench import metrics, units
from cmx_bench.cell import Cell
from cmx_bench.measures import MEASURES
from cmx_bench.plan import Plan
from cmx_bench.results import disturbance, gaps, stats
from cmx_bench.results.records import Record
from cmx_bench.results.stats import Estimate

# The fewest processes of a cell that has to reach a precision. Fewer may agree by chance: measuring
# would stop, and the value would be wrong too often.
FEWEST_FOR_PRECISION = 5
# Processes, the disturbed included, that agree as well as a calm machine's do are not repeated.
_AGREED = 0.02


def rounds(plan: Plan) -> Sequence[int]:
    """The replicates that a cell gets at most."""
    if plan.replicate is not None:
        return (plan.replicate,)
    return range(max(most_processes(plan, cell) for cell in plan.cells))


def most_processes(plan: Plan, cell: Cell) -> int:
    """How many processes a cell gets at most."""
    least = plan.replicates(cell)
    if plan.replicate is not None:
        return least
    wants_precision = plan.suite_file.suite.precision is not None
    return gaps.most_processes(MEASURES[cell.measure], least, wants_precision)


def processes_left(plan: Plan, cell: Cell, records: Sequence[Record]) -> int:
    """How many more processes a cell will get: known up to the plan's number, beyond it a guess.

    Processes that stayed disturbed are repeated where that narrows the interval: see `_repeats`. 0
    is certain: by the estimate over what counts the cell is narrow enough, or it has all that it
    may have, or it failed or was skipped. A model is evaluated with every seed, also where one
    failed.

    Args:
        records: the cell's records, judged together with the others.
    """
    least = plan.replicates(cell)
    if MEASURES[cell.measure].together:
        return max(0, least - len({record.replicate for record in records}))
    if any(record.status != "ok" for record in records):
        return 0  # the next process would fail as well, or lack the same
    if plan.replicate is not None:
        return 0 if records else 1  # whether more are wanted only who has the others knows
    precision = plan.suite_file.suite.precision if MEASURES[cell.measure].precise else None
    least = least if precision is None else max(least, FEWEST_FOR_PRECISION)
    metric = metrics.first_of(cell.measure)
    missing = least - len(records) if len(records) < least else _repeats(records, least, metric)
    if missing > 0:
        return min(missing, most_processes(plan, cell) - len(records))
    so_far = None if precision is None else _estimate(disturbance.counting(records), metric)
    if precision is None or so_far is None or so_far.within(precision):
        return 0
    n, width = so_far.n, so_far.relative_half_width
    # An interval shrinks with the square root of the processes it rests on.
    needed = n + 1 if width is None else math.ceil(n * (width / precision) ** 2)
    return max(0, min(max(needed, n + 1) - n, most_processes(plan, cell) - len(records)))


def _repeats(records: Sequence[Record], least: int, metric: str) -> int:
    """How many more processes a cell gets in place of those of its `least` that stayed disturbed.

    None where all together agree, for then the disturbance moved nothing; and none where too few of
    the next are expected to be calm, by how many of its own were, for the calm ones to count alone
    or to be more. All are expected to take as long as the last, and end within the time that as
    many take on a calm machine as may be repeated.
    """
    calm = [record for record in records if not disturbance.is_disturbed(record)]
    missing = least - len(calm)
    if missing <= 0:
        return 0
    together = _estimate(records, metric)
    if together is not None and together.within(_AGREED):
        return 0
    quiet = min(record.elapsed for record in calm or records)
    spent = sum(record.elapsed for record in records[least:])
    seconds = (gaps.MOST_REPEATS - 1) * least * quiet - spent
    room = gaps.MOST_REPEATS * least - len(records)
    if (each := records[-1].elapsed) > 0:
        room = min(room, int(seconds / each))
    # Laplace's rule of succession.
    expected = len(calm) + room * (len(calm) + 1) / (len(records) + 2)
    enough = max(disturbance.FEWEST_UNDISTURBED, len(calm) + 1)
    return min(missing, room) if round(expected) >= enough else 0


def _estimate(records: Sequence[Record], metric: str) -> Estimate | None:
    samples = [record.values[metric] for record in records if record.values.get(metric)]
    return stats.estimate(samples) if samples else None


def why_more(plan: Plan, cell: Cell, records: Sequence[Record]) -> str:
    """Why a cell that has all processes of its plan gets more, in some words.

    Args:
        records: the cell's records, judged together with the others.
    """
    if MEASURES[cell.measure].together:
        return "what failed is tried again"
    if records and _repeats(records, plan.replicates(cell), metrics.first_of(cell.measure)) > 0:
        return "disturbed processes are repeated"
    return "precision asks for another round"


def cut_off(plan: Plan, left: Mapping[str, int]) -> dict[str, int]:
    """How many more processes the repeated cells of a run that has ended would still have got, by
    how many are `left` for each cell."""
    return {cell.key: left[cell.key] for cell in plan.repeated if left[cell.key]}


def foretell(plan: Plan, records: Mapping[str, Sequence[Record]], budget: float | None) -> str:
    """What is known beforehand of a budget in seconds that does not hold what is measured once;
    empty where it does, or there is none."""
    cells = [
        cell for cell in plan.cells
        if not MEASURES[cell.measure].together and not records.get(cell.key)
    ]  # fmt: skip
    first = plan.starting * any(map(plan.repeats, cells))
    first += sum(plan.estimates[cell.key] for cell in cells) / plan.devices
    if budget is None or first <= budget:
        return ""
    return (
        f"measuring each cell once takes about {units.duration(first)}, more than the budget of "
        f"{units.duration(budget)}: that is done all the same, and nothing is repeated; --only "
        f"chooses fewer cells"
    )


def apart(plan: Plan, spread: float) -> float:
    """The seconds from the beginning of a round to that of the next, at least."""
    return spread / plan.suite_file.suite.replicates
