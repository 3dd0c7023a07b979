"""What gates are worth on this machine: pairs that are the same, and pairs slowed by extra layers.

Both sides are this interpreter. The pairs of both kinds are measured in turns; the rates come from
gates resampled from them, by the rule and the looks of `ab`.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

from cmx_bench import units
from cmx_bench.errors import PlanError
from cmx_bench.gate import ab, pairs, rule, simulate
from cmx_bench.gate.cells import TIMED
from cmx_bench.gate.floor import Floor
from cmx_bench.gate.pairs import Pair, PairError
from cmx_bench.measures import compiled
from cmx_bench.plan import Plan
from cmx_bench.worker import scratch

Kind: TypeAlias = Literal["trial", "same", "slower"]
LogRatios: TypeAlias = Mapping[str, Sequence[float]]  # by model

# Called with each pair as it is measured, and what kind it is.
Watch: TypeAlias = Callable[[Kind, Pair], None]

BUDGETS = (30, 60, 90, 120, 180, 300)
FEWEST_ROUNDS = 8
_TRIAL_LAYERS = 16
_TRIAL_ROUNDS = 2
_GATES = 500  # for each rate; one false alarm in a hundred is then known to ± 0.4
_TRIED = (0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3)


def run(plan: Plan, threshold: float, budget: float, log: Path, watch: Watch) -> Floor:
    """Measures pairs for about `budget` seconds, at least `FEWEST_ROUNDS` rounds.

    Args:
        threshold: the slowdown to inject, and the threshold of the gates, as a share.

    Raises:
        PlanError: the suite has no throughput cell.
        PairError: a model fails.
    """
    cells = [cell for cell in plan.cells if cell.measure == TIMED]
    if not cells:
        raise PlanError(f"the suite has no {TIMED} cell to test gates with")
    found: dict[Kind, dict[str, list[float]]] = {
        kind: {cell.model.name: [] for cell in cells} for kind in ("trial", "same", "slower")
    }
    rng = random.Random()
    took: list[float] = []

    def one_round(shared: Path, kinds: Sequence[Kind], layers: Mapping[str, int]) -> None:
        jobs = [(cell, kind) for cell in cells for kind in kinds]
        begin, elapsed = time.monotonic(), 0.0
        paths = {"base": sys.executable, "head": sys.executable}
        left, again = rng.sample(jobs, len(jobs)), False
        while left:
            with ab.both(paths, log, shared) as (base, head):
                while left:
                    cell, kind = left[-1]
                    extra = 0 if kind == "same" else layers[cell.model.name]
                    timeout = plan.suite_file.suite.timeout
                    try:
                        pair = pairs.measure(cell, base, head, rng, timeout, extra)
                    except PairError as error:
                        if again or not error.lost:
                            raise
                        again = True  # once, with fresh servers
                        break
                    again = False
                    left.pop()
                    found[kind][cell.model.name].append(pair.log_ratio)
                    elapsed += pair.elapsed
                    watch(kind, pair)
        # The two interpreters: in a gate they are shared by one pair a cell.
        starting = max(0.0, time.monotonic() - begin - elapsed)
        took.append(elapsed / len(jobs) + starting / len(cells))

    begin = time.monotonic()
    with compiled.folder(scratch.folder()) as shared:
        for _ in range(_TRIAL_ROUNDS):
            one_round(shared, ["trial"], {cell.model.name: _TRIAL_LAYERS for cell in cells})
        layers = {name: _layers(ratios, threshold) for name, ratios in found["trial"].items()}
        rounds = 0
        while rounds < FEWEST_ROUNDS or time.monotonic() - begin < budget:
            one_round(shared, ["same", "slower"], layers)
            rounds += 1
    return _floor(plan, threshold, found["same"], found["slower"], statistics.fmean(took))


def _layers(ratios: Sequence[float], threshold: float) -> int:
    """So many layers that they should slow the model by the threshold, at least one."""
    a_layer = statistics.fmean(ratios) / _TRIAL_LAYERS
    return max(1, round(math.log1p(threshold) / a_layer)) if a_layer > 0 else _TRIAL_LAYERS


def _floor(
    plan: Plan, threshold: float, same: LogRatios, slower: LogRatios, seconds_a_pair: float
) -> Floor:
    rng = random.Random(0)  # the same pairs give the same findings
    most = max(rule.LOOKS[0], int(ab.SECONDS_A_MODEL / seconds_a_pair))
    false = simulate.overall(same, threshold, most, rng, _GATES)
    caught = simulate.overall(moved(slower, threshold), threshold, most, rng, _GATES)
    return Floor(
        machine=dict(plan.machine),
        suite=plan.suite_file.suite.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        threshold=threshold,
        pairs=sum(map(len, same.values())),
        seconds_a_pair=seconds_a_pair,
        spread={name: statistics.stdev(ratios) for name, ratios in same.items()},
        injected={name: math.expm1(statistics.fmean(all_)) for name, all_ in slower.items()},
        false_alarms=false.fail,
        misses=caught.passed,
        inconclusive=caught.inconclusive,
        detectable={
            str(budget): detectable(same, int(budget / seconds_a_pair), rng) for budget in BUDGETS
        },
    )


def moved(log_ratios: LogRatios, slowdown: float) -> dict[str, list[float]]:
    """Log-ratios shifted so that each model's mean is exactly `slowdown`, a share."""
    return {
        name: [one - statistics.fmean(ratios) + math.log1p(slowdown) for one in ratios]
        for name, ratios in log_ratios.items()
    }


def detectable(same: LogRatios, most_pairs: int, rng: random.Random) -> float | None:
    """The smallest threshold tried at which gates of so many pairs catch a slowdown of its size
    with 95 % power and raise 1 % false alarms at most; None where none does."""
    if most_pairs < rule.LOOKS[0]:
        return None
    for slowdown in _TRIED:
        caught = simulate.overall(moved(same, slowdown), slowdown, most_pairs, rng, _GATES)
        if caught.fail < rule.POWER:
            continue
        if simulate.overall(same, slowdown, most_pairs, rng, _GATES).fail <= 0.01:
            return slowdown
    return None


def lines(found: Floor) -> Iterator[str]:
    """A self-test as people read it."""
    threshold = units.percent(found.threshold)
    yield (
        f"{found.pairs} pairs of each kind on {found.machine.get('device_name')}, "
        f"{found.seconds_a_pair:.1f} s a pair"
    )
    for name, spread in found.spread.items():
        yield (
            f"  {name}: a pair's standard deviation {units.percent(spread)}, "
            f"injected slowdown {units.percent(found.injected[name])}"
        )
    yield f"gates with a threshold of {threshold}, resampled from these pairs:"
    yield f"  nothing changed: {units.percent(found.false_alarms)} false alarms"
    yield (
        f"  slower by exactly {threshold}: {units.percent(found.misses)} missed, "
        f"{units.percent(found.inconclusive)} inconclusive"
    )
    yield "smallest slowdown caught in 95 % of gates, with at most 1 % false alarms:"
    for seconds, least in found.detectable.items():
        shown = "none of those tried" if least is None else units.percent(least)
        yield f"  {seconds:>4} s of measuring a model: {shown}"
