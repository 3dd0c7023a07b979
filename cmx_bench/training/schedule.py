"""The learning rate over a training from 0 to 1, as a share of its highest value."""

from __future__ import annotations

import math

import numpy as np

from cmx_bench.spec.recipe import Schedule

# Straight lines between corners, as in the authors' code: progress, and the share there.
_CORNERS = (0.0, 2 / 5, 4 / 5, 1.0), (0.0, 1.0, 1 / 20, 0.0)


def share(schedule: Schedule, progress: float) -> float:
    """The share of the highest learning rate at a step that ends at `progress`.

    One-cycle rises in a straight line until two fifths, falls to a twentieth at four fifths and to
    0 at the end (the authors' README). Cosine falls from 1 to 0 in half a wave
    (arXiv:1608.03983, without restarts). Either this or a constant rate may be preceded by a
    warm-up: a straight line from 0 to 1.
    """
    if schedule.name == "one-cycle":
        return float(np.interp(progress, *_CORNERS))
    if progress < schedule.warmup:
        return progress / schedule.warmup
    if schedule.name == "constant" or schedule.warmup == 1:
        return 1.0
    passed = (progress - schedule.warmup) / (1 - schedule.warmup)
    return (1 + math.cos(math.pi * passed)) / 2
