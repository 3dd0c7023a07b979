"""Blocks of a pair: two turns of each side, and how well blocks agree."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """Two turns of each side, ordered so that a steady change of the machine cancels out.

    On the same cores the order is base, head, head, base, or the reverse unless `base_first`. Side
    by side (`together`) both sides run at once, each on its own cores, and swap these for their
    second turn; `base_first` says that base began on the first cores. `base` and `head` are the
    seconds of one forward pass in each of the two turns.
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
