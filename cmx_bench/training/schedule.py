"""The learning rate as a share of its highest, over a training from 0 to 1."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise

from cmx_bench.spec.recipe import Schedule

# (progress, share): straight lines between them, as in the authors' code.
_ONE_CYCLE = ((0.0, 0.0), (2 / 5, 1.0), (4 / 5, 1 / 20), (1.0, 0.0))


def share(schedule: Schedule, progress: float) -> float:
    """The share of the highest learning rate at a step that ends at `progress`.

    One-cycle rises in a straight line until two fifths, falls to a twentieth at four fifths and to
    0 at the end (the authors' README). Cosine falls from 1 to 0 in half a wave
    (arXiv:1608.03983, without restarts). Either this or a constant rate may be preceded by a
    warm-up: a straight line from 0 to 1.
    """
    if schedule.name == "one-cycle":
        return _between(_ONE_CYCLE, progress)
    if progress < schedule.warmup:
        return progress / schedule.warmup
    if schedule.name == "constant" or schedule.warmup == 1:
        return 1.0
    passed = (progress - schedule.warmup) / (1 - schedule.warmup)
    return (1 + math.cos(math.pi * passed)) / 2


def _between(knots: tuple[tuple[float, float], ...], place: float) -> float:
    """Linear interpolation between the two knots around `place`."""
    lines = list(pairwise(knots))
    starts = [begin for (begin, _), _ in lines]
    (x0, y0), (x1, y1) = lines[max(0, bisect_right(starts, place) - 1)]
    return y0 + (y1 - y0) * (place - x0) / (x1 - x0)
