"""Reads runs from their folders or pages, as a DataFrame or as a `Report`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pandas import DataFrame

from cmx_bench.errors import RecordsError
from cmx_bench.results import (
    agreement,
    collector,
    embedded,
    frame,
    lines,
    records,
    recounting,
    runfolder,
    sheets,
)
from cmx_bench.results.executions import executions
from cmx_bench.results.nouns import Report
from cmx_bench.results.public import public
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run


@collector.pausing()
def read(path: Path) -> Report:
    """The report of a run's folder, or of the raw samples inside its page.

    Raises:
        RecordsError: the path is no run, cannot be read, or has predictions that are not those of
            its records.
    """
    path = _place(path)
    report = embedded.read(path).report if path.is_file() else read_folder(path)
    for where, what, recorded, counted in recounting.of_votes(report):
        raise RecordsError(f"{path}: {where}: {what}: the records say {recorded:,}, and these are "
                           f"{counted:,}; put back what the run wrote")  # fmt: skip
    return report


@collector.pausing()
def read_folder(path: Path) -> Report:
    """The report of a run's folder, whatever its predictions are.

    Raises:
        RecordsError: it is no run, or cannot be read.
    """
    run, measured = _read(path)
    file = path / "records.jsonl"
    report = summarise(run, measured, file.exists() and lines.ends_in_half(file))
    votes = agreement.read(path, report.voters)
    return replace(
        report, votes=votes, thumbnails=agreement.thumbnails(path, len(votes.images.keys))
    )


@collector.pausing()
def load(path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> DataFrame:
    """The samples of one or several runs: a row for each sample, in base units.

    `cmx_bench.results.frame.COLUMNS` says what each column holds. Reported values rest on the rows
    where `counts` is true; `why` says why the others do not. The column `run` has the suite of each
    run and when it began, or its path where two runs have both in common. Texts are categoricals,
    models and labels in the order of the suite. So a label is renamed by
    `samples["label"].cat.rename_categories({"ResNet-50": "R50"})`.

    Args:
        path: the folder of a run, its report.html or its samples.csv.gz, or several of them.

    Raises:
        RecordsError: a path is no run, cannot be read, or is given twice.
    """
    paths = [Path(path)] if isinstance(path, str | os.PathLike) else [Path(each) for each in path]
    if not paths:
        raise RecordsError("no runs to load; give the folder of a run or several")
    for place, repeated in enumerate(paths):
        if repeated in paths[:place]:
            raise RecordsError(f"{repeated}: is given twice")
    files = {path: sheets.read(path) for path in paths if sheets.is_sheet(_place(path))}
    runs = {path: _read(path) for path in paths if path not in files}
    names = {path: run.name for path, (run, _) in runs.items()}
    names |= {path: str(next(iter(rows["run"]), "")) for path, rows in files.items()}
    if len(set(names.values())) < len(names):
        names = {path: str(path) for path in paths}
    if len(paths) == len(files) == 1:
        return files[paths[0]]
    parts = [rows.assign(run=names[path]) for path, rows in files.items()]
    if runs:
        measured = {
            names[path]: (run, executions(run, of_run)) for path, (run, of_run) in runs.items()
        }
        parts = [sheets.spell_details(frame.samples(measured)), *parts]
    return sheets.join(parts) if files else parts[0]


def _place(path: Path) -> Path:
    """Where a run is read from: a page has it inside, any other file of a run lies beside it."""
    return path if path.suffix == ".html" else runfolder.folder_of(path)


def _read(path: Path) -> tuple[Run, Sequence[Record]]:
    """A run and its records as they are shown: without paths of the machine that measured them."""
    path = _place(path)
    if path.is_file():
        report = embedded.read(path).report
        return report.run, report.records
    return public(records.read_run(path), records.read(path))
