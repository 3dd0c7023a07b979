"""Compares two runs: exact metrics must be equal, sampled ones not slower, accuracies not lower."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from cmx_bench.errors import RecordsError
from cmx_bench.gate import deciding, differences, price
from cmx_bench.gate.differences import Sides
from cmx_bench.gate.outputs import sentences
from cmx_bench.gate.verdict import Comparison, Verdict
from cmx_bench.plan import INTERPRETER_SECONDS
from cmx_bench.results import environment, origins

if TYPE_CHECKING:  # for pandas is slow to import, and `ab` needs but the rest of this
    from cmx_bench.results.nouns import Report
    from cmx_bench.results.records import Run
    from cmx_bench.results.summary import Result


def verdict(run: Path, others: Mapping[str, Path], threshold: float) -> tuple[Report, Verdict]:
    """What a run has to say, and the verdict on it against other runs.

    Args:
        others: folders of runs by what they are to this one: "baseline", "anchor".
        threshold: the slowdown that must not pass, as a share.

    Raises:
        RecordsError: a folder is no run, or a quick or unfinished one, or the run itself, or cannot
            be read.
    """
    head = _read(run)
    sides, names = [("run", _describe(run, head))], {"run": _name(run, head)}
    devices = [head.run.device_name]
    comparisons: list[Comparison] = []
    for against, folder in others.items():
        base = _read(folder)
        if (base.run, base.records) == (head.run, head.records):
            raise RecordsError(f"{folder}: is the run itself, which says nothing; give another "
                               f"{against}")  # fmt: skip
        sides.append((against, _describe(folder, base)))
        names[against] = _name(folder, base)
        devices.append(base.run.device_name)
        compared = [_compare(base, head, both, threshold, against)
                    for both in differences.pair_results(base, head)]  # fmt: skip
        seconds = partial(_seconds, base, head)
        comparisons += price.add_prices(compared, seconds, 2 * INTERPRETER_SECONDS)
    title = sentences.title(head.run.suite, names, " and ".join(dict.fromkeys(devices)), threshold)
    return head, Verdict(title, threshold, tuple(sides), tuple(comparisons))


def _name(folder: Path, report: Report) -> str:
    """The name of a run's folder, with the commit that it was measured at."""
    name, commit = folder.resolve().name, environment.commit(report.run.machine)
    return f"{name} ({commit})" if commit else name


def _read(folder: Path) -> Report:
    from cmx_bench.results.loading import read

    report = read(folder)
    refuse_part(folder, report.run)
    if not report.run.finished:
        raise RecordsError(f"{folder}: is not finished, so that what it lacks would count as "
                           "lost; finish it by the command that began it")  # fmt: skip
    return report


def refuse_part(folder: Path, run: Run) -> None:
    """Refuses a quick run, and one of a single replicate: they are held against nothing.

    Raises:
        RecordsError: it is one of them.
    """
    if run.quick:
        raise RecordsError(f"{folder}: is a quick run, which decides nothing; measure it without "
                           "--quick")  # fmt: skip
    if run.replicate is not None:
        raise RecordsError(f"{folder}: is one replicate of a run; merge the parts first")


def _describe(folder: Path, report: Report) -> str:
    run = report.run
    built_from = [
        f"{model} from {origins.describe(origin)}"
        for model, origin in origins.of(report.records).items()
    ]
    machines = map(environment.describe, run.kinds.values())
    described = ", ".join([*machines, *built_from])
    return f"{folder}, {run.created}: {described}"


def _compare(
    base: Report, head: Report, sides: Sides, threshold: float, against: str
) -> Comparison:
    """One comparison. Where it fails, the reason also names the other differences of both sides.

    Args:
        threshold: the slowdown that must not pass, as a share.
        against: what the base is called in the verdict.
    """
    compared = _judge(base, head, sides, threshold, against)
    if compared.state != "FAIL":
        return compared
    others = differences.name_others(base, head, sides.old, sides.new)
    reason = "; ".join(filter(None, (compared.reason, sides.moved, others)))
    return replace(compared, reason=reason)


def _judge(base: Report, head: Report, sides: Sides, threshold: float, against: str) -> Comparison:
    """By the first thing that can be said about it."""
    old, new, moved = sides
    known = new or old
    assert known is not None
    empty = Comparison(
        known.model, known.label, known.setting, known.about, against, "PASS",
        base=old and old.value, head=new and new.value,
        n=(len(old.medians) if old else 0, len(new.medians) if new else 0),
        left_out=(old.left_out if old else 0, new.left_out if new else 0),
    )  # fmt: skip
    if why := differences.no_direction(known.about):
        return replace(empty, state="INCOMPARABLE", reason=why)
    if old is None or old.value is None or new is None or new.value is None:
        return _judge_one_sided(empty, base, head, sides)
    if new.status == "failed":  # some of its processes
        if old.status == "ok":
            return replace(empty, state="FAIL", reason=f"newly failed: {new.reason}")
        empty = replace(empty, reason=f"some processes failed in both: {new.reason}")
    if why := moved or differences.explain_incomparable(base, head, old, new, against):
        return replace(empty, state="INCOMPARABLE", reason=why)
    if old.about.exact:
        judged = deciding.judge_exact(empty, old.value, new.value)
    elif deciding.is_of_given_weights(old) and deciding.is_of_given_weights(new):
        empty = replace(empty, n=(old.details["images"], new.details["images"]))
        judged = deciding.judge_images(empty, base, head, threshold)
    else:
        judged = deciding.judge_processes(empty, old, new, threshold)
    return judged


def _judge_one_sided(empty: Comparison, base: Report, head: Report, sides: Sides) -> Comparison:
    """What the base has and the head lacks fails, unless the head's device could not have it."""
    old, new, moved = sides
    if old is None or old.value is None:
        if old is not None and new is not None and old.status == new.status == "failed":
            return replace(empty, state="INCOMPARABLE", reason=f"failed in both: {new.reason}")
        if new is None or new.value is None:
            then, now = _fate(old), _fate(new)
            reason = f"{then} in the {empty.against}, {now} in the run"
            reason = f"{now} in both" if then == now else reason
            return replace(empty, state="INCOMPARABLE", reason=reason)
        reason = f"{_fate(old)} in the {empty.against}"
        if new.model not in base.models:
            reason = f"the {empty.against} has no model {new.model}"
        return replace(empty, state="NEW" if old is None else "INCOMPARABLE", reason=reason)
    if new is not None and new.status == "failed":
        newly = "newly failed" if old.status == "ok" else "newly failed in every process"
        return replace(empty, state="FAIL", reason=f"{newly}: {new.reason}")
    why = f": {new.reason}" if new is not None and new.status == "skipped" else ""
    if elsewhere := differences.tell_elsewhere(base, head, old.setting, skipped=bool(why)):
        reason = f"measured elsewhere: {elsewhere}{why}"
        return replace(empty, state="INCOMPARABLE", reason=reason)
    renamed = f"; one with a new name needs a new {empty.against}"
    reason = f"not measured{why}"
    if old.model not in head.models:
        reason = f"the run has no model {old.model}{renamed}"
    elif not moved and old.setting not in differences.keys_of(head.run):
        reason = f"the run has no setting {old.setting}{renamed}"
    return replace(empty, state="FAIL", reason=reason)


def _fate(result: Result | None) -> str:
    """What became of a cell without a value."""
    if result is None:
        return "not measured"
    return f"{result.status} ({result.reason})" if result.reason else result.status


def _seconds(base: Report, head: Report, comparison: Comparison) -> float:
    """Of one more process on each side."""
    key = (comparison.model, comparison.setting, comparison.metric.name)
    sides = (report.processes[key] for report in (base, head))
    return sum(fmean(process.elapsed for process in side) for side in sides)
