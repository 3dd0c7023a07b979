"""The front and the probabilities of being on it, against arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cmx_bench.report.figures import pareto

NO_DOUBT = np.zeros((2, 2))


def processes(*logs: float) -> list[float]:
    return [math.exp(logarithm) for logarithm in logs]


def test_the_front() -> None:
    speeds = np.array([1.0, 2.0, 3.0, 2.0, 0.5])
    top1 = np.array([0.9, 0.8, 0.7, 0.7, 0.9])
    # The fourth is as accurate as the third and slower, the last as accurate as the first.
    assert pareto.on_front(speeds, top1).tolist() == [True, True, True, False, False]


def test_of_equally_fast_models_the_most_accurate_is_on_the_front() -> None:
    speeds, top1 = np.array([2.0, 2.0, 2.0, 1.0]), np.array([0.8, 0.9, 0.7, 0.9])
    assert pareto.on_front(speeds, top1).tolist() == [False, True, False, False]
    assert pareto.on_front(np.ones(3), np.full(3, 0.5)).sum() == 1  # of equals one is named


def test_the_front_of_every_draw() -> None:
    speeds, top1 = np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([[0.9, 0.8], [0.9, 0.8]])
    assert pareto.on_front(speeds, top1).tolist() == [[True, True], [True, False]]


def test_doubt_about_throughput() -> None:
    """Two processes: t of one degree of freedom, Cauchy's distribution, exceeds 1 with a chance of
    1/4. The first model is less accurate, and as fast as the other where its t is 1 exactly: its
    mean is 0, its error sqrt(2) / sqrt(2)."""
    slow = processes(-1, 1)
    probabilities = pareto.probabilities([slow, processes(1, 1)], [0.7, 0.8], NO_DOUBT)
    assert probabilities[0] == pytest.approx(0.25, abs=0.01)
    assert probabilities == [0.2487, 1]  # by the same draws every time


def test_doubt_about_top1() -> None:
    """The first is slower: on the front where it is more accurate, by a difference of 0.05 with a
    standard deviation of 0.05. The normal distribution is above -1 with a chance of 0.841."""
    variance = 0.8 * 0.2 / 128  # = 0.00125, twice of which is 0.05²
    pair = [processes(0, 0), processes(1, 1)]
    covariance = np.diag([variance, variance])
    probabilities = pareto.probabilities(pair, [0.80, 0.75], covariance)
    assert probabilities == [pytest.approx(0.8413, abs=0.01), 1]


def test_both_doubts_at_once() -> None:
    """Alike in both means: beaten where the other is faster and more accurate, 1/2 times 1/2."""
    alike = [processes(-1, 1), processes(-1, 1)]
    probabilities = pareto.probabilities(alike, [0.8, 0.8], np.diag([0.01, 0.01]))
    assert probabilities == [pytest.approx(0.75, abs=0.01)] * 2


def test_the_same_images_leave_less_doubt() -> None:
    """The second is right on all images that the first is right on, and on 4 of 100 more."""
    images = np.arange(100)
    right = [images < 80, images < 84]
    assert pareto.same_images(right)[0, 1] == pytest.approx((0.80 - 0.80 * 0.84) / 100)
    pair = [processes(0, 0), processes(1, 1)]
    same = pareto.probabilities(pair, [0.80, 0.84], pareto.same_images(right))
    other = pareto.probabilities(pair, [0.80, 0.84], pareto.other_images([0.80, 0.84], [100, 100]))
    # The difference of 4 has a deviation of 1.96 on the same images and of 5.43 on others.
    assert same[0] == pytest.approx(0.0206, abs=0.004)
    assert other[0] == pytest.approx(0.2306, abs=0.01)


def test_models_that_agree_on_every_image() -> None:
    right = np.arange(100) < 80
    pair = [processes(0, 0), processes(1, 1)]
    probabilities = pareto.probabilities(pair, [0.80, 0.90], pareto.same_images([right, right]))
    assert probabilities == [0, 1]


def test_the_same_every_time() -> None:
    once, again = (
        pareto.probabilities([processes(-1, 1), processes(0, 1)], [0.8, 0.7], NO_DOUBT)
        for _ in range(2)
    )
    assert once == again


def test_many_models_take_no_longer() -> None:
    assert [pareto.draws(models) for models in (2, 50, 1000)] == [20_000, 20_000, 1000]


def test_one_process_tells_no_probability() -> None:
    with pytest.raises(ValueError, match="two processes"):
        pareto.probabilities([[1.0], [1.0, 2.0]], [0.8, 0.7], NO_DOUBT)


def test_processes_that_agree_leave_little_doubt() -> None:
    """Means of 0 and 1 with an error of 0.1: t of one degree of freedom exceeds 10 with a chance of
    0.0317."""
    slow = processes(-0.1, 0.1)
    probability, _ = pareto.probabilities([slow, processes(1, 1)], [0.7, 0.8], NO_DOUBT)
    assert probability == pytest.approx(0.0317, abs=0.003)
