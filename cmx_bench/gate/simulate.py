"""Gates resampled from recorded pairs: how often they fail without reason, or miss a slowdown."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cmx_bench.gate import rule
from cmx_bench.gate.verdict import State
from cmx_bench.results import stats


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
