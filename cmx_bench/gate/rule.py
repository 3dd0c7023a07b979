"""The rule: from a change with its error, and a threshold, to PASS, FAIL or INCONCLUSIVE.

The levels are one-sided. They are stricter than a single test would need, because a comparison is
looked at several times while pairs come in; the rates that follow are in tests/bench/README.md.
"""

from __future__ import annotations

import math
from bisect import bisect_left

from cmx_bench.gate.verdict import State
from cmx_bench.results.stats import Change, noncentrality, quantile

FAIL_LEVEL = 0.0025
PASS_LEVEL = 0.01
POWER = 0.95
# Numbers of pairs at which a comparison is looked at; t has too heavy tails before the first.
LOOKS = (4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100)

_MOST = 1000


def judge(change: Change, threshold: float, is_worse: bool | None = None) -> State:
    """FAIL where head is slower beyond doubt and by half the threshold or more; PASS where it is
    beyond doubt not slower by the threshold.

    Args:
        threshold: the slowdown that must not pass, as a share.
        is_worse: whether it is slower beyond doubt, where another test than Student's says so.
    """
    limit = math.log1p(threshold)
    is_worse = change.bound(FAIL_LEVEL) > 0 if is_worse is None else is_worse
    if is_worse and change.value >= limit / 2:
        return "FAIL"
    if change.bound(1 - PASS_LEVEL) < limit:
        return "PASS"
    return "INCONCLUSIVE"


def detectable(change: Change, threshold: float) -> float:
    """The smallest slowdown, as a share, that `judge` fails with probability `POWER`.

    By the spread that was seen: such a change clears zero by the margin of the test (Student's
    noncentral t), and half the threshold.
    """
    clears = noncentrality(POWER, -quantile(FAIL_LEVEL, change.freedom), change.freedom)
    half = math.log1p(threshold) / 2 - quantile(1 - POWER, math.inf) * change.error
    return math.expm1(max(clears * change.error, half))


def needed(change: Change, n: int, threshold: float) -> int | None:
    """How many pairs, or processes a side, would decide if value and spread stay; None where
    too many.

    Args:
        n: those that `change` rests on.
    """

    def is_decided(total: int) -> bool:
        error = change.error * math.sqrt(n / total)
        guess = Change(change.value, error, change.freedom * (total - 1) / (n - 1))
        return judge(guess, threshold) != "INCONCLUSIVE"

    totals = range(n, _MOST + 1)  # what one of them decides, a larger one decides too
    place = bisect_left(totals, True, key=is_decided)
    return totals[place] if place < len(totals) else None
