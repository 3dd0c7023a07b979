"""Measures what a gate can detect on this machine, by equal pairs and by pairs slowed by extra
layers.

Both sides are this interpreter. The pairs of both kinds are measured in turns; the rates come from
gates resampled from them, by the rule and the looks of `ab`.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

from cmx_bench import units
from cmx_bench.cell import Cell
from cmx_bench.errors import PlanError
from cmx_bench.gate import ab, floor, pairs, rule
from cmx_bench.gate.comparing import TIMED
from cmx_bench.gate.floor import Bias, Floor
from cmx_bench.gate.pairs import Pair, PairError
from cmx_bench.gate.verdict import State
from cmx_bench.measures import compiled
from cmx_bench.plan import Plan
from cmx_bench.results import stats
from cmx_bench.worker import scratch

Kind: TypeAlias = Literal["trial", "same", "slower"]
LogRatios: TypeAlias = Mapping[str, Sequence[float]]  # by model

# Called with each pair as it is measured, and what kind it is.
Watch: TypeAlias = Callable[[Kind, Pair], None]

BUDGETS = (15, 30, 60, 90, 120, 180, 300)
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
    begin = time.monotonic()
    with compiled.folder(scratch.folder()) as shared:
        known = _Known(cells, plan.suite_file.suite.timeout, log, shared, watch)
        for _ in range(_TRIAL_ROUNDS):
            _measure_a_round(known, ["trial"], {cell.model.name: _TRIAL_LAYERS for cell in cells})
        trials = known.log_ratios("trial")
        layers = {name: _layers(ratios, threshold) for name, ratios in trials.items()}
        rounds = 0
        while rounds < FEWEST_ROUNDS or time.monotonic() - begin < budget:
            _measure_a_round(known, ["same", "slower"], layers)
            rounds += 1
    return _floor(plan, threshold, known)


@dataclass(slots=True)
class _Known:
    """What is to be measured, and what the rounds so far have shown; each round adds to it.

    `pairs` are by their kind and model, `elapsed` the seconds that all of them took;
    `seconds_a_pair` are those of a gate, by round.
    """

    cells: Sequence[Cell]
    timeout: float
    log: Path
    shared: Path
    watch: Watch
    rng: random.Random = field(default_factory=random.Random)
    pairs: dict[tuple[Kind, str], list[Pair]] = field(default_factory=dict)
    elapsed: float = 0.0
    seconds_a_pair: list[float] = field(default_factory=list)

    def log_ratios(self, kind: Kind) -> dict[str, list[float]]:
        """Those of the pairs of a kind, by model."""
        names = [cell.model.name for cell in self.cells]
        return {name: [pair.log_ratio for pair in self.pairs[kind, name]] for name in names}


def _measure_a_round(known: _Known, kinds: Sequence[Kind], layers: Mapping[str, int]) -> None:
    jobs = [(cell, kind) for cell in known.cells for kind in kinds]
    begin, before = time.monotonic(), known.elapsed
    left = known.rng.sample(jobs, len(jobs))
    lost = 0
    while left:
        try:
            _measure_pairs(known, left, layers)
        except PairError as error:
            if not error.lost or lost == len(left):
                raise
            lost = len(left)  # once, with fresh servers
    elapsed = known.elapsed - before
    # The two interpreters: in a gate they are shared by one pair a cell.
    starting = max(0.0, time.monotonic() - begin - elapsed)
    known.seconds_a_pair.append(elapsed / len(jobs) + starting / len(known.cells))


def _measure_pairs(known: _Known, left: list[tuple[Cell, Kind]], layers: Mapping[str, int]) -> None:
    """A pair of each that is left, with fresh interpreters, until none is."""
    paths = {"base": sys.executable, "head": sys.executable}
    with ab.both(paths, known.log, known.timeout, known.shared) as (base, head):
        while left:
            cell, kind = left[-1]
            extra = 0 if kind == "same" else layers[cell.model.name]
            pair = pairs.measure(cell, base, head, known.rng, extra)
            left.pop()
            known.pairs.setdefault((kind, cell.model.name), []).append(pair)
            known.elapsed += pair.elapsed
            known.watch(kind, pair)


def _layers(ratios: Sequence[float], threshold: float) -> int:
    """So many layers that they should slow the model by the threshold, at least one."""
    a_layer = statistics.fmean(ratios) / _TRIAL_LAYERS
    return max(1, round(math.log1p(threshold) / a_layer)) if a_layer > 0 else _TRIAL_LAYERS


def _floor(plan: Plan, threshold: float, known: _Known) -> Floor:
    same, slower = known.log_ratios("same"), known.log_ratios("slower")
    seconds_a_pair = statistics.fmean(known.seconds_a_pair)
    rng = random.Random(0)  # the same pairs give the same findings
    most = max(rule.LOOKS[0], int(ab.SECONDS_A_MODEL / seconds_a_pair))
    false = overall(same, threshold, most, rng, _GATES)
    caught = overall(move(slower, threshold), threshold, most, rng, _GATES)
    return Floor(
        machine=dict(plan.machine),
        suite=plan.suite_file.suite.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        threshold=threshold,
        pairs=sum(map(len, same.values())),
        seconds_a_pair=seconds_a_pair,
        spread={name: statistics.stdev(ratios) for name, ratios in same.items()},
        bias=_bias([pair for name in same for pair in known.pairs["same", name]]),
        injected={name: math.expm1(statistics.fmean(all_)) for name, all_ in slower.items()},
        false_alarms=false.fail,
        misses=caught.passed,
        inconclusive=caught.inconclusive,
        detectable={
            str(budget): detectable(same, int(budget / seconds_a_pair), rng) for budget in BUDGETS
        },
    )


def _bias(same: Sequence[Pair]) -> dict[str, Bias]:
    """What slowed the one side and what the process that was begun first, where nothing should."""
    by_head = [pair.log_ratio for pair in same]
    by_first = [-pair.log_ratio if pair.base_first else pair.log_ratio for pair in same]
    return {"head": floor.bias_of(by_head), "first": floor.bias_of(by_first)}


# --- gates resampled from pairs -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rates:
    """How many gates ended how, as shares, and the pairs that one took on average."""

    fail: float
    inconclusive: float
    passed: float
    pairs: float


def gate(
    log_ratios: Sequence[float], threshold: float, most_pairs: int, rng: random.Random
) -> tuple[State, int]:
    """One sequential gate on pairs drawn with replacement; its verdict and the pairs it took. As
    `ab` does, it looks a last time when its budget is spent."""
    last = min(most_pairs, rule.LOOKS[-1])
    drawn: list[float] = []
    for look in (*(look for look in rule.LOOKS if look < last), max(last, rule.LOOKS[0])):
        drawn += rng.choices(log_ratios, k=look - len(drawn))
        state = rule.judge(stats.compare_pairs(drawn), threshold)
        if state != "INCONCLUSIVE":
            return state, look
    return "INCONCLUSIVE", len(drawn)


def overall(
    log_ratios: Mapping[str, Sequence[float]], threshold: float, most_pairs: int,
    rng: random.Random, gates: int = 1000,
) -> Rates:  # fmt: skip
    """The rates of `gates` gates, equally on the pairs of each model."""
    each = math.ceil(gates / len(log_ratios))
    ended = [gate(ratios, threshold, most_pairs, rng)
             for ratios in log_ratios.values() for _ in range(each)]  # fmt: skip
    counts, gates = Counter(state for state, _ in ended), len(ended)
    return Rates(counts["FAIL"] / gates, counts["INCONCLUSIVE"] / gates, counts["PASS"] / gates,
                 sum(pairs for _, pairs in ended) / gates)  # fmt: skip


def move(log_ratios: LogRatios, slowdown: float) -> dict[str, list[float]]:
    """Log-ratios shifted so that each model's mean is exactly `slowdown`, a share."""
    return {
        name: [ratio - statistics.fmean(ratios) + math.log1p(slowdown) for ratio in ratios]
        for name, ratios in log_ratios.items()
    }


def detectable(same: LogRatios, most_pairs: int, rng: random.Random) -> float | None:
    """The smallest threshold tried at which gates of so many pairs catch a slowdown of its size
    with 95 % power and raise 1 % false alarms at most; None where none does."""
    if most_pairs < rule.LOOKS[0]:
        return None
    for slowdown in _TRIED:
        caught = overall(move(same, slowdown), slowdown, most_pairs, rng, _GATES)
        if caught.fail < rule.POWER:
            continue
        if overall(same, slowdown, most_pairs, rng, _GATES).fail <= 0.01:
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
    is_left = any(map(floor.is_certain, found.bias.values()))
    yield (
        f"nothing changed: head is slower by {floor.tell(found.bias['head'])}, the process begun "
        f"first by {floor.tell(found.bias['first'])} (99 %): "
        f"{'a bias is left' if is_left else 'no bias is seen'}"
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
