"""Intervals over processes: a process is one draw, its samples only say where it stands."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval over `n` processes; no interval where n is 1."""

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def relative_half_width(self) -> float | None:
        """Half the interval's width as a share of the value, on the logarithmic scale."""
        if self.low is None or self.high is None or self.low <= 0:
            return None
        return math.sqrt(self.high / self.low) - 1


def estimate(processes: Sequence[Sequence[float]], level: float = 0.95) -> Estimate:
    """The typical value of a sampled metric from the raw samples of each process.

    Each process counts once, with the median of its samples: blocks within a process agree with
    each other far better than processes do. The value is the geometric mean over processes, the
    interval Student's t on their logarithms. Zeros and negative values (a memory growth of 0) have
    no logarithm: then both are taken on the plain scale.

    Raises:
        ValueError: no process, or one without samples.
    """
    medians = [statistics.median(samples) for samples in processes]
    if not medians:
        raise ValueError("an estimate needs at least one process")
    if len(medians) == 1:
        return Estimate(medians[0], None, None, 1)
    if min(medians) <= 0:
        return _student(medians, level)
    plain = _student([math.log(median) for median in medians], level)
    low, high = (None if edge is None else math.exp(edge) for edge in (plain.low, plain.high))
    return Estimate(math.exp(plain.value), low, high, plain.n)


def _student(values: Sequence[float], level: float) -> Estimate:
    mean, n = statistics.fmean(values), len(values)
    half = student_t(n - 1, level) * statistics.stdev(values) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, n)


def student_t(freedom: int, level: float) -> float:
    """The two-sided quantile of Student's t: 2.776 for 4 degrees of freedom at 95 %."""
    from scipy.special import stdtrit  # scipy.stats would take a second to import

    # Versions of scipy differ in the last bits; a report must not.
    return round(float(stdtrit(freedom, (1 + level) / 2)), 9)
