"""Accuracies of two runs: whether they are of the same images, and how they differ on these."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cmx_bench.gate import rule
from cmx_bench.results import stats
from cmx_bench.results.stats import Change

if TYPE_CHECKING:  # for pandas is slow to import, and `ab` needs no accuracy
    from cmx_bench.results.agreement import Voter
    from cmx_bench.results.nouns import Report
    from cmx_bench.results.summary import Result


def other_conditions(base: Report, head: Report, old: Result, new: Result, against: str) -> str:
    """In what two accuracies are of something else: images, labels, the classes to choose among, or
    the size from which weights were resampled. Empty where in nothing."""
    sizes = [result.details.get("resampled") for result in (old, new)]
    if sizes[0] != sizes[1]:
        was, is_now = map(_from, sizes)
        return f"weights were resampled {was} in the {against}, {is_now} in the run"
    chosen = [result.details.get("valid_labels_sha256") for result in (old, new)]
    if chosen[0] != chosen[1]:
        return "evaluated among other classes: valid_labels differ"
    then, now = base.votes.images, head.votes.images
    if then.keys and now.keys:
        first = then.changed(now)
        return f"evaluated on other images or labels: the first is {first}" if first else ""
    was, is_now = (
        f"{result.details.get('images')} images of {result.details.get('dataset')}"
        for result in (old, new)
    )
    return "" if was == is_now else f"evaluated on {was} in the {against}, on {is_now} in the run"


def _from(resampled: Mapping[str, int | None] | None) -> str:
    """From which image size the weights of an accuracy were resampled."""
    if resampled is None:
        return "from no other size"
    size = resampled["image_size"]
    return "from an unknown size" if size is None else f"from {size} px"


def is_of_given_weights(result: Result) -> bool:
    """Whether it is an accuracy, and of one evaluation of given weights. Another training would
    give others, and the images alone do not say by how much."""
    return result.over == "images" and "training" not in result.details


def compare(base: Report, head: Report, voter: Voter, metric: str) -> tuple[Change, bool] | None:
    """How much worse a model's top-1 or top-5 is in head, from the images that count in both runs,
    and whether it is worse beyond doubt; None where predictions are missing.

    A ratio of two shares of the same images (Nam and Blackwelder 2002, Statistics in Medicine 21):
    only images that one side alone has right are evidence of a difference. Where a side has none
    right, both get half an image more, for 0 has no logarithm. Of few images its error says too
    little: doubt is left by McNemar's exact test.
    """
    right = [
        report.votes.right if metric == "top1" else report.votes.among_five
        for report in (base, head)
    ]
    if not all(voter in of_side for of_side in right):
        return None
    both = base.votes.counted[voter] & head.votes.counted[voter]
    if not both.any():
        return None
    then, now = (of_side[voter][both] for of_side in right)
    lost, gained = int((then & ~now).sum()), int((now & ~then).sum())
    more = 0.0 if then.any() and now.any() else 0.5
    old, new = int(then.sum()) + more, int(now.sum()) + more
    change = Change(math.log(old / new), math.sqrt((lost + gained) / (old * new)), math.inf)
    two_sided = stats.difference(len(then), gained, lost).p
    return change, lost > gained and two_sided < 2 * rule.FAIL_LEVEL
