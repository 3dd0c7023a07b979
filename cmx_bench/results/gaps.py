"""What was not measured: for which models, why not, and the command that measures it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cmx_bench.cell import Cell
from cmx_bench.measures import MEASURES
from cmx_bench.results.records import Record, Run


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that was not measured: for which models, why not, and what measures it."""

    what: str
    models: tuple[str, ...]
    reason: str
    remedy: str


def gaps(run: Run, counted: Iterable[Record]) -> Iterator[Gap]:
    """What was not measured, grouped so that a thousand missing cells stay readable."""
    have = {record.cell for record in counted}
    for what, names in _by_setting(key for key in run.cells if key not in have):
        yield Gap(what, names, "planned, but no record counts yet", _resume(run))
    yield from _skipped(counted)
    for what, names in _by_setting(_not_chosen(run)):
        yield Gap(what, names, "not chosen by --only", _again(run, what, names))
    for name, advice in run.unavailable.items():
        yield Gap(f"setting {name}", (), "needs another device", advice)
    for measure in MEASURES:
        if measure not in run.measures:
            yield Gap(measure, (), "not among the suite's measures",
                      f"add {measure!r} to the measures in {run.suite_path}")  # fmt: skip


def _skipped(counted: Iterable[Record]) -> Iterator[Gap]:
    """Cells that lacked something, by what they lacked and the option that gives it."""
    groups: dict[tuple[str, str], list[str]] = {}
    for record in counted:
        if record.status == "skipped":
            what = record.cell.split("/", 1)[1]
            groups.setdefault((what, record.reason), []).append(record.model)
    for (what, reason), names in groups.items():
        lack, _, remedy = reason.partition(": ")
        yield Gap(what, tuple(names), lack, remedy)


def _by_setting(cells: Iterable[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Cells as measure and setting, with the models that they are of."""
    groups: dict[str, list[str]] = {}
    for key in cells:
        name, what = key.split("/", 1)
        groups.setdefault(what, []).append(name)
    for what, names in groups.items():
        yield what, tuple(names)


def _not_chosen(run: Run) -> list[str]:
    planned = set(run.cells)
    every = dict.fromkeys(
        Cell(model, measure, setting, MEASURES[measure].scope).key
        for measure in run.measures
        if measure in MEASURES
        for setting in run.settings
        for model in run.models
    )
    return [key for key in every if key not in planned] if run.only else []


def _resume(run: Run) -> str:
    """The run's own command, which goes on where it stopped."""
    return run.command.replace(" --fresh", "")


def _again(run: Run, what: str, names: Sequence[str]) -> str:
    pattern = f"{names[0] if len(names) == 1 else '*'}/{what}"
    return shlex.join(["python", "-m", "cmx_bench", "run", run.suite_path,
                       "--device", run.device, "--only", pattern])  # fmt: skip
