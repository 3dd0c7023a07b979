"""Accuracies of two runs: whether they are of the same images, and how they differ on these."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cmx_bench.results.stats import Change

if TYPE_CHECKING:  # for pandas is slow to import, and `ab` needs no accuracy
    from cmx_bench.results.agreement import Voter
    from cmx_bench.results.nouns import Report
    from cmx_bench.results.summary import Result


def other_images(base: Report, head: Report, old: Result, new: Result, against: str) -> str:
    """How the images or labels of two accuracies differ; empty where they are the same."""
    then, now = base.votes.images, head.votes.images
    if then.keys and now.keys:
        first = then.changed(now)
        return f"evaluated on other images or labels: the first is {first}" if first else ""
    was, is_now = (
        f"{result.details.get('images')} images of {result.details.get('dataset')}"
        for result in (old, new)
    )
    return "" if was == is_now else f"evaluated on {was} in the {against}, on {is_now} in the run"


def is_of_given_weights(result: Result) -> bool:
    """Whether it is an accuracy, and of one evaluation of given weights. Another training would
    give others, and the images alone do not say by how much."""
    return result.over == "images" and "training" not in result.details


def change(base: Report, head: Report, voter: Voter) -> Change | None:
    """How much worse a model's top-1 is in head, from the images that count in both runs; None
    where predictions are missing.

    A ratio of two shares of the same images (Nam and Blackwelder 2002, Statistics in Medicine 21):
    only images that one side alone has right are evidence of a difference. Where a side has none
    right, both get half an image more, for 0 has no logarithm.
    """
    if voter not in base.votes.right or voter not in head.votes.right:
        return None
    both = base.votes.counted[voter] & head.votes.counted[voter]
    then, now = base.votes.right[voter][both], head.votes.right[voter][both]
    more = 0.0 if then.any() and now.any() else 0.5
    old, new = int(then.sum()) + more, int(now.sum()) + more
    error = math.sqrt(int((then != now).sum()) / (old * new))
    return Change(math.log(old / new), error, math.inf)
