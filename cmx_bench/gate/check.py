"""Two runs held against each other: exact metrics must be equal, sampled ones not slower."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cmx_bench.gate import rule
from cmx_bench.gate.verdict import Comparison, Verdict
from cmx_bench.results import environment, stats
from cmx_bench.results.loading import read
from cmx_bench.results.nouns import Report
from cmx_bench.results.records import Environment
from cmx_bench.results.stats import Change
from cmx_bench.results.summary import Result

# Two processes a side have t quantiles that no real change clears.
_FEWEST_PROCESSES = 3


def verdict(run: Path, others: Mapping[str, Path], threshold: float) -> tuple[Report, Verdict]:
    """What a run has to say, and the verdict on it against other runs.

    Args:
        others: folders of runs by what they are to this one: "baseline", "anchor".
        threshold: the slowdown that must not pass, as a share.

    Raises:
        RecordsError: a folder is no run, or cannot be read.
    """
    head = read(run)
    sides = [("run", _described(run, head))]
    comparisons: list[Comparison] = []
    for against, folder in others.items():
        base = read(folder)
        sides.append((against, _described(folder, base)))
        comparisons += compare(base, head, threshold, against)
    title = f"{head.run.title}: {' and '.join(others)}"
    return head, Verdict(title, threshold, tuple(sides), tuple(comparisons))


def _described(folder: Path, found: Report) -> str:
    machine = found.run.machine
    return f"{folder}, {found.run.created}: {environment.described(machine)}"


def compare(base: Report, head: Report, threshold: float, against: str) -> list[Comparison]:
    """Every result of either run, judged where it can be.

    Args:
        threshold: the slowdown that must not pass, as a share.
        against: what the base is called in the verdict.
    """
    keys = dict.fromkeys((*base.results, *head.results))
    return [
        _compared(base, head, base.results.get(key), head.results.get(key), threshold, against)
        for key in keys
    ]


def _compared(
    base: Report, head: Report, old: Result | None, new: Result | None, threshold: float,
    against: str,
) -> Comparison:  # fmt: skip
    """One comparison, by the first thing that can be said about it."""
    some = new or old
    assert some is not None
    empty = Comparison(
        some.model, some.label, some.setting, some.about, against, "PASS",
        base=_value(old), head=_value(new), n=(_count(base, old), _count(head, new)),
    )  # fmt: skip
    if old is not None and new is not None and old.status == new.status == "failed":
        return replace(empty, state="INCOMPARABLE", reason=f"failed in both: {new.reason}")
    if old is None or old.estimate is None:
        failed = old is not None and old.status == "failed"
        reason = f"{'failed' if failed else 'not measured'} in the {against}"
        return replace(empty, state="NEW", reason=reason)
    if new is None or new.estimate is None or new.status != "ok":
        return _absent(empty, base, head, old, new)
    if some.about.exact:
        return exact(empty, old.estimate.value, new.estimate.value)
    if differences := _differences(base, head, some.setting):
        return replace(empty, state="INCOMPARABLE", reason=f"measured elsewhere: {differences}")
    seconds = base.seconds_a_process(old) + head.seconds_a_process(new)
    return _sampled(empty, old, new, threshold, seconds)


def _absent(
    empty: Comparison, base: Report, head: Report, old: Result, new: Result | None
) -> Comparison:
    """What the base has and the head lacks fails, unless the head's device could not have it."""
    if new is not None and new.status == "failed":
        return replace(empty, state="FAIL", reason=f"newly failed: {new.reason}")
    if differences := _elsewhere(base, head, old.setting):
        return replace(empty, state="INCOMPARABLE", reason=f"measured elsewhere: {differences}")
    known = {model.name for model in head.run.models}
    reason = "not measured" if old.model in known else "the model is missing"
    return replace(empty, state="FAIL", reason=reason)


def _elsewhere(base: Report, head: Report, setting: str) -> str:
    """Why the head has no such setting: another device, or a batch size that followed its cores.

    Empty where it has it, or where the machines are alike.
    """
    settings = head.run.settings
    known = {one.key for one in settings} | {f"r{one.image_size}" for one in settings}
    return "" if setting in known else _listed(base.run.machine, head.run.machine)


def exact(empty: Comparison, old: float, new: float) -> Comparison:
    """`empty` for an exact metric: anything but the same number fails, on any machine."""
    if old == new:
        return replace(empty, slowdown=0.0)
    slowdown = new / old - 1 if old else None
    return replace(empty, state="FAIL", slowdown=slowdown, reason="an exact metric changed")


def _sampled(
    empty: Comparison, old: Result, new: Result, threshold: float, seconds: float
) -> Comparison:
    medians = [list(result.medians.values()) for result in (old, new)]
    if min(map(len, medians)) < _FEWEST_PROCESSES:
        reason = f"fewer than {_FEWEST_PROCESSES} processes on a side show no spread"
        return replace(empty, state="INCOMPARABLE", reason=reason)
    if min(map(min, medians)) <= 0:
        return replace(empty, state="INCOMPARABLE", reason="values of zero have no ratio")
    change = stats.unpaired(*([[median] for median in side] for side in medians))
    if empty.metric.better == "higher":  # positive is worse
        change = replace(change, value=-change.value)
    return judged(empty, change, threshold, min(map(len, medians)), seconds)


def judged(
    empty: Comparison, change: Change, threshold: float, n: int, seconds: float
) -> Comparison:
    """`empty` with what `change`, positive for worse, says about it.

    Args:
        n: the pairs, or the processes a side, that it rests on.
        seconds: what one more of them would take.
    """
    state = rule.judge(change, threshold)
    enough = rule.needed(change, n, threshold) if state == "INCONCLUSIVE" else None
    return replace(
        empty,
        state=state,
        slowdown=math.expm1(change.value),
        low=math.expm1(change.bound(0.025)),
        high=math.expm1(change.bound(0.975)),
        detectable=rule.detectable(change, threshold),
        seconds_more=None if enough is None else (enough - n) * seconds,
    )


def _differences(base: Report, head: Report, setting: str) -> str:
    return _listed(_environment(base, setting), _environment(head, setting))


def _listed(one: Environment, other: Environment) -> str:
    """In what two environments differ: two GPUs of one model do by 8 % on average, and versions of
    this package may measure differently."""
    found = environment.differences(one, other, ("device_uuid", "cmx_bench"))
    return ", ".join(f"{name} {then}, now {now}" for name, (then, now) in found.items())


def _environment(report: Report, setting: str) -> Environment:
    """The one that the setting's counted records share."""
    return dict(report.run.environments.get(report.environments.get(setting, ""), {}))


def _value(result: Result | None) -> float | None:
    return None if result is None or result.estimate is None else result.estimate.value


def _count(report: Report, result: Result | None) -> int:
    return 0 if result is None else len(report.details(result))
