"""The rule at its edges, and its rates on ideal noise."""

from __future__ import annotations

import gzip
import json
import math
import random
import statistics
from pathlib import Path

import pytest

from cmx_bench.gate import rule, selftest, simulate
from cmx_bench.gate.blocks import Block
from cmx_bench.results import stats
from cmx_bench.results.stats import Change

BANK = Path(__file__).parents[1] / "bench/gate_bank.jsonl.gz"


def change(percent: float, error: float, freedom: float = 1e6) -> Change:
    return Change(math.log1p(percent / 100), error / 100, freedom)


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (change(5, 0.1), "FAIL"),
        (change(2.6, 0.1), "FAIL"),  # above half the threshold
        (change(2.4, 0.1), "PASS"),  # below half of it, and surely below the whole
        (change(-20, 0.1), "PASS"),  # a gain
        (change(-20, 15), "INCONCLUSIVE"),  # a gain that may be none
        (change(0, 1.5), "PASS"),
        (change(0, 3), "INCONCLUSIVE"),
        (change(4, 1.5), "INCONCLUSIVE"),  # neither above 0 nor below 5 beyond doubt
        (change(5, 1.0, 3), "INCONCLUSIVE"),  # few pairs have heavy tails
    ],
)
def test_judge(seen: Change, state: str) -> None:
    assert rule.judge(seen, 0.05) == state


def test_bounds_are_one_sided() -> None:
    seen = Change(0.0, 1.0, 1e9)
    assert seen.bound(rule.FAIL_LEVEL) == pytest.approx(-2.807, abs=1e-3)
    assert seen.bound(1 - rule.PASS_LEVEL) == pytest.approx(2.326, abs=1e-3)


def test_what_is_detectable_is_detected() -> None:
    spread, n, rng = 0.02, 8, random.Random(3)
    first = Change(0.0, spread / math.sqrt(n), n - 1)
    slowdown = math.log1p(rule.detectable(first, 0.05))
    failed = 0
    for _ in range(2000):
        drawn = [rng.gauss(slowdown, spread) for _ in range(n)]
        failed += rule.judge(stats.paired(drawn), 0.05) == "FAIL"
    assert 0.93 < failed / 2000 < 0.99


def test_half_the_threshold_is_the_least_that_is_detectable() -> None:
    assert rule.detectable(Change(0.0, 1e-9, 9), 0.05) == pytest.approx(0.0247, abs=1e-4)


def test_how_many_are_needed() -> None:
    undecided = change(1.0, 2.5, 3)
    assert rule.judge(undecided, 0.05) == "INCONCLUSIVE"
    needed = rule.needed(undecided, 4, 0.05)
    assert needed is not None
    spread = undecided.error * 2
    for n, decided in ((needed - 1, False), (needed, True)):
        then = Change(undecided.value, spread / math.sqrt(n), n - 1)
        assert (rule.judge(then, 0.05) != "INCONCLUSIVE") is decided


def test_no_number_of_pairs_is_promised_without_end() -> None:
    assert rule.needed(change(1, 500, 3), 4, 0.05) is None


def test_rates_on_normal_noise() -> None:
    """Two per cent of spread, 1,000 gates: what the levels were chosen for."""
    rng = random.Random(1)
    same = [rng.gauss(0, 0.02) for _ in range(5000)]
    slower = [one + math.log1p(0.05) for one in same]
    quiet = simulate.rates(same, 0.05, 40, rng)
    assert quiet.fail <= 0.01
    assert quiet.inconclusive <= 0.01
    caught = simulate.rates(slower, 0.05, 40, rng)
    assert caught.fail >= 0.95
    assert quiet.fail + quiet.inconclusive + quiet.passed == pytest.approx(1)


def recorded(kind: str) -> dict[str, list[float]]:
    """Log-ratios of real pairs by condition; of slower ones how far they are from their model's."""
    found: dict[tuple[str, str], list[float]] = {}
    with gzip.open(BANK, "rt", encoding="utf-8") as file:
        for pair in map(json.loads, file):
            blocks = [Block(bool(first), (a, b), (c, d)) for _, first, a, b, c, d in pair["blocks"]]
            ratio = statistics.median(block.log_ratio for block in blocks)
            condition = pair["condition"]
            if condition == "quiet" and (pair["others"] or 0) >= 0.1:
                condition = "other programs"
            elif condition in ("bursts", "two bursts", "short", "always"):
                condition = "a neighbour"
            if pair["kind"] == kind:
                found.setdefault((condition, pair["model"]), []).append(ratio)
    by_condition: dict[str, list[float]] = {}
    for (condition, _), ratios in found.items():
        centre = 0.0 if kind == "same" else statistics.fmean(ratios)
        if kind == "same" or len(ratios) > 1:
            by_condition.setdefault(condition, []).extend(ratio - centre for ratio in ratios)
    return by_condition


def test_rates_on_recorded_pairs() -> None:
    """Beside nobody, neighbours and other programs, and on the earlier machine with turns alone:
    what tests/bench/README.md states."""
    same, slower = recorded("same"), recorded("slower")
    assert len(same) == 4 and same.keys() == slower.keys()
    assert sum(map(len, same.values())) == 475
    for condition, ratios in same.items():
        quiet = [simulate.rates(ratios, share, 40, random.Random(0)) for share in (0.05, 0.02)]
        assert max(rates.fail for rates in quiet) <= 0.01
        moved = selftest.moved({"": slower[condition]}, 0.05)[""]
        assert simulate.rates(moved, 0.05, 40, random.Random(0)).fail >= 0.98
    twice = selftest.moved({"": same["quiet"]}, 0.04)[""]
    assert simulate.rates(twice, 0.02, 17, random.Random(0)).fail >= 0.99  # 40 s


def test_a_gate_out_of_pairs_is_inconclusive() -> None:
    rng = random.Random(1)
    noise = [rng.gauss(0, 0.2) for _ in range(100)]
    assert simulate.gate(noise, 0.05, 6, rng) == ("INCONCLUSIVE", 6)


def test_mean_of_rates_is_weighted() -> None:
    one, other = simulate.Rates(1, 1, 0, 0, 4), simulate.Rates(3, 0, 1, 0, 8)
    assert simulate.mean([one, other]) == simulate.Rates(4, 0.25, 0.75, 0, 7)
