"""Merges runs of parts of one suite: the parts of a job array, or the jobs of a CI matrix."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cmx_bench import units
from cmx_bench.errors import RecordsError
from cmx_bench.results import environment, gaps, origins, records, runfolder
from cmx_bench.results.records import Record, Run
from cmx_bench.spec import disk

if TYPE_CHECKING:
    from cmx_bench.models.importing import Origin

# Folders of a run whose files rendering cannot make again, and how those of unfinished work end.
_KEPT = ("predictions", "replicate-*", "trained")
_UNFINISHED = (".rows", ".part", ".state.pt", ".processes")
_LARGEST = 2**33  # bytes of a file of weights


def merge(parts: Sequence[Path], out: Path, command: str) -> Run:
    """Puts the runs in the folders `parts` together into the folder `out`; gives the whole run.

    Records, predictions and trained weights are copied. An execution that two parts hold alike is
    kept once. Nothing is written before all parts were found to agree.

    Args:
        out: a folder that is new or empty, or holds an earlier merge of these parts.
        command: the command line, for run.json.

    Raises:
        RecordsError: a part cannot be read, is of another suite, machine or software, or
            contradicts another part; or `out` cannot be written.
    """
    runs = _runs(parts)
    whole = _run_of(runs, command)
    lines = _lines({part: records.read(part) for part in parts})
    copies = _copies(parts)
    _refuse_taken(out, lines)
    # Until all is there it is an unfinished run, which nobody takes for the whole.
    records.write_run(out, replace(whole, finished=""))
    with runfolder.locking(out):
        for name, source in copies.items():
            with disk.writing(out / name):
                (out / name).parent.mkdir(parents=True, exist_ok=True)
            disk.write(out / name, _content(source))
        disk.write(out / "records.jsonl", "".join(lines))
        records.rewrite_run(out, whole)
    return whole


def tell_unfinished(parts: Sequence[Path]) -> str:
    """What the parts lack for a whole run, and what to do about it; empty if they lack nothing."""
    runs = _runs(parts)
    if left := [part for part, run in runs.items() if not run.finished]:
        are = "is" if len(left) == 1 else "are"
        return (f"{len(left)} of {units.tally(len(parts), 'part')} {are} not finished "
                f"({units.first_few(left)}): run the command of each again, or submit the job "
                "array again, and merge again")  # fmt: skip
    if missing := _in_no_part(list(runs.values())):
        cell, replicate = missing[0]
        return (f"{units.tally(len(missing), 'process', 'processes')} of its cells are in no "
                f"part, such as replicate {replicate} of {cell}: give all parts, or measure the "
                "rest with `run` and the same --out")  # fmt: skip
    return ""


def _runs(parts: Sequence[Path]) -> dict[Path, Run]:
    """The run of each part; those that hold none are told together."""
    if empty := [part for part in parts if not (part / "run.json").exists()]:
        hold = "holds" if len(empty) == 1 else "hold"
        raise RecordsError(f"{units.first_few(empty)}: {hold} no run (no run.json); measure what "
                           "is missing first, or leave it out")  # fmt: skip
    return {part: records.read_run(part) for part in parts}


def _refuse_taken(out: Path, lines: Collection[str]) -> None:
    """Refuses a folder that holds anything but an earlier merge with nothing else in it."""
    if not out.exists() or not any(out.iterdir()):
        return
    earlier = (out / "run.json").exists() and records.read_run(out).parts
    if not earlier:
        raise RecordsError(f"{out}: holds files already; give another --out")
    if lost := {*map(records.line_of, records.read(out))}.difference(lines):
        raise RecordsError(f"{out}: holds {units.tally(len(lost), 'record')} that no part has; "
                           "give another --out")  # fmt: skip


def _in_no_part(runs: Sequence[Run]) -> list[tuple[str, int]]:
    """The executions of the parts' cells that none of them was to measure; none where the parts are
    of one replicate alone."""
    asked: defaultdict[str, set[int | None]] = defaultdict(set)
    for run in runs:
        for cell in run.cells:
            asked[cell].add(run.replicate)
    if _replicate(runs) is not None:
        return []
    wanted = gaps.processes(replace(runs[0], replicate=None))
    return [
        (cell, replicate)
        for cell, replicates in asked.items()
        if None not in replicates
        for replicate in range(wanted(*cell.split("/")))
        if replicate not in replicates
    ]


def _replicate(runs: Sequence[Run]) -> int | None:
    """The replicate that all runs are of; None where they are of several, or of all."""
    first, *others = {run.replicate for run in runs}
    return None if others else first


# What to do with parts of several kinds of machines.
_APART = (
    "measure all parts on one kind of machine (a job array: pin it with --partition or "
    "--constraint), or show them side by side with `report`"
)
# What parts of one suite have in common, and what to do where they differ.
_COMMON = {
    "quick": "is quick, or measured in full, and the other is not; merge those of one kind",
    "suite_hash": "is of another suite, or of this one with other models, settings or options; "
    "measure it anew",
    "device": f"is of another device; {_APART}",
    "models": "has other weights; give each part the same --weights",
    "settings": "has other settings, as `batch_size: auto` gives on another machine",
} | {
    name: f"has another {name} under the same hash of its suite: its run.json was changed; "
    "measure it anew"
    for name in ("suite", "title", "measures", "replicates", "precision")
}


def _run_of(runs: Mapping[Path, Run], command: str) -> Run:
    first, *others = runs
    run, every = runs[first], list(runs.values())
    done = all(part.finished for part in every) and not _in_no_part(every)
    for part in others:
        _refuse_other(part, runs[part], first, run)
    chosen = {cell for part in every for cell in part.cells}
    cells = tuple(cell for cell in gaps.every_cell(run) if cell in chosen)
    only = [glob for part in every for glob in part.only]
    evaluating = [part.accuracy for part in every if part.accuracy]
    return replace(
        run,
        cells=cells,
        only=tuple(dict.fromkeys(only)) if len(cells) < len(gaps.every_cell(run)) else (),
        command=command,
        parts=tuple(dict.fromkeys(part.command for part in every)),
        created=min(part.created for part in every),
        finished=max(part.finished for part in every) if done else "",
        accuracy=evaluating[0] if evaluating else {},
        environments={name: facts for part in every for name, facts in part.environments.items()},
        budget=max((part.budget for part in every if part.budget is not None), default=None),
        cut_off={cell: processes for part in every for cell, processes in part.cut_off.items()},
        neighbours=None,
        replicate=_replicate(every),
    )


def _refuse_other(part: Path, run: Run, first: Path, other: Run) -> None:
    for name, remedy in _COMMON.items():
        if getattr(run, name) != getattr(other, name):
            raise RecordsError(f"{part}: {remedy} (unlike {first})")
    same = ("cmx_bench", "git_commit")
    for name, now, then in environment.other_machines(run.kinds, other.kinds, same):
        raise RecordsError(f"{part}: measured elsewhere: {name} {now}, in {first} {then}; "
                           f"{_APART}")  # fmt: skip
    # Each node may have the images elsewhere.
    mine, others = ({**evaluated, "path": None} for evaluated in (run.accuracy, other.accuracy))
    if run.accuracy and other.accuracy and mine != others:
        raise RecordsError(f"{part}: evaluated otherwise than {first}; measure it anew")


def _lines(parts: Mapping[Path, Sequence[Record]]) -> list[str]:
    """The lines of the records of all parts in the order in which they were measured, each once."""
    places: dict[tuple[str, int], tuple[Path, Record]] = {}
    kept: dict[str, Record] = {}
    built_from: dict[str, Origin] = {}
    for part, records_of in parts.items():
        for record in records_of:
            mine = record.details.get("origin", {})
            if first := origins.other_before(record.model, mine, built_from):
                raise RecordsError(
                    f"{part}: {record.model} was built from {origins.describe(mine)}, in another "
                    f"part from {origins.describe(first)}; measure one of them anew"
                )
            execution = record.cell, record.replicate
            where, other = places.setdefault(execution, (part, record))
            if where != part and other != record and {record.status, other.status} == {"ok"}:
                raise RecordsError(
                    f"{part}: {record.cell}, replicate {record.replicate}, was measured in {where} "
                    "too, with other samples; give only one of them"
                )
            if other.status != "ok":
                places[execution] = part, record
            kept.setdefault(records.line_of(record), record)
    return sorted(kept, key=lambda line: (kept[line].status == "ok", kept[line].started))


def _copies(parts: Sequence[Path]) -> dict[str, Path]:
    copies: dict[str, Path] = {}
    every = [
        (part, file) for part in parts for kept in _KEPT for folder in sorted(part.glob(kept))
        for file in disk.files_below(folder)
    ]  # fmt: skip
    for part, file in every:
        name = file.relative_to(part).as_posix()
        path = disk.within(part, name)
        if not path.is_file() or path.name.endswith(_UNFINISHED):
            continue
        other = copies.setdefault(name, path)
        if other != path and _content(other) != _content(path):
            raise RecordsError(f"{path}: differs from {other}; measure one of the parts anew")
    return copies


def _content(path: Path) -> bytes:
    return disk.bytes_of(path, RecordsError, _LARGEST)
