"""What other gates would have said of the samples that `gate.py` recorded."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from scipy.stats import mannwhitneyu

THRESHOLD = 0.05
GATES = 200  # for each model: Mann-Whitney takes milliseconds

Drawn = Sequence[Mapping[str, Any]]


def turns(drawn: Drawn, side: int) -> list[float]:
    return [turn for pair in drawn for block in pair["blocks"] for turn in block[side : side + 2]]


def mann_whitney(base: Sequence[float], head: Sequence[float]) -> bool:
    """p < 0.05, and head slower."""
    slower = statistics.median(head) > statistics.median(base)
    return slower and float(mannwhitneyu(base, head).pvalue) < 0.05


def mean_rule(base: Sequence[float], head: Sequence[float]) -> bool:
    """pytest-benchmark's ``--benchmark-compare-fail=mean:5%``."""
    return statistics.fmean(head) > (1 + THRESHOLD) * statistics.fmean(base)


def interleave(gate: Callable[..., bool]) -> Callable[[Drawn], bool]:
    """A rule on the samples of all pairs, which its users do not interleave."""
    return lambda drawn: gate(turns(drawn, 2), turns(drawn, 4))


def compare_with_stored(gate: Callable[..., bool]) -> Callable[[Drawn], bool]:
    """A rule as it is used: one process now against one that was stored before."""
    return lambda drawn: gate(turns(drawn[:1], 2), turns(drawn[1:2], 4))


PEERS: dict[str, Callable[[Drawn], bool]] = {
    "Mann-Whitney on iterations, same pairs": interleave(mann_whitney),
    "Mann-Whitney on iterations, stored baseline": compare_with_stored(mann_whitney),
    "pytest-benchmark mean:5%, same pairs": interleave(mean_rule),
    "pytest-benchmark mean:5%, stored baseline": compare_with_stored(mean_rule),
}


def peer(bank: Drawn, gate: Callable[[Drawn], bool], n: int) -> float:
    """The share of gates that fail, each on `n` pairs of one model, drawn with replacement."""
    rng = random.Random(0)
    by_model: dict[str, list[Mapping[str, Any]]] = {}
    for pair in bank:
        by_model.setdefault(pair["model"], []).append(pair)
    failed = [gate(rng.choices(own, k=n)) for own in by_model.values() for _ in range(GATES)]
    return statistics.fmean(failed)


def show_timm(runs: Sequence[Mapping[str, Any]]) -> None:
    """Two runs in a row, the second judged against the first by a 5 % rule."""
    base, head = (
        [run["rate"] for run in runs if run["kind"] == kind] for kind in ("same", "slower")
    )
    slow = [math.log(b / h) for b, h in zip(base, head, strict=True)]
    alarms = [old > (1 + THRESHOLD) * new for old, new in pairwise(base)]
    caught = [old > (1 + THRESHOLD) * new for old, new in zip(base, head, strict=True)]
    took = 2 * statistics.fmean(run["elapsed"] for run in runs)
    shares = [100 * statistics.fmean(decisions) for decisions in (alarms, caught)]
    title = "timm benchmark.py, two runs in a row, > 5 %"
    print(
        f"  {title:44} {shares[0]:9.1f} %  {shares[1]:5.1f} %"
        f"  ({len(base)} runs of each kind, {took:.0f} s a gate, truly slower by "
        f"{100 * math.expm1(statistics.fmean(slow)):.1f} %)"
    )
