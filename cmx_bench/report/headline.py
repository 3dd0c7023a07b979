"""What a report says of its run: on what, how far it came, how, and what to beware of."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterable

from cmx_bench import units
from cmx_bench.metrics import first_of
from cmx_bench.present.content import DISTURBED, Fact
from cmx_bench.results.grouping import group
from cmx_bench.results.nouns import Report
from cmx_bench.results.records import Run
from cmx_bench.results.summary import Result
from cmx_bench.units import first_few, tally


def status(report: Report) -> Fact:
    """Where the run was measured and how far it came, in a line."""
    run, progress = report.run, report.progress
    cells = tally(len(run.cells), "cell")
    measured = [f"{progress.ok:,} of {cells} measured", *count_unmeasured(report)]
    settings = [setting.key for setting in run.settings]
    parts = [
        device(report),
        ", ".join(measured),
        settings[0] if len(settings) == 1 else f"{len(settings)} settings",
        *([] if run.finished else ["not finished"]),
    ]
    beware = progress.failed + progress.missing > 0 or not run.finished
    return Fact("Run", " · ".join(parts), warning=beware)


def origins(report: Report) -> list[Fact]:
    """What the run was and how it was measured, for whoever wants to repeat or cite it."""
    run, progress = report.run, report.progress
    ended = f"finished {_time(run.finished)}" if run.finished else "not finished"
    load, parts = run.neighbours, [f"{progress.ok:,} measured", *count_unmeasured(report)]
    cells = f"{', '.join(parts)}, of {len(run.cells):,}"
    within = "" if run.budget is None else f", with a budget of {units.duration(run.budget)}"
    lasted = f"{units.duration(progress.seconds)} without pauses{within}"
    return [
        Fact("Device", device(report)),
        Fact("Cells", cells, warning=progress.failed + progress.missing > 0),
        *([Fact("Load before", str(load), warning=load.disturbs)] if load is not None else []),
        *images(report),
        Fact("Measuring time", f"{lasted}; what ran side by side counts once"),
        *_blocks(report),
        Fact("Begun", f"{_time(run.created)}, {ended}", warning=not run.finished),
        Fact("Code", code(report)),
        Fact("Suite", f"{run.suite} ({shlex.join(run.words)}, hash {run.suite_hash})"),
        Fact("Command", run.command),
        Fact("Content", f"SHA-256 {report.content_hash}"),
    ]


def images(report: Report) -> list[Fact]:
    """What was found where the images lie, of each part that was opened."""
    every = [result.details for result in report.results.values()]
    data = str(report.run.accuracy.get("dataset"))
    learned = [details["training"] for details in every if details.get("training")]
    parts = {"train": learned, "validation": every}
    return [
        Fact("Images", f"{data}, {part}: {about}")
        for part, ones in parts.items()
        for about in dict.fromkeys(details["opened"] for details in ones if details.get("opened"))
    ]


def _blocks(report: Report) -> list[Fact]:
    """How many blocks the rule for disturbed conditions discarded, and why; nothing where none
    watched."""
    blocks = report.blocks
    if not blocks.taken:
        return []
    text = f"{blocks.discarded:,} of {blocks.taken:,} discarded for disturbed conditions"
    if blocks.reasons:
        text += f" ({', '.join(f'{why}: {count:,}' for why, count in blocks.reasons.items())})"
    if blocks.disturbed_processes:
        processes = tally(blocks.processes, "process", "processes")
        text += f"; {blocks.disturbed_processes:,} of {processes} stayed disturbed"
    return [Fact("Blocks", text, warning=blocks.disturbed_processes > 0)]


def _time(iso: str) -> str:
    return iso.replace("T", " ").replace("+00:00", " UTC")


def count_unmeasured(report: Report) -> list[str]:
    """`2 failed`, `1 missing`: the cells without a value, by how they ended."""
    progress = report.progress
    counts = {"failed": progress.failed, "skipped": progress.skipped, "missing": progress.missing}
    return [f"{count:,} {what}" for what, count in counts.items() if count]


def device(report: Report) -> str:
    """The device's name with the versions that timings depend on most."""
    run = report.run
    digest = next(iter(report.environments.values()), next(iter(run.environments), ""))
    environment = run.environments.get(digest, run.machine)
    name = f"{environment.get('device_name', 'unknown device')} ({run.device})"
    if run.machines:  # of one suite and one version of everything else
        environment, name = run.machine, run.device_name
    versions = [
        f"{key} {environment[key]}" for key in ("torch", "timm", "cuda") if environment.get(key)
    ]
    return ", ".join([name, *versions])


def code(report: Report) -> str:
    """The version that measured, its commit where it is known, and that of the checkout that the
    run was started in."""
    machine = report.run.machine
    own, project = machine.get("git_commit"), machine.get("project_commit")
    text = f"cmx-bench {machine.get('cmx_bench', '?')}" + (f", commit {own}" if own else "")
    return text + (f", started in a checkout at commit {project}" if project else "")


def warnings(report: Report) -> list[Fact]:
    """What a reader must know before using any number."""
    left_out, failures = len(report.left_out), len(report.failures)
    every = (
        *(first(report) for first in (quick, part, tell_disturbed, cut_off, too_wide, unmet)),
        "what held the GPU back, and its other processes, were not watched (install "
        "cmx-bench[nvidia])" * bool(report.blocks.without_gpu_conditions),
        "the last record was written by half, by a run that was killed, and counts for nothing"
        * report.unfinished,
        f"{tally(left_out, 'record')} left out, with reasons below" * bool(left_out),
        f"{tally(failures, 'failure')}, with reasons below" * bool(failures),
        _list_devices(report),
    )  # fmt: skip
    return [Fact("Beware", text, warning=True) for text in every if text]


def quick(report: Report) -> str:
    """What a quick run cannot show; empty for any other."""
    if not report.run.quick:
        return ""
    untrained = ", and no accuracy of models that are to be trained" if report.run.trains else ""
    return (
        f"this is a quick run, of {tally(report.run.replicates, 'round')} within a minute: it "
        "shows no interval of use, no small difference, no drift and nothing that decides a claim "
        f"on timings{untrained}; measure without --quick before you use a number"
    )


def part(report: Report) -> str:
    """What one replicate alone cannot show; empty for a whole run."""
    if report.run.replicate is None:
        return ""
    return (
        f"this is replicate {report.run.replicate} alone, a part of a run, and shows no intervals; "
        "merge the parts before you use a number"
    )


def cut_off(report: Report) -> str:
    """The cells that a budget cut off, the widest first; empty where there is none."""
    run = report.run
    results = [
        result
        for result in report.results.values()
        if result.metric == first_of(result.measure) and result.cell in run.cut_off
    ]
    if not results or run.budget is None:
        return ""
    results.sort(key=_width, reverse=True)
    cells = _list_cells(report, results, lambda result: f"{_width_of(result)} (n = {result.n})")
    number = tally(len(results), "cell")
    return (f"the budget of {units.duration(run.budget)} was spent before {number} had as many "
            f"processes as wanted: {cells}")  # fmt: skip


def too_wide(report: Report) -> str:
    """The cells whose interval stayed wider than wanted; empty where there is none."""
    results = [result for result in report.results.values() if result.wide]
    if not results or report.run.precision is None:
        return ""
    wanted = units.percent(report.run.precision)
    cells = _list_cells(report, results, _width_of)
    return f"{tally(len(results), 'cell')} stayed too wide (wanted ± {wanted}): {cells}"


def unmet(report: Report) -> str:
    """The operators on which the suite has a word that no count rests on; empty where there is
    none, or where a count is missing that might."""
    counts = [result for result in report.results.values() if result.metric == "macs"]
    if not counts or any(result.status != "ok" for result in counts):
        return ""
    met = {name for result in counts for name in result.details.get("given", ())}
    given = (name for model in report.run.models for name in model.counted_by)
    names = first_few([name for name in dict.fromkeys(given) if name not in met])
    return f"of the suite's macs, no model has met: {names}" if names else ""


def tell_disturbed(report: Report) -> str:
    """The values that rest on processes that stayed disturbed; empty where there is none."""
    results = [result for result in report.results.values() if result.disturbed]
    if not results:
        return ""
    cells = _list_cells(report, results, lambda _: "")
    verb = "is" if len(results) == 1 else "are"
    return f"{tally(len(results), 'value')} {verb} disturbed (marked {DISTURBED}): {cells}"


def calmer(run: Run) -> str:
    """What to do about disturbed values: the command of the run, for a new folder."""
    if run.parts:
        return "measure the parts again when the machine is calm, and merge them"
    if run.replicate is not None:  # a part itself, whose folder is the one that `merge` looks for
        return "remove this part, and measure it again when the machine is calm"
    words, kept = iter(shlex.split(run.command)), []
    for word in words:
        if word == "--out":
            next(words, None)
        elif word not in ("--fresh", "--quick") and not word.startswith("--out="):
            kept.append(word)
    again = shlex.join([*kept, "--fresh"])
    longer = (
        ", or for longer than a quick run"
        if run.quick
        else (", or with a longer --budget" * (run.budget is not None))
    )
    return f"run again when the machine is calm{longer}: {again}"


def _width(result: Result) -> float:
    width = None if result.estimate is None else result.estimate.relative_half_width
    return math.inf if width is None else width


def _width_of(result: Result) -> str:
    width = _width(result)
    if width == math.inf:
        return " without an interval"
    return f" ± {'over 1,000 %' if width > 10 else units.percent(width)}"


def _list_cells(report: Report, results: Iterable[Result], tell: Callable[[Result], str]) -> str:
    """`throughput of A, B, C`: the networks of one measure, and of one setting where there are
    several, together with what `tell` says of all of them."""
    titles = {setting.key: f" in {setting.title}" for setting in report.run.settings}
    where = titles if len(titles) > 1 else {}
    groups = group(results, lambda result: (
        result.measure.replace("_", " "), where.get(result.setting, "") + tell(result)
    ))  # fmt: skip
    return first_few([
        f"{measure} of {first_few(list(dict.fromkeys(result.label for result in cells)))}{rest}"
        for (measure, rest), cells in groups.items()
    ])  # fmt: skip


def _list_devices(report: Report) -> str:
    """The names of the devices, where settings of one kind were measured on several."""
    found = (report.run.environments.get(digest, {}) for digest in report.environments.values())
    names = sorted({str(machine.get("device_name")) for machine in found})
    several = len(names) > 1 and not report.run.machines
    return f"settings were measured on different devices: {', '.join(names)}" * several
