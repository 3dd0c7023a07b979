"""Where a series changed for good."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from cmx_bench.gate.history import Level, Series

from .past import series

NOISE = 0.03


def noisy(seed: int, step: Callable[[int], float], runs: int = 30) -> Series:
    rng = random.Random(seed)
    return series([800 * step(run) * rng.lognormvariate(0, NOISE) for run in range(1, runs + 1)])


def test_noise_alone_has_no_change_point() -> None:
    silent = [seed for seed in range(100) if noisy(seed, lambda _: 1).change_points == ()]
    assert len(silent) >= 95


def test_a_step_of_ten_percent_is_found_where_it_is() -> None:
    places = [noisy(seed, lambda run: 1 if run <= 18 else 0.9).change_points
              for seed in range(100)]  # fmt: skip
    assert sum(len(place) == 1 and abs(place[0] - 18) <= 1 for place in places) >= 95


def test_few_runs_have_no_change_point() -> None:
    assert series([100, 100.1, 99.9, 50, 50.1]).change_points == ()
    assert series([100, 100.1, 99.9, 50, 50.1, 49.9]).change_points == (3,)


def test_equal_values_and_zeros_have_no_change_point() -> None:
    assert series([100.0] * 10).change_points == ()
    assert series([0.0] * 10).change_points == ()


def test_every_difference_of_an_exact_metric_is_a_change() -> None:
    counted = series([100, 100, 101, 101, 0], metric="params")
    assert counted.change_points == (2, 4)
    more, none = counted.changes
    assert (more.before, more.after, more.words, more.tone) == (100, 101, "1.0 % higher", "bad")
    assert (none.slowdown, none.words, none.tone) == (None, "101 → 0", "good")
    assert none.size > more.size


def test_a_change_to_next_to_nothing_has_a_size() -> None:
    [change] = series([1e92] * 6 + [100.0] * 6, metric="peak_memory").changes
    assert change.slowdown == -1.0
    assert change.size == pytest.approx(math.log(1e90))


def test_levels_are_the_typical_values_between_changes() -> None:
    assert series([100] * 5 + [80] * 5).levels == (Level(0, 5, 100), Level(5, 5, 80))
    assert series([3.0]).levels == (Level(0, 1, 3.0),)
    assert series([0.0, 2.0]).levels == (Level(0, 2, 1.0),)  # a memory that did not grow
    assert series([]).levels == ()


def test_a_change_is_worse_or_better_as_the_metric_says() -> None:
    (slower,) = series([100] * 5 + [80] * 5).changes
    assert (slower.place, slower.before, slower.after) == pytest.approx((5, 100, 80))
    assert slower.slowdown == pytest.approx(0.25)
    assert (slower.words, slower.tone) == ("25 % slower", "bad")
    (faster,) = series([0.1] * 5 + [0.08] * 5, metric="latency_p50").changes
    assert faster.slowdown == pytest.approx(-0.2)
    assert (faster.words, faster.tone) == ("20 % faster", "good")
    (more,) = series([1e12] * 5 + [2e12] * 5, metric="compute_peak").changes
    assert (more.words, more.tone) == ("100 % higher", "")
