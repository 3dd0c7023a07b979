"""A self-test with stand-ins for the pairs, and what later gates make of it."""

from __future__ import annotations

import gzip
import json
import math
import random
import statistics
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cmx_bench.errors import PlanError
from cmx_bench.gate import selftest
from cmx_bench.gate.blocks import Block
from cmx_bench.gate.floor import Floor

from .conftest import normal, pair_of, plan_of

BANK = Path(__file__).parents[1] / "bench/gate_bank.jsonl.gz"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def measured_floor(stand_in_pairs: Callable[..., list[str]]) -> Floor:
    """A machine whose pairs spread by 1 %, and on which a layer costs 0.5 %."""
    stand_in_pairs(normal(lambda name, layers: 0.005 * layers, 0.01))
    return _tested()


@cache
def _tested() -> Floor:
    return selftest.run(plan_of("a", "b"), 0.05, 0, Path("log"), lambda *_: None)


def test_what_a_self_test_finds(measured_floor: Floor) -> None:
    assert measured_floor.pairs == 2 * selftest.FEWEST_ROUNDS
    for name in ("a", "b"):
        assert 0.003 < measured_floor.spread[name] < 0.02
        assert measured_floor.injected[name] == pytest.approx(0.05, abs=0.02)
    assert measured_floor.false_alarms <= 0.01
    assert measured_floor.misses <= 0.05
    assert measured_floor.detectable["300"] is not None
    assert measured_floor.detectable["300"] <= 0.04
    assert measured_floor.least() == min(
        slowdown for slowdown in measured_floor.detectable.values() if slowdown is not None
    )


def test_the_first_rounds_only_choose_the_layers(
    stand_in_pairs: Callable[..., list[str]],
) -> None:
    asked: list[int] = []

    def answer(name: str, layers: int) -> float:
        asked.append(layers)
        return 0.01 * layers + 0.001 * (len(asked) % 3)

    stand_in_pairs(answer)
    kinds: list[str] = []
    selftest.run(plan_of("a"), 0.05, 0, Path("log"), lambda kind, pair: kinds.append(kind))
    assert kinds[:2] == ["trial", "trial"]
    assert (
        sorted(kinds[2:]) == ["same"] * selftest.FEWEST_ROUNDS + ["slower"] * selftest.FEWEST_ROUNDS
    )
    assert set(asked[2:]) == {0, 5}  # ln 1.05 is 4.9 layers


def test_a_pair_costs_what_it_costs_in_a_gate(
    stand_in_pairs: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """3 s, and of the 10 s that two interpreters take the half: a gate of two models has two pairs
    a round to share them, while a self-test has four."""
    now = 0.0

    def pass_by(seconds: float, result: Any) -> Any:
        nonlocal now
        now += seconds
        return result

    stand_in_pairs(normal(lambda name, layers: 0.005 * layers, 0.01))
    both, measure = selftest.ab.both, selftest.pairs.measure
    monkeypatch.setattr(selftest, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(selftest.ab, "both", lambda *given: pass_by(10.0, both(*given)))
    monkeypatch.setattr(selftest.pairs, "measure", lambda *given: pass_by(3.0, measure(*given)))
    measured = selftest.run(plan_of("a", "b"), 0.05, 0, Path("log"), lambda *_: None)
    assert measured.seconds_a_pair == pytest.approx(3.0 + 10.0 / 2)


def test_a_suite_without_throughput_cannot_be_tested() -> None:
    empty = plan_of()
    with pytest.raises(PlanError, match="no throughput cell"):
        selftest.run(empty, 0.05, 0, Path("log"), lambda *_: None)


def test_moved_to_exactly_the_slowdown() -> None:
    moved = selftest.move({"a": [0.01, 0.03]}, 0.05)["a"]
    assert moved == pytest.approx([math.log(1.05) - 0.01, math.log(1.05) + 0.01])


def test_nothing_is_detectable_in_no_time(measured_floor: Floor) -> None:
    assert selftest.detectable({"a": [0.01, -0.01]}, 3, random.Random(0)) is None


def test_lines_for_people(measured_floor: Floor) -> None:
    text = "\n".join(selftest.lines(measured_floor))
    assert "16 pairs of each kind on A CPU" in text
    assert "smallest slowdown caught" in text
    assert "no bias is seen" in text


@pytest.mark.parametrize("slower", ["head", "first"])
def test_a_bias_is_told(measured_floor: Floor, slower: str) -> None:
    """Of one side, and of the process that was begun first, whichever side that is."""
    same = [
        replace(pair_of("a", 0.01 * sign + 0.001 * (place % 2)), base_first=base_first)
        for place in range(20)
        for base_first in (True, False)
        for sign in [1 if slower == "head" or not base_first else -1]
    ]
    bias = selftest._bias(same)
    [other] = bias.keys() - {slower}
    assert bias[slower].mean == pytest.approx(0.01, abs=0.001)
    assert abs(bias[other].mean) < bias[other].half_width
    bias_lines = [
        line
        for line in selftest.lines(replace(measured_floor, bias=bias))
        if "a bias is left" in line
    ]
    assert len(bias_lines) == 1


# --- gates resampled from pairs -------------------------------------------------------------------


def test_rates_on_normal_noise() -> None:
    """Two per cent of spread, 1,000 gates: what the levels were chosen for."""
    rng = random.Random(1)
    same = [rng.gauss(0, 0.02) for _ in range(5000)]
    slower = [ratio + math.log1p(0.05) for ratio in same]
    quiet = selftest.overall({"": same}, 0.05, 40, rng)
    assert quiet.fail <= 0.01
    assert quiet.inconclusive <= 0.01
    caught = selftest.overall({"": slower}, 0.05, 40, rng)
    assert caught.fail >= 0.95
    assert quiet.fail + quiet.inconclusive + quiet.passed == pytest.approx(1)


def recorded(kind: str) -> dict[str, list[float]]:
    """Log-ratios of real pairs by condition; of slower ones how far they are from their model's."""
    ratios_of: dict[tuple[str, str], list[float]] = {}
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
                ratios_of.setdefault((condition, pair["model"]), []).append(ratio)
    by_condition: dict[str, list[float]] = {}
    for (condition, _), ratios in ratios_of.items():
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
            selftest.overall({"": ratios}, share, 40, random.Random(0)) for share in (0.05, 0.02)
        ]
        assert max(rates.fail for rates in quiet) <= 0.01
        moved = selftest.move({"": slower[condition]}, 0.05)[""]
        assert selftest.overall({"": moved}, 0.05, 40, random.Random(0)).fail >= 0.98
    twice = selftest.move({"": same["quiet"]}, 0.04)[""]
    assert selftest.overall({"": twice}, 0.02, 17, random.Random(0)).fail >= 0.99  # 40 s


def test_a_gate_out_of_pairs_is_inconclusive() -> None:
    rng = random.Random(1)
    noise = [rng.gauss(0, 0.2) for _ in range(100)]
    assert selftest.gate(noise, 0.05, 6, rng) == ("INCONCLUSIVE", 6)


def test_each_model_has_as_many_gates() -> None:
    """One has lost its pairs' spread and passes at once, the other never does."""
    ratios = {"calm": [0.0] * 4 + [1e-9], "slow": [1.0] * 4 + [1.0 + 1e-9]}
    rates = selftest.overall(ratios, 0.05, 40, random.Random(0), 20)
    assert rates == selftest.Rates(0.5, 0.0, 0.5, 4.0)
