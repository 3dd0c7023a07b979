"""Gates resampled from pairs: their rates on ideal noise and on recorded pairs."""

from __future__ import annotations

import gzip
import json
import math
import random
import statistics
from pathlib import Path

import pytest

from cmx_bench.gate import selftest, simulate
from cmx_bench.gate.blocks import Block

BANK = Path(__file__).parents[1] / "bench/gate_bank.jsonl.gz"


def test_rates_on_normal_noise() -> None:
    """Two per cent of spread, 1,000 gates: what the levels were chosen for."""
    rng = random.Random(1)
    same = [rng.gauss(0, 0.02) for _ in range(5000)]
    slower = [one + math.log1p(0.05) for one in same]
    quiet = simulate.overall({"": same}, 0.05, 40, rng)
    assert quiet.fail <= 0.01
    assert quiet.inconclusive <= 0.01
    caught = simulate.overall({"": slower}, 0.05, 40, rng)
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
        quiet = [
            simulate.overall({"": ratios}, share, 40, random.Random(0)) for share in (0.05, 0.02)
        ]
        assert max(rates.fail for rates in quiet) <= 0.01
        moved = selftest.move({"": slower[condition]}, 0.05)[""]
        assert simulate.overall({"": moved}, 0.05, 40, random.Random(0)).fail >= 0.98
    twice = selftest.move({"": same["quiet"]}, 0.04)[""]
    assert simulate.overall({"": twice}, 0.02, 17, random.Random(0)).fail >= 0.99  # 40 s


def test_a_gate_out_of_pairs_is_inconclusive() -> None:
    rng = random.Random(1)
    noise = [rng.gauss(0, 0.2) for _ in range(100)]
    assert simulate.gate(noise, 0.05, 6, rng) == ("INCONCLUSIVE", 6)


def test_each_model_has_as_many_gates() -> None:
    """One has lost its pairs' spread and passes at once, the other never does."""
    ratios = {"calm": [0.0] * 4 + [1e-9], "slow": [1.0] * 4 + [1.0 + 1e-9]}
    rates = simulate.overall(ratios, 0.05, 40, random.Random(0), 20)
    assert rates == simulate.Rates(0.5, 0.0, 0.5, 4.0)
