"""Which models no other beats in both throughput and accuracy, and how sure that is.

The chance of being on the front where both objectives are uncertain is Teich's and Hughes's (EMO
2001, doi 10.1007/3-540-44719-9_22 and _23); it is taken here over draws from what the data leave
open.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_MOST_DRAWS, _MOST_VALUES = 20_000, 1_000_000


def draws(models: int) -> int:
    """How many draws a probability rests on: 20,000, whose standard error is 0.35 percentage points
    at most, but of more than 50 models so few that they take no longer."""
    return min(_MOST_DRAWS, _MOST_VALUES // models)


def on_front(speeds: NDArray[np.float64], top1: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which models no other equals in one and exceeds in the other, of arrays `(..., models)`.

    Of models that are equal in both, one is named.
    """
    order = np.lexsort((-top1, -speeds))
    descending = np.take_along_axis(top1, order, -1)
    best_of_faster = np.full_like(descending, -np.inf)
    best_of_faster[..., 1:] = np.maximum.accumulate(descending, -1)[..., :-1]
    front = np.empty(order.shape, np.bool_)
    np.put_along_axis(front, order, descending > best_of_faster, -1)
    return front


def probabilities(
    processes: Sequence[Sequence[float]], top1: Sequence[float], covariance: NDArray[np.float64]
) -> list[float]:
    """Each model's probability of being on the front, the same every time.

    A model's mean log-throughput is drawn from Student's t over its processes, as its interval is
    (the posterior of a normal mean under the prior 1/σ²: Gelman et al., Bayesian Data Analysis,
    3.2), all top-1 together from a normal distribution. Models are taken for independent in
    throughput.

    Args:
        processes: the throughputs of each model's processes.
        covariance: of the top-1, `(models, models)`.

    Raises:
        ValueError: a model has one process only, or a throughput that is not above zero.
    """
    if min(map(len, processes)) < 2:
        raise ValueError("a probability needs at least two processes of each model")
    logs = [[math.log(speed) for speed in model] for model in processes]
    means = np.array([statistics.fmean(model) for model in logs])
    errors = np.array([statistics.stdev(model) / math.sqrt(len(model)) for model in logs])
    # The one generator whose numbers no version of numpy may change (NEP 19).
    random = np.random.RandomState(0)
    size = (draws(len(logs)), len(logs))
    speeds = means + errors * random.standard_t([len(model) - 1 for model in logs], size)
    # Models that are alike on all images, and a top-1 of 100 %, leave the matrix singular: far less
    # than one image makes it regular.
    root = np.linalg.cholesky(covariance + 1e-14 * np.eye(len(covariance)))
    drawn = np.array(top1) + random.standard_normal(size) @ root.T
    return [float(share) for share in on_front(speeds, drawn).mean(axis=0)]


def same_images(right: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """The covariance of top-1 values that were counted on the same images, each model's as a row:
    models that are right on the same ones go up and down together."""
    return np.atleast_2d(np.cov(np.array(right, np.float64), bias=True)) / len(right[0])


def other_images(top1: Sequence[float], images: Sequence[int]) -> NDArray[np.float64]:
    """The covariance of top-1 values of which only the numbers of images are known."""
    return np.diag([p * (1 - p) / n for p, n in zip(top1, images, strict=True)])
