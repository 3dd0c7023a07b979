"""How many processes a plan's cells still get, and how long that takes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from cmx_bench import metrics
from cmx_bench.cell import Cell
from cmx_bench.measures import MEASURES
from cmx_bench.plan import INTERPRETER_SECONDS, Plan
from cmx_bench.results import disturbance, stats
from cmx_bench.results.records import Record

# With a precision asked for, a cell gets at most so many processes. An interval half as wide costs
# four times as many: a cell that is far from narrow by then needs a calmer machine.
MOST_PROCESSES = 40
# And at least so many: a few that happen to agree would stop it, and be wrong too often.
FEWEST_FOR_PRECISION = 5
# Without one, at most so many times the suite's number, in place of those that stayed disturbed.
MOST_REPEATS = 2


def most_processes(plan: Plan, cell: Cell) -> int:
    """How many processes a cell gets at most."""
    least = plan.replicates(cell)
    if not MEASURES[cell.measure].precise:
        return least
    wants_more = plan.suite_file.suite.precision is not None
    return max(MOST_REPEATS * least, MOST_PROCESSES * wants_more)


def processes_left(plan: Plan, cell: Cell, found: Sequence[Record]) -> int:
    """How many more processes a cell will get: known up to the plan's number, beyond it a guess.

    Processes that stayed disturbed are repeated, `MOST_REPEATS` times the plan's number in all. 0
    is certain: by the estimate over what counts the cell is narrow enough, or it has all that it
    may have, or it failed or was skipped.

    Args:
        found: the cell's records, judged together with the others.
    """
    if MEASURES[cell.measure].together:
        failed = any(record.status == "failed" for record in found)
        return 0 if failed else max(0, _seeds(plan) - len(found))
    if any(record.status != "ok" for record in found):
        return 0  # the next process would fail as well, or lack the same
    precision = plan.suite_file.suite.precision if MEASURES[cell.measure].precise else None
    least = plan.replicates(cell)
    least = least if precision is None else max(least, FEWEST_FOR_PRECISION)
    calm = sum(not disturbance.disturbed(record) for record in found)
    missing = min(least - calm, MOST_REPEATS * least - len(found))
    if missing > 0:
        return min(missing, most_processes(plan, cell) - len(found))
    metric = metrics.first_of(cell.measure)
    counting = disturbance.counting(found)
    samples = [record.values[metric] for record in counting if record.values.get(metric)]
    if precision is None or not samples:
        return 0
    so_far = stats.estimate(samples)
    if so_far.within(precision):
        return 0
    n, width = so_far.n, so_far.relative_half_width
    # An interval shrinks with the square root of the processes it rests on.
    needed = n + 1 if width is None else math.ceil(n * (width / precision) ** 2)
    return max(0, min(max(needed, n + 1) - n, most_processes(plan, cell) - len(found)))


def all_processes_left(plan: Plan, found: Mapping[str, Sequence[Record]]) -> dict[str, int]:
    """`processes_left` of every cell, by its key.

    Args:
        found: all records, by cell, as they were kept.
    """
    judged = disturbance.cells_together(found)
    return {cell.key: processes_left(plan, cell, judged.get(cell.key, ())) for cell in plan.cells}


def seconds_left(
    plan: Plan,
    found: Mapping[str, Sequence[Record]],
    budget: float | None = None,
    spread: float = 0.0,
    under_way: Mapping[str, float] = MappingProxyType({}),
) -> float:
    """The time that the missing executions will take.

    A cell takes as long as it took before; one not tried yet as long as planned, scaled by how
    the cells of its measure compare with their plan so far. Models that are evaluated end
    together: where one is there, the others of its setting and seed are about to come.

    Args:
        found: all records, by cell.
        budget: the seconds left in which cells are repeated.
        spread: the seconds over which rounds begin.
        under_way: of the setting whose models are trained or evaluated now, by its key, the seconds
            that this still takes.
    """
    took = {key: mine[-1].elapsed for key, mine in found.items() if mine}
    spent: defaultdict[str, float] = defaultdict(float)
    planned: defaultdict[str, float] = defaultdict(float)
    sampled = [cell for cell in plan.cells if not MEASURES[cell.measure].together]
    for cell in sampled:
        if cell.key in took:
            spent[cell.measure] += took[cell.key]
            planned[cell.measure] += plan.estimates[cell.key]

    def expected(cell: Cell) -> float:
        scale = spent[cell.measure] / planned[cell.measure] if planned[cell.measure] else 1.0
        return took.get(cell.key, plan.estimates[cell.key] * scale)

    first = sum(expected(cell) for cell in sampled if cell.key not in took)
    left = all_processes_left(plan, found)
    rounds = max((left[one.key] for one in plan.cells if MEASURES[one.measure].repeated), default=0)
    every = INTERPRETER_SECONDS * rounds
    every += sum(left[cell.key] * expected(cell) for cell in sampled)
    every = max(every, (rounds - 1) * apart(plan, spread))
    every = every if budget is None else min(every, max(first, budget))
    return every + _evaluations_left(plan, found, under_way)


def _evaluations_left(
    plan: Plan, found: Mapping[str, Sequence[Record]], under_way: Mapping[str, float]
) -> float:
    """The seconds for the seeds of each setting that no model has been evaluated with."""
    seconds: defaultdict[str, float] = defaultdict(float)
    there: defaultdict[str, int] = defaultdict(int)
    for cell in plan.evaluated:
        seconds[cell.setting_key] += plan.estimates[cell.key]
        mine = sum(record.status == "ok" for record in found.get(cell.key, ()))
        there[cell.setting_key] = max(there[cell.setting_key], mine)
    seeds = _seeds(plan)

    def missing(key: str) -> int:
        return max(0, seeds - there[key] - (key in under_way))

    planned = sum(each * missing(key) / seeds for key, each in seconds.items())
    return planned + sum(under_way.values())


def _seeds(plan: Plan) -> int:
    return 1 if plan.evaluation is None else len(plan.evaluation.seeds)


def apart(plan: Plan, spread: float) -> float:
    """The seconds from the beginning of a round to that of the next, at least."""
    return spread / plan.suite_file.suite.replicates
