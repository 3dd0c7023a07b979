"""Intervals: against hand arithmetic, and against the distribution they claim."""

from __future__ import annotations

import math
import random

import pytest

from cmx_bench.results import stats


def test_hand_arithmetic() -> None:
    # Medians 90, 100, 110; logs 4.49981, 4.60517, 4.70048; sd 0.100379; t(2) = 4.302653.
    got = stats.estimate([[90, 80, 95], [100], [110, 110]])
    assert got.value == pytest.approx((90 * 100 * 110) ** (1 / 3))
    half = 4.302653 * 0.100379 / math.sqrt(3)
    assert got.high == pytest.approx(got.value * math.exp(half), rel=1e-4)
    assert got.low == pytest.approx(got.value * math.exp(-half), rel=1e-4)
    assert got.relative_half_width == pytest.approx(math.exp(half) - 1, rel=1e-4)
    assert got.half_width == pytest.approx(got.value * math.sinh(half), rel=1e-4)
    assert got.n == 3


def test_one_process_gives_no_interval() -> None:
    got = stats.estimate([[1.0, 2.0, 3.0]])
    assert (got.value, got.low, got.high, got.n) == (2.0, None, None, 1)
    assert got.relative_half_width is None


def test_processes_that_are_worlds_apart_give_no_interval() -> None:
    got = stats.of_medians([1.0, 1e200])
    assert (got.value, got.low, got.high, got.n) == (pytest.approx(1e100), None, None, 2)
    assert stats.ratio([1.0, 1e200], [1.0, 1.0]).high is None


def test_processes_that_agree_give_their_value_to_its_last_digit() -> None:
    assert stats.of_medians([5.0] * 5) == stats.Estimate(5.0, 5.0, 5.0, 5)


def test_zero_has_no_logarithm() -> None:
    got = stats.estimate([[0.0], [2.0]])
    assert got.value == 1.0
    assert got.low == pytest.approx(1 - 12.7062, rel=1e-4)


def test_nothing_to_estimate() -> None:
    with pytest.raises(ValueError, match="at least one process"):
        stats.estimate([])


@pytest.mark.parametrize(
    ("freedom", "level", "t"),
    [(1, 0.975, 12.7062), (4, 0.975, 2.77645), (9, 0.995, 3.24984), (5, 0.005, -4.03214)],
)
def test_students_quantiles(freedom: int, level: float, t: float) -> None:
    assert stats.quantile(level, freedom) == pytest.approx(t, rel=1e-5)


def test_a_change_over_pairs() -> None:
    change = stats.compare_pairs([0.01, 0.02, 0.03])
    assert change.value == pytest.approx(0.02)
    assert (change.error, change.freedom) == (pytest.approx(0.01 / 3**0.5), 2)
    assert change.bound(0.025) == pytest.approx(0.02 - 4.302653 * 0.01 / 3**0.5)
    with pytest.raises(ValueError, match="two pairs"):
        stats.compare_pairs([0.01])
    assert stats.compare_pairs([0.01, 0.03]).freedom == 1  # two are enough


def test_a_change_between_runs_is_welchs() -> None:
    """Logs 0, 1, 2 against 3, 4, 5, 6: the textbook's error and degrees of freedom."""
    base, head = ([math.exp(log) for log in logs] for logs in ((0, 1, 2), (3, 4, 5, 6)))
    change = stats.compare_unpaired(base, head)
    assert change.value == pytest.approx(3.5)
    assert change.error == pytest.approx((1 / 3 + 5 / 12) ** 0.5)
    assert change.freedom == pytest.approx(0.75**2 / ((1 / 3) ** 2 / 2 + (5 / 12) ** 2 / 3))
    with pytest.raises(ValueError, match="two processes a side"):
        stats.compare_unpaired(base[:1], head)


def test_a_product_of_powers_adds_its_logarithms() -> None:
    """x² / y: the spread of x counts twice, its degrees of freedom once."""
    x, y = ([math.exp(log) for log in logs] for logs in ((0, 1, 2), (3, 4, 5, 6)))
    change = stats.product([(x, 2), (y, -1)])
    assert change.value == pytest.approx(2 * 1 - 4.5)
    assert change.error == pytest.approx((4 / 3 + 5 / 12) ** 0.5)
    assert change.freedom == pytest.approx(
        (4 / 3 + 5 / 12) ** 2 / ((4 / 3) ** 2 / 2 + (5 / 12) ** 2 / 3)
    )


def test_runs_without_any_spread_have_no_error() -> None:
    change = stats.compare_unpaired([2.0] * 3, [4.0] * 3)
    assert (change.value, change.error, change.freedom) == (pytest.approx(math.log(2)), 0, 4)


def test_the_interval_covers_what_it_says() -> None:
    # 2,000 tables of 5 processes whose logs are normal: 95 % cover, within 4 standard errors.
    draw = random.Random(1)
    covered = 0
    for _ in range(2000):
        got = stats.estimate([[math.exp(draw.gauss(0, 0.07))] for _ in range(5)])
        assert got.low is not None
        assert got.high is not None
        covered += got.low <= 1 <= got.high
    assert abs(covered / 2000 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 2000)


def test_wilson_against_published_figures() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3.
    for (right, n), (low, high) in {
        (81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718), (29, 29): (0.8830, 1.0),
    }.items():  # fmt: skip
        got = stats.proportion(right, n)
        assert (got.value, got.n) == (right / n, n)
        assert (got.low, got.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@pytest.mark.parametrize("n", range(1, 60))
def test_intervals_of_none_and_of_all_end_at_exactly_none_and_all(n: int) -> None:
    """Rounding missed 1 for 12, 22 and 27 images, and 0 for 8 and 11."""
    assert (stats.proportion(0, n).low, stats.proportion(n, n).high) == (0.0, 1.0)
    assert stats.over_seeds([0.0, 0.0], n).low == 0.0
    assert stats.over_seeds([1.0, 1.0], n).high == 1.0


@pytest.mark.parametrize("n", [1, 5, 12, 100])
def test_no_difference_is_larger_than_all_images(n: int) -> None:
    assert stats.difference(n, n, 0).high == 1.0
    assert stats.difference(n, 0, n).low == -1.0


def test_no_image_has_no_share() -> None:
    with pytest.raises(ValueError, match="one image"):
        stats.proportion(0, 0)
    with pytest.raises(ValueError, match="one image"):
        stats.difference(0, 0, 0)


def test_mcnemar_by_hand() -> None:
    # 1 of 6 discordant pairs: 2 (1 + 6) / 2^6.
    assert stats.difference(100, 1, 5).p == pytest.approx(2 * 7 / 64)
    assert stats.difference(100, 3, 3).p == 1.0
    assert stats.difference(100, 0, 0).p == 1.0
    assert stats.difference(100, 0, 10).p == pytest.approx(2 / 1024)


def test_the_interval_of_a_difference_holds() -> None:
    rng = random.Random(5)
    held = 0
    for _ in range(400):
        pairs = [rng.random() for _ in range(300)]
        gained, lost = (
            sum(draw < 0.05 for draw in pairs),
            sum(0.05 <= draw < 0.15 for draw in pairs),
        )
        got = stats.difference(300, gained, lost)
        held += got.low <= -0.05 <= got.high
    assert 0.92 <= held / 400 <= 0.99
    assert stats.difference(300, 15, 30).value == pytest.approx(-0.05)


def test_holm_by_hand() -> None:
    assert stats.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert stats.holm([0.6, 0.7]) == [1.0, 1.0]
    assert stats.holm([]) == []


def test_ratio_of_two_settings() -> None:
    got = stats.ratio([100, 101, 99], [200, 202, 198])
    assert got.value == pytest.approx(2.0)
    assert got.low is not None
    assert got.low < 2 < (got.high or 0)
    assert stats.ratio([100], [50]) == stats.Estimate(0.5, None, None, 1)


def test_a_mean_over_seeds_reaches_as_far_as_the_seeds_and_the_images() -> None:
    """Of two seeds t is 12.7062, and the error 0.02; Wilson's of 400 images is ± 0.04."""
    apart = stats.over_seeds([0.50, 0.54], 400)
    assert (apart.value, apart.n) == (pytest.approx(0.52), 2)
    assert (apart.low, apart.high) == (
        pytest.approx(0.52 - 12.7062 * 0.02, abs=1e-5),
        pytest.approx(0.52 + 12.7062 * 0.02, abs=1e-5),
    )
    alike = stats.over_seeds([0.2, 0.2], 400)
    assert (alike.low, alike.high) == (
        pytest.approx(0.16374, abs=1e-5), pytest.approx(0.24197, abs=1e-5),
    )  # fmt: skip
    few = stats.over_seeds([0.50, 0.51, 0.52], 10)  # here the images leave more doubt
    whole = stats.proportion(5, 10)
    assert few.low == pytest.approx(whole.low, abs=0.02) and few.high == pytest.approx(
        whole.high, abs=0.02
    )


def test_a_mean_over_seeds_is_a_share() -> None:
    assert stats.over_seeds([0.90, 0.94], 400).high == 1.0
    assert stats.over_seeds([0.90, 0.94], 400).low == pytest.approx(0.92 - 0.254124, abs=1e-5)
    assert stats.over_seeds([0.06, 0.10], 400).low == 0.0
    with pytest.raises(ValueError, match="at least two of them"):
        stats.over_seeds([0.5], 400)


@pytest.mark.parametrize(
    ("n", "gained", "lost", "low", "high"),
    [
        # By hand: (gained - lost) / (n + 2) ± 1.95996 of the adjusted error.
        (100, 5, 1, -0.011050, 0.089482),
        (100, 0, 0, -0.019215, 0.019215),
        (54, 0, 6, -0.195388, -0.018898),
    ],
)
def test_the_interval_of_a_difference_by_hand(
    n: int, gained: int, lost: int, low: float, high: float
) -> None:
    got = stats.difference(n, gained, lost)
    assert (got.low, got.high) == (pytest.approx(low, abs=2e-6), pytest.approx(high, abs=2e-6))
    assert got.value == (gained - lost) / n


def test_a_ratio_rests_on_the_processes_of_the_smaller_side() -> None:
    assert stats.ratio([100, 101, 99], [200, 202]).n == 2
    single = stats.ratio([100, 101, 99], [200])
    assert (single.low, single.high, single.n) == (None, None, 1)
