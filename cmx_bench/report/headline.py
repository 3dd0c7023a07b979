"""What stands above the tables: how far the run came, on what, and what to beware of."""

from __future__ import annotations

from dataclasses import dataclass

from cmx_bench import units
from cmx_bench.report.summary import Report
from cmx_bench.report.tables import plain


@dataclass(frozen=True, slots=True)
class Fact:
    """A term and what there is to say about it; a `warning` asks for the reader's attention."""

    term: str
    text: str
    warning: bool = False


def facts(report: Report) -> list[Fact]:
    """The run in a few lines, warnings included."""
    run, progress = report.run, report.progress
    ended = f"finished {_time(run.finished)}" if run.finished else "not finished"
    return [
        Fact("Device", plain(_device(report))),
        Fact("Cells", _cells(report), warning=progress.failed + progress.missing > 0),
        Fact("Measuring time", units.duration(progress.seconds)),
        Fact("Begun", plain(f"{_time(run.created)}, {ended}"), warning=not run.finished),
        Fact("Code", plain(_code(report))),
        Fact("Suite", plain(f"{run.suite} ({run.suite_path}, hash {run.suite_hash})")),
        Fact("Command", plain(run.command)),
        *_warnings(report),
    ]


def _time(iso: str) -> str:
    return iso.replace("T", " ").replace("+00:00", " UTC")


def _cells(report: Report) -> str:
    progress = report.progress
    parts = [f"{progress.ok} measured"]
    parts += [f"{progress.failed} failed"] if progress.failed else []
    parts += [f"{progress.missing} missing"] if progress.missing else []
    return f"{', '.join(parts)}, of {len(report.run.cells)}"


def _device(report: Report) -> str:
    """The device's name with the versions that timings depend on most."""
    digest = next(iter(report.environments.values()), next(iter(report.run.environments), ""))
    found = report.run.environments.get(digest, report.run.machine)
    name = found.get("device_name", "unknown device")
    versions = [f"{key} {found[key]}" for key in ("torch", "timm", "cuda") if found.get(key)]
    return ", ".join([f"{name} ({report.run.device})", *versions])


def _code(report: Report) -> str:
    machine = report.run.machine
    commit = machine.get("git_commit")
    return f"cmx-bench {machine.get('cmx_bench', '?')}" + (f", commit {commit}" if commit else "")


def _warnings(report: Report) -> list[Fact]:
    warnings = []
    if report.left_out:
        warnings.append(f"{_count(len(report.left_out), 'record')} left out, with reasons below")
    if report.failures:
        warnings.append(f"{_count(len(report.failures), 'failure')}, with reasons below")
    if len(set(report.environments.values())) > 1 and (names := _device_names(report)):
        warnings.append(f"settings were measured on different devices: {names}")
    return [Fact("Beware", plain(text), warning=True) for text in warnings]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _device_names(report: Report) -> str:
    """The devices of the counted records, where there is more than one."""
    found = (report.run.environments.get(one, {}) for one in report.environments.values())
    names = sorted({str(one.get("device_name")) for one in found})
    return ", ".join(names) if len(names) > 1 else ""
