"""Gates resampled from recorded pairs: how often they fail without reason, or miss a slowdown."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cmx_bench.gate import rule
from cmx_bench.gate.verdict import State
from cmx_bench.results import stats


@dataclass(frozen=True, slots=True)
class Rates:
    """How many of `gates` ended how, as shares, and the pairs that one took on average."""

    gates: int
    fail: float
    inconclusive: float
    passed: float
    pairs: float


def gate(
    log_ratios: Sequence[float], threshold: float, most_pairs: int, rng: random.Random
) -> tuple[State, int]:
    """One sequential gate on pairs drawn with replacement; its verdict and the pairs it took."""
    drawn: list[float] = []
    for look in rule.LOOKS:
        if look > most_pairs:
            break
        drawn += rng.choices(log_ratios, k=look - len(drawn))
        state = rule.judge(stats.paired(drawn), threshold)
        if state != "INCONCLUSIVE":
            return state, look
    return "INCONCLUSIVE", len(drawn)


def rates(
    log_ratios: Sequence[float], threshold: float, most_pairs: int, rng: random.Random,
    gates: int = 1000,
) -> Rates:  # fmt: skip
    """The rates of so many gates, each limited to `most_pairs` pairs."""
    ended = [gate(log_ratios, threshold, most_pairs, rng) for _ in range(gates)]
    states = [state for state, _ in ended]
    shares = {state: states.count(state) / gates for state in ("FAIL", "INCONCLUSIVE", "PASS")}
    taken = sum(pairs for _, pairs in ended) / gates
    return Rates(gates, shares["FAIL"], shares["INCONCLUSIVE"], shares["PASS"], taken)


def overall(
    log_ratios: Mapping[str, Sequence[float]], threshold: float, most_pairs: int,
    rng: random.Random, gates: int,
) -> Rates:  # fmt: skip
    """The rates of `gates` gates, equally on the pairs of each model."""
    each = math.ceil(gates / len(log_ratios))
    return mean([rates(ratios, threshold, most_pairs, rng, each) for ratios in log_ratios.values()])


def mean(several: Sequence[Rates]) -> Rates:
    """The rates over all gates of several, weighted by their numbers."""
    gates = sum(rates.gates for rates in several)

    def share(name: str) -> float:
        return math.fsum(rates.gates * float(getattr(rates, name)) for rates in several) / gates

    return Rates(gates, share("fail"), share("inconclusive"), share("passed"), share("pairs"))
