"""Judges one metric of both sides by its values, where these are there and can be compared."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from cmx_bench.gate import rule
from cmx_bench.gate.verdict import Comparison
from cmx_bench.metrics import first_of
from cmx_bench.results import stats
from cmx_bench.results.stats import Change

if TYPE_CHECKING:  # for pandas is slow to import, and `ab` has no results
    from cmx_bench.results.nouns import Report
    from cmx_bench.results.summary import Result

# Two processes a side have t quantiles that no real change clears.
_FEWEST_PROCESSES = 3


def judge_exact(empty: Comparison, old: float, new: float) -> Comparison:
    """`empty` for an exact metric: anything but the same number fails, on any machine."""
    if old == new:
        return replace(empty, slowdown=0.0)
    better, worse = (new, old) if empty.metric.better == "higher" else (old, new)
    slowdown = worse / better - 1 if better else None
    return replace(empty, state="FAIL", slowdown=slowdown, reason="an exact metric changed")


def judge_processes(empty: Comparison, old: Result, new: Result, threshold: float) -> Comparison:
    """`empty` by the processes of one run and of another."""
    medians = [list(result.medians.values()) for result in (old, new)]
    least = min(map(len, medians))
    if least < _FEWEST_PROCESSES:
        empty = replace(empty, reason=f"fewer than {_FEWEST_PROCESSES} processes on a side show no "
                                      "spread")  # fmt: skip
        if _is_cut_off(old) or _is_cut_off(new):
            return replace(empty, state="INCONCLUSIVE", more=_FEWEST_PROCESSES - least)
        return replace(empty, state="INCOMPARABLE")
    if min(map(min, medians)) <= 0:
        return _judge_without_ratio(empty, *medians)
    # A run shows top-1 over seeds as a plain mean; what is judged are geometric ones.
    then, now = (stats.of_medians(side).value for side in medians)
    change, worse = stats.compare_unpaired(*medians), 1
    if empty.metric.better == "higher":  # positive is worse
        change, worse = replace(change, value=-change.value), -1
    slowdowns = tuple((median / then) ** worse - 1 for median in medians[1])
    empty = replace(empty, base=then, head=now, slowdowns=slowdowns)
    return _doubt(judge_change(empty, change, threshold, least), old, new)


def _is_cut_off(result: Result) -> bool:
    """Whether a run was to have as many processes as show a spread, and has not: by a budget, say.
    Metrics of the first process alone, as the time of compiling, never have more."""
    is_repeated = first_of(result.measure) == result.metric
    return is_repeated and len(result.medians) < _FEWEST_PROCESSES <= result.planned


def _judge_without_ratio(empty: Comparison, old: list[float], new: list[float]) -> Comparison:
    """Of values of zero only what no process contradicts is judged."""
    reason = "values of zero have no ratio"
    more, less = (old, new) if empty.metric.better == "higher" else (new, old)
    if max(less) <= 0 < min(more):
        return replace(empty, state="FAIL", reason=reason)
    no_worse = min(less) >= max(more)
    return replace(empty, state="PASS" if no_worse else "INCONCLUSIVE", reason=reason)


def _doubt(judged: Comparison, old: Result, new: Result) -> Comparison:
    """Undecided where what disturbed a side may be what decided: it makes a side look worse, and
    never better. More processes would not undo it."""
    sides = [f"the {judged.against}"] * old.disturbed + ["the run"] * new.disturbed
    if not sides:
        return judged
    reason = f"the value of {' and of '.join(sides)} is disturbed: measure again when calm"
    misled = new.disturbed if judged.state == "FAIL" else old.disturbed
    return replace(
        judged,
        state="INCONCLUSIVE" if misled else judged.state,
        more=None,
        reason="; ".join(filter(None, (judged.reason, reason))),
    )


def is_of_given_weights(result: Result) -> bool:
    """Whether it is an accuracy, and of one evaluation of given weights. Another training would
    give others, and the images alone do not say by how much."""
    return result.over == "images" and "training" not in result.details


def judge_images(empty: Comparison, base: Report, head: Report, threshold: float) -> Comparison:
    """`empty` for top-1 or top-5 of given weights, by the images that count in both runs.

    A ratio of two shares of the same images (Nam and Blackwelder 2002, Statistics in Medicine 21):
    only images that one side alone has right are evidence of a difference. Where a side has none
    right, both get half an image more, for 0 has no logarithm. Of few images its error says too
    little: doubt is left by McNemar's exact test.
    """
    voter, sides = (empty.model, empty.setting), (base.votes, head.votes)
    right = [side.right if empty.metric.name == "top1" else side.among_five for side in sides]
    missing = replace(empty, state="INCOMPARABLE", reason="predictions of a side are missing")
    if not all(voter in of_side for of_side in right):
        return missing
    both = base.votes.counted[voter] & head.votes.counted[voter]
    if not both.any():
        return missing
    then, now = (of_side[voter][both] for of_side in right)
    lost, gained = int((then & ~now).sum()), int((now & ~then).sum())
    more = 0.0 if then.any() and now.any() else 0.5
    old, new = int(then.sum()) + more, int(now.sum()) + more
    change = Change(math.log(old / new), math.sqrt((lost + gained) / (old * new)), math.inf)
    two_sided = stats.difference(len(then), gained, lost).p
    is_worse = lost > gained and two_sided < 2 * rule.FAIL_LEVEL
    return judge_change(empty, change, threshold, None, is_worse)


def judge_change(
    empty: Comparison, change: Change, threshold: float, n: int | None,
    is_worse: bool | None = None,
) -> Comparison:  # fmt: skip
    """`empty` with what `change`, positive for worse, says about it.

    Args:
        n: the pairs, or the processes a side, that it rests on; None where no more can be had.
        is_worse: as of `rule.judge`.
    """
    state = rule.judge(change, threshold, is_worse)
    enough = rule.needed(change, n, threshold) if n and state == "INCONCLUSIVE" else None
    try:
        return replace(
            empty,
            state=state,
            slowdown=math.expm1(change.value),
            low=math.expm1(change.bound(0.025)),
            high=math.expm1(change.bound(0.975)),
            detectable=rule.detectable(change, threshold),
            more=enough - n if n and enough else None,
        )
    except OverflowError:
        reason = "the values of one side are so far apart that no number can say their interval"
        return replace(empty, state=state, reason=reason)
