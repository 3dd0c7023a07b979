"""Intervals: over processes, each of which is one draw, and over images."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval over `n` processes or images. A single process has no
    interval, and neither has one too wide for a float."""

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def half_width(self) -> float | None:
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def relative_half_width(self) -> float | None:
        """Half the interval's width as a share of the value, on the logarithmic scale."""
        if self.low is None or self.high is None or self.low <= 0:
            return None
        return math.sqrt(self.high / self.low) - 1

    def within(self, share: float) -> bool:
        """Whether the interval is at most ± `share` of the value. Without an interval it is not."""
        width = self.relative_half_width
        return width is not None and width <= share


def estimate(processes: Sequence[Sequence[float]]) -> Estimate:
    """The typical value of a sampled metric from the raw samples of each process.

    Each process counts once, with the median of its samples: blocks within a process agree with
    each other far better than processes do. The value is the geometric mean over processes, the
    interval Student's t on their logarithms. Zeros and negative values (a memory growth of 0) have
    no logarithm: then both are taken on the plain scale.

    Raises:
        ValueError: no process, or one without samples.
    """
    return of_medians([statistics.median(samples) for samples in processes])


def of_medians(medians: Sequence[float], level: float = 0.95) -> Estimate:
    """As `estimate`, from the median of each process.

    Raises:
        ValueError: no process.
    """
    if not medians:
        raise ValueError("an estimate needs at least one process")
    if len(medians) == 1:
        return Estimate(medians[0], None, None, 1)
    if min(medians) == max(medians):  # what a logarithm would lose the last digits of
        return Estimate(medians[0], medians[0], medians[0], len(medians))
    if min(medians) <= 0:
        return _student(medians, level)
    plain = _student([math.log(median) for median in medians], level)
    assert plain.low is not None and plain.high is not None
    return Estimate(math.exp(plain.value), *_edges(plain.low, plain.high), plain.n)


def _edges(low: float, high: float) -> tuple[float | None, float | None]:
    """The edges of an interval of logarithms on the plain scale; none where processes are worlds
    apart, and no float is as large as its end."""
    try:
        return math.exp(low), math.exp(high)
    except OverflowError:
        return None, None


def _student(values: Sequence[float], level: float = 0.95) -> Estimate:
    mean, n = statistics.fmean(values), len(values)
    half = quantile((1 + level) / 2, n - 1) * statistics.stdev(values) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, n)


def proportion(right: int, n: int) -> Estimate:
    """The share of `right` among `n` images, with Wilson's score interval (1927).

    Raises:
        ValueError: no image.
    """
    if n == 0:
        raise ValueError("a share needs at least one image")
    return Estimate(right / n, *_wilson(right / n, n), n)


def _wilson(share: float, n: int) -> tuple[float, float]:
    z = quantile(0.975, math.inf)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # At the ends these are 0 and 1, which rounding misses by a bit.
    return centre - half if share > 0 else 0.0, centre + half if share < 1 else 1.0


def over_seeds(values: Sequence[float], images: int) -> Estimate:
    """The mean of a share of `images` over trainings that differ only in their seed.

    The interval reaches as far as Student's t over the trainings and as Wilson's over the images:
    two trainings that happen to agree do not make it narrow.

    Raises:
        ValueError: fewer than two trainings.
    """
    if len(values) < 2:
        raise ValueError("a spread over seeds needs at least two of them")
    mean = _student(values)
    drawn = _wilson(mean.value, images)
    assert mean.low is not None and mean.high is not None
    low, high = min(mean.low, drawn[0]), max(mean.high, drawn[1])
    return Estimate(mean.value, max(0.0, low), min(1.0, high), mean.n)


@dataclass(frozen=True, slots=True)
class Difference:
    """How two models differ on the same `n` images, of which `gained` only the second has right
    and `lost` only the first; `value` is the second's share less the first's, with its interval,
    `p` is McNemar's exact two-sided test."""

    n: int
    gained: int
    lost: int
    value: float
    low: float
    high: float
    p: float


def difference(n: int, gained: int, lost: int) -> Difference:
    """Two models on the same images.

    The interval is Wald's with half an image added to each of the four counts (Agresti and Min
    2005, doi 10.1002/sim.1781), which keeps its level for few discordant images too; it
    ends at a difference of all images.

    Raises:
        ValueError: no image.
    """
    from scipy.special import bdtr

    if n == 0:
        raise ValueError("a difference needs at least one image")
    more, fewer, total = gained + 0.5, lost + 0.5, n + 2
    centre = (more - fewer) / total
    variance = (more + fewer - (more - fewer) ** 2 / total) / total**2
    half = quantile(0.975, math.inf) * math.sqrt(variance)
    low, high = max(-1.0, centre - half), min(1.0, centre + half)
    discordant = gained + lost
    p = min(1.0, 2 * float(bdtr(min(gained, lost), discordant, 0.5))) if discordant else 1.0
    return Difference(n, gained, lost, (gained - lost) / n, low, high, p)


def holm(values: Sequence[float]) -> list[float]:
    """p values adjusted for being one of many (Holm 1979), in the same order."""
    order = sorted(range(len(values)), key=lambda place: values[place])
    adjusted, so_far = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        so_far = max(so_far, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = so_far
    return adjusted


@dataclass(frozen=True, slots=True)
class Change:
    """How far one side's typical value is from the other's, on a logarithmic scale.

    `error` is the standard error of `value`, `freedom` the degrees of freedom of Student's t.
    """

    value: float
    error: float
    freedom: float

    def bound(self, level: float) -> float:
        """The true change is larger than this with probability 1 - `level`; it is low for small
        levels."""
        return self.value + quantile(level, self.freedom) * self.error


def compare_pairs(log_ratios: Sequence[float]) -> Change:
    """The change over pairs of processes, from each pair's log-ratio.

    Raises:
        ValueError: fewer than two pairs.
    """
    n = len(log_ratios)
    if n < 2:
        raise ValueError("a change needs at least two pairs")
    error = statistics.stdev(log_ratios) / math.sqrt(n)
    return Change(statistics.fmean(log_ratios), error, n - 1)


def compare_unpaired(base: Sequence[float], head: Sequence[float]) -> Change:
    """The change from the processes of one run to those of another, from the median of each.

    Raises:
        ValueError: fewer than two processes on a side, or values that have no logarithm.
    """
    return product([(base, -1), (head, 1)])


def product(sides: Sequence[tuple[Sequence[float], int]]) -> Change:
    """The logarithm of a product of typical values, each to a power, from the medians of processes.

    Welch's t on the logarithms of the medians: the sides may differ in spread, and their
    processes have nothing in common.

    Raises:
        ValueError: fewer than two processes on a side, or values that have no logarithm.
    """
    logs = [[power * math.log(median) for median in medians] for medians, power in sides]
    if min(map(len, logs)) < 2:
        raise ValueError("a change needs at least two processes a side")
    shares = [statistics.variance(side) / len(side) for side in logs]
    total = sum(shares)
    weights = sum(share**2 / (len(side) - 1) for share, side in zip(shares, logs, strict=True))
    freedom = total**2 / weights if weights else sum(len(side) - 1 for side in logs)
    return Change(sum(map(statistics.fmean, logs)), math.sqrt(total), freedom)


def ratio(base: Sequence[float], head: Sequence[float]) -> Estimate:
    """How many times as much the head gives, from the median of each process of both; its interval
    is Welch's, and there is none where a side has one process."""
    if min(len(base), len(head)) < 2:
        sides = [of_medians(side).value for side in (base, head)]
        return Estimate(sides[1] / sides[0], None, None, 1)
    change = compare_unpaired(base, head)
    edges = _edges(change.bound(0.025), change.bound(0.975))
    return Estimate(math.exp(change.value), *edges, min(len(base), len(head)))


@cache  # resampled gates ask for the same few again and again
def quantile(level: float, freedom: float) -> float:
    """Student's t below which a share `level` lies: −4.032 for 0.005 and 5 degrees of freedom."""
    from scipy.special import stdtrit  # scipy.stats would take a second to import

    # Versions of scipy differ in the last bits; a report must not.
    return round(float(stdtrit(freedom, level)), 9)


@cache
def noncentrality(power: float, t: float, freedom: float) -> float:
    """How many standard errors a change must have to exceed Student's `t` with probability
    `power`."""
    from scipy.special import nctdtrinc

    return round(float(nctdtrinc(freedom, 1 - power, t)), 9)
