"""Blocks of a pair: two turns of each side, and how well blocks agree."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """Two turns of each side, in an order in which what changes steadily cancels out.

    One after the other on the same cores they are ABBA, or BAAB where not `base_first`; side by
    side (`together`) each side has its turns on cores of its own that the two then swap, and
    `base_first` says who began on the first ones. `base` and `head` are the seconds of one forward
    pass in each of the two turns of a side.
    """

    base_first: bool
    base: tuple[float, float]
    head: tuple[float, float]
    together: bool = False

    @property
    def log_ratio(self) -> float:
        """How much longer head takes, as a logarithm."""
        return statistics.fmean(map(math.log, self.head)) - statistics.fmean(
            map(math.log, self.base)
        )


def error(blocks: Sequence[Block]) -> float:
    """The standard error of the median log-ratio, by the blocks' median deviation from it.

    For normal noise a median deviation is 0.674 standard deviations, and the median's standard
    error 1.253 of the mean's.
    """
    ratios = [block.log_ratio for block in blocks]
    middle = statistics.median(ratios)
    deviation = statistics.median(abs(ratio - middle) for ratio in ratios)
    return 1.253 / 0.674 * deviation / math.sqrt(len(ratios))
