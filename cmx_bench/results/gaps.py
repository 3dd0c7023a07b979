"""Lists what was not measured: for which models, why, and the command that measures it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cmx_bench import units
from cmx_bench.cell import Cell, slug
from cmx_bench.measures import MEASURES, MeasureInfo

if TYPE_CHECKING:
    from cmx_bench.results.records import Record, Run

# With a precision asked for, a cell gets at most so many processes. An interval half as wide costs
# four times as many: a cell that is far from narrow by then needs a calmer machine.
MOST_PROCESSES = 40
# In place of those that stayed disturbed there are so many times the suite's number at most, in so
# many times the time that a calm machine takes for it.
MOST_REPEATS = 2


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that was not measured: for which models, why not, and what measures it."""

    what: str
    models: tuple[str, ...]
    reason: str
    remedy: str


def gaps(run: Run, counted: Sequence[Record]) -> Iterator[Gap]:
    """What was not measured, grouped: a thousand missing cells stay readable."""
    have = {record.cell for record in counted}
    missing = [cell for cell in run.cells if cell not in have]
    yield from _group((cell, "planned, but not measured yet", run.resumption) for cell in missing)
    if run.budget is not None:
        reason = f"the budget of {units.duration(run.budget)} was spent before {{}}"
        is_named = run.parts or re.search(r" --out[ =]", run.resumption)
        out = "" if is_named else " --out FOLDER-OF-THIS-RUN"
        remedy = f"{run.resumption}{out}, with a longer --budget"
        if run.quick:
            remedy = f"{run.resumption.replace(' --quick', '')}, into another folder"
        yield from _group(
            (cell, reason.format(units.tally(more, "more process", "more processes")), remedy)
            for cell, more in run.cut_off.items()
        )
    skipped = [record for record in counted if record.status == "skipped"]
    yield from _group((record.cell, *record.reason.partition(": ")[::2]) for record in skipped)
    planned = set(run.cells)
    others = [cell for cell in every_cell(run) if cell not in planned] if run.only else []
    for gap in _group((cell, "not chosen by --only", "") for cell in others):
        yield replace(gap, remedy=_again(run, gap))
    for name, advice in run.unavailable.items():
        yield Gap(f"setting {name}", (), "needs another device", advice)
    for measure in [name for name in MEASURES if name not in run.measures]:
        suite = run.suite_path or "a suite of these models"
        remedy = f"add {measure!r} to the measures in {suite}"
        yield Gap(measure, (), "not among the suite's measures", remedy)


def _group(cells: Iterable[tuple[str, str, str]]) -> Iterator[Gap]:
    """Cells, each with its reason and remedy: one gap for all models that lack the same."""
    groups: dict[tuple[str, str, str], dict[str, None]] = {}
    for cell, reason, remedy in cells:
        model, what = cell.split("/", 1)
        groups.setdefault((what, reason, remedy), {})[model] = None
    for (what, reason, remedy), models in groups.items():
        yield Gap(what, tuple(models), reason, remedy)


def every_cell(run: Run) -> list[str]:
    """The keys of all cells that a run has without `--only`, in the order of its suite."""
    every = dict.fromkeys(
        Cell(model, measure, setting, MEASURES[measure].scope).key
        for measure in run.measures
        if measure in MEASURES
        for setting in run.settings
        for model in run.models
    )
    return list(every)


def processes(run: Run) -> Callable[[str, str, str], int]:
    """How many processes a run is to have at least, by model, measure and the setting's key."""
    given = {model.name for model in run.with_weights}

    def count(model: str, measure: str, setting: str) -> int:
        info = MEASURES.get(measure)
        if info is None or run.replicate is not None:
            return 1
        if info.together:
            return 1 if model in given else len(run.seeds)
        return run.replicates if info.repeats(setting.partition("-")[0]) else 1

    return count


def most_processes(info: MeasureInfo, least: int, wants_precision: bool) -> int:
    """How many processes a cell of a measure gets at most, of which `least` are planned."""
    return max(MOST_REPEATS * least, MOST_PROCESSES * wants_precision) if info.precise else least


def replicates(run: Run) -> dict[str, range]:
    """The numbers that the processes of each planned cell may have."""
    least, numbers = processes(run), dict[str, range]()
    for cell in run.cells:
        model, measure, setting = cell.split("/")
        info = MEASURES.get(measure)
        if run.replicate is not None:
            numbers[cell] = range(run.replicate, run.replicate + 1)
        elif info is None:  # of another version, which knows how often
            numbers[cell] = range(2**63)
        else:
            planned = least(model, measure, setting)
            numbers[cell] = range(most_processes(info, planned, run.precision is not None))
    return numbers


def _again(run: Run, gap: Gap) -> str:
    pattern = f"{gap.models[0] if len(gap.models) == 1 else '*'}/{gap.what}"
    if run.machines:  # which the command names; nodes make their plans without names of kinds
        for hardware in run.machines:
            pattern = pattern.removesuffix(f"-{slug(hardware)}")
        return f"{run.resumption}, into another folder and with --only {shlex.quote(pattern)} alone"
    return shlex.join(["python", "-m", "cmx_bench", "run", *run.words,
                       "--device", run.device, "--only", pattern])  # fmt: skip
