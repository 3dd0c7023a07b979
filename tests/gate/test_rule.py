"""The rule at its edges."""

from __future__ import annotations

import math
import random

import pytest

from cmx_bench.gate import rule
from cmx_bench.results import stats
from cmx_bench.results.stats import Change


def change(percent: float, error: float, freedom: float = 1e6) -> Change:
    return Change(math.log1p(percent / 100), error / 100, freedom)


@pytest.mark.parametrize(
    ("change", "state"),
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
def test_judge(change: Change, state: str) -> None:
    assert rule.judge(change, 0.05) == state


@pytest.mark.parametrize(
    ("percent", "error", "is_worse", "state"),
    [
        (50, 40, True, "FAIL"),  # an exact test is surer than the error
        (2.4, 0.1, True, "PASS"),  # and less than half the threshold is no failure
        (50, 1, False, "INCONCLUSIVE"),
    ],
)
def test_another_test_may_say_what_is_worse(
    percent: float, error: float, is_worse: bool, state: str
) -> None:
    assert rule.judge(change(percent, error), 0.05, is_worse) == state


def test_bounds_are_one_sided() -> None:
    change = Change(0.0, 1.0, 1e9)
    assert change.bound(rule.FAIL_LEVEL) == pytest.approx(-2.807, abs=1e-3)
    assert change.bound(1 - rule.PASS_LEVEL) == pytest.approx(2.326, abs=1e-3)


def test_what_is_detectable_is_detected() -> None:
    spread, n, rng = 0.02, 8, random.Random(3)
    first = Change(0.0, spread / math.sqrt(n), n - 1)
    slowdown = math.log1p(rule.detectable(first, 0.05))
    failed = 0
    for _ in range(2000):
        drawn = [rng.gauss(slowdown, spread) for _ in range(n)]
        failed += rule.judge(stats.compare_pairs(drawn), 0.05) == "FAIL"
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


@pytest.mark.parametrize(
    ("change", "state"),
    [
        # Of 50 % the half is 22.5 %, on the scale on which changes are measured, and not 25 %.
        (Change(math.log(1.235), 1e-9, 1e9), "FAIL"),
        (Change(math.log(1.215), 1e-9, 1e9), "PASS"),
        (Change(math.log1p(0.5) / 2, 1e-9, 1e9), "FAIL"),  # half of it is enough
        # The bound is at 0.45, and ln 1.5 is 0.405.
        (Change(0.0, 0.45 / 2.326, 1e9), "INCONCLUSIVE"),
        (Change(0.0, 0.40 / 2.326, 1e9), "PASS"),
    ],
)
def test_a_large_threshold_is_judged_by_logarithms(change: Change, state: str) -> None:
    assert rule.judge(change, 0.5) == state
