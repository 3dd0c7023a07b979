"""Compares two runs: exact metrics must be equal, sampled ones not slower, accuracies not lower."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmx_bench.errors import RecordsError
from cmx_bench.gate import accuracies, deciding, price
from cmx_bench.gate.outputs import sentences
from cmx_bench.gate.verdict import Comparison, Verdict
from cmx_bench.metrics import Metric
from cmx_bench.plan import INTERPRETER_SECONDS
from cmx_bench.results import environment, origins
from cmx_bench.results.records import Environment

if TYPE_CHECKING:  # for pandas is slow to import, and `ab` needs but the rest of this
    from cmx_bench.results.nouns import Key, Report
    from cmx_bench.results.summary import Result


def verdict(run: Path, others: Mapping[str, Path], threshold: float) -> tuple[Report, Verdict]:
    """What a run has to say, and the verdict on it against other runs.

    Args:
        others: folders of runs by what they are to this one: "baseline", "anchor".
        threshold: the slowdown that must not pass, as a share.

    Raises:
        RecordsError: a folder is no run, or a quick one, or cannot be read.
    """
    head = _read(run)
    sides, names = [("run", _describe(run, head))], {"run": _name(run, head)}
    devices = [head.run.device_name]
    comparisons: list[Comparison] = []
    for against, folder in others.items():
        base = _read(folder)
        sides.append((against, _describe(folder, base)))
        names[against] = _name(folder, base)
        devices.append(base.run.device_name)
        keys = dict.fromkeys((*base.results, *head.results))
        compared = [_compare(base, head, key, threshold, against) for key in keys]
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
    if report.run.quick:
        raise RecordsError(f"{folder}: is a quick run, which decides nothing; measure it without "
                           "--quick")  # fmt: skip
    if report.run.replicate is not None:
        raise RecordsError(f"{folder}: is one replicate of a run; merge the parts first")
    return report


def _describe(folder: Path, report: Report) -> str:
    run = report.run
    built_from = [
        f"{model} from {origins.describe(origin)}"
        for model, origin in origins.of(report.records).items()
    ]
    machines = map(environment.described, run.kinds.values())
    described = ", ".join([*machines, *built_from])
    return f"{folder}, {run.created}: {described}"


def _compare(base: Report, head: Report, key: Key, threshold: float, against: str) -> Comparison:
    """One comparison, by the first thing that can be said about it.

    Args:
        threshold: the slowdown that must not pass, as a share.
        against: what the base is called in the verdict.
    """
    old, new = base.results.get(key), head.results.get(key)
    known = new or old
    assert known is not None
    empty = Comparison(
        known.model, known.label, known.setting, known.about, against, "PASS",
        base=old and old.value, head=new and new.value,
        n=(len(old.medians) if old else 0, len(new.medians) if new else 0),
        left_out=(old.left_out if old else 0, new.left_out if new else 0),
    )  # fmt: skip
    if old is None or old.value is None or new is None or new.value is None:
        return _judge_one_sided(empty, base, head, old, new)
    if new.status == "failed":  # some of its processes
        if old.status == "ok":
            return replace(empty, state="FAIL", reason=f"newly failed: {new.reason}")
        empty = replace(empty, reason=f"some processes failed in both: {new.reason}")
    if why := _incomparable(base, head, old, new, against):
        return replace(empty, state="INCOMPARABLE", reason=why)
    if known.about.exact:
        return deciding.judge_exact(empty, old.value, new.value)
    if accuracies.is_of_given_weights(old) and accuracies.is_of_given_weights(new):
        images = (old.details["images"], new.details["images"])
        return _judge_on_images(replace(empty, n=images), base, head, threshold)
    return deciding.judge_processes(empty, old, new, threshold)


def _judge_one_sided(
    empty: Comparison, base: Report, head: Report, old: Result | None, new: Result | None
) -> Comparison:
    """What the base has and the head lacks fails, unless the head's device could not have it."""
    if old is not None and new is not None and old.status == new.status == "failed":
        return replace(empty, state="INCOMPARABLE", reason=f"failed in both: {new.reason}")
    if old is None or old.value is None:
        if new is None or new.value is None:
            then, now = _fate(old), _fate(new)
            reason = f"{then} in the {empty.against}, {now} in the run"
            reason = f"{now} in both" if then == now else reason
            return replace(empty, state="INCOMPARABLE", reason=reason)
        failed = old is not None and old.status == "failed"
        reason = f"{'failed' if failed else 'not measured'} in the {empty.against}"
        if new.model not in base.models:
            reason = f"the {empty.against} has no model {new.model}"
        return replace(empty, state="NEW", reason=reason)
    if new is not None and new.status == "failed":
        return replace(empty, state="FAIL", reason=f"newly failed: {new.reason}")
    why = f": {new.reason}" if new is not None and new.status == "skipped" else ""
    if differences := _elsewhere(base, head, old.setting, skipped=bool(why)):
        reason = f"measured elsewhere: {differences}{why}"
        return replace(empty, state="INCOMPARABLE", reason=reason)
    missing = f"the run has no model {old.model}; one with a new name needs a new {empty.against}"
    reason = f"not measured{why}" if old.model in head.models else missing
    return replace(empty, state="FAIL", reason=reason)


def _fate(result: Result | None) -> str:
    """What became of a cell without a value."""
    if result is None:
        return "not measured"
    return f"{result.status} ({result.reason})" if result.reason else result.status


def _incomparable(base: Report, head: Report, old: Result, new: Result, against: str) -> str:
    """Why values that are there are not compared; empty where they are."""
    if why := no_direction(new.about):
        return why
    if new.about.exact:
        return other_words(old.details, new.details)
    if differences := _list_differences(
        _environment(base, new.setting), _environment(head, new.setting)
    ):
        return f"measured elsewhere: {differences}"
    then, now = (result.details.get("peak_since", "the pass") for result in (old, new))
    if then != now:
        return f"a peak since {then} in the {against}, since {now} in the run"
    return accuracies.other_conditions(base, head, old, new, against)


def _seconds(base: Report, head: Report, comparison: Comparison) -> float:
    """Of one more process on each side."""
    key = (comparison.model, comparison.setting, comparison.metric.name)
    return sum(_seconds_a_process(report, report.results[key]) for report in (base, head))


def _seconds_a_process(report: Report, result: Result) -> float:
    samples = report.samples_of(result)
    ended = samples[samples["status"] == "ok"].drop_duplicates("record")
    return float(ended["elapsed"].mean())


def _elsewhere(base: Report, head: Report, setting: str, skipped: bool) -> str:
    """Why the head has no such value: another device, or a batch size that followed its cores.

    Empty where it has the setting and skipped nothing, or where the machines are alike.
    """
    settings = head.run.settings
    known = {each.key for each in settings} | {f"r{each.image_size}" for each in settings}
    if setting in known and not skipped:
        return ""
    if base.run.kinds.keys() != head.run.kinds.keys():
        return f"on {base.run.device_name}, now on {head.run.device_name}"
    return _list_differences(base.run.machine, head.run.machine)


def other_words(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """How the user's entries for operators differ between two counts; empty if they do not.

    Args:
        old, new: the details of the one and the other.
    """
    then, now = ({name: _word(word) for name, word in details.get("given", {}).items()}
                 for details in (old, new))  # fmt: skip
    differing = [
        f"{name} {then.get(name, 'no word')}, now {now.get(name, 'no word')}"
        for name in sorted(then | now)
        if then.get(name) != now.get(name)
    ]
    return f"counted by other words: {', '.join(differing)}" if differing else ""


def _word(word: Mapping[str, Any]) -> str:
    """`zero`, or the function with the hash of its code: `ours.rules:gram (sha256 3f5a09c1)`."""
    origin = word.get("origin")
    return f"{word['by']} (sha256 {origin['sha256'][:8]})" if origin else str(word["by"])


def no_direction(metric: Metric) -> str:
    """Why a metric of which no value is better than another is not judged; empty of others."""
    neutral = metric.better == "none"
    return f"{metric.direction}, so it is shown and not judged" if neutral else ""


def _judge_on_images(empty: Comparison, base: Report, head: Report, threshold: float) -> Comparison:
    """Top-1 or top-5 of given weights, by the images that one side alone has right."""
    compared = accuracies.compare(base, head, (empty.model, empty.setting), empty.metric.name)
    if compared is None:
        return replace(empty, state="INCOMPARABLE", reason="predictions of a side are missing")
    change, is_worse = compared
    return deciding.judge_change(empty, change, threshold, None, is_worse)


def _list_differences(old: Environment, new: Environment) -> str:
    """In what two environments differ: two GPUs of one model do by 8 % on average, and versions of
    this package may measure differently."""
    differences = environment.differences(old, new, ("device_uuid", "cmx_bench"))

    def shown(name: str, value: object) -> object:
        return ("not set" if name.isupper() else "unknown") if value is None else value

    return ", ".join(
        f"{name} {shown(name, then)}, now {shown(name, now)}"
        for name, (then, now) in differences.items()
    )


def _environment(report: Report, setting: str) -> Environment:
    """The one that the setting's counted records share, of all devices of the run."""
    shared = dict(report.run.environments.get(report.environments.get(setting, ""), {}))
    if "device_uuid" in shared and "device_uuid" in report.run.machine:
        shared["device_uuid"] = report.run.machine["device_uuid"]
    return shared
