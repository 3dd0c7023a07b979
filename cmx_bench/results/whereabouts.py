"""Finds the folders that hold a run: at any depth below a folder, or around a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cmx_bench.errors import RecordsError

# Where one of them is, there is a run, or a part of one.
OF_RUN = ("run.json", "records.jsonl")
# What nothing brings back.
_MEASURED = (*OF_RUN, "predictions/*", "trained/*")


def folder_of(path: Path) -> Path:
    """The folder of the run whose file is given, such as its page; else the path itself."""
    folder = path.parent
    inside = path.is_file() and all((folder / name).is_file() for name in OF_RUN)
    return folder if inside else path


def refuse_to_replace(runs: Sequence[Path], output: Path) -> None:
    """Refuses a file to write that holds what was measured.

    Args:
        runs: that are read: a page alone holds its samples.

    Raises:
        RecordsError: it is one of them, or a file that a run is made of.
    """
    real = output.resolve()
    of_run = any(
        (folder / OF_RUN[0]).is_file() and real.relative_to(folder).match(pattern)
        for folder in real.parents for pattern in _MEASURED
    )  # fmt: skip
    if of_run or real in map(Path.resolve, runs):
        raise RecordsError(f"{output}: holds what was measured; give another file")


@dataclass(frozen=True, slots=True)
class Below:
    """The folders that hold a run, or a part of one, in the order of their names; `left_out` says
    in a line each which others may hold runs and were not looked into, and why."""

    runs: tuple[Path, ...]
    left_out: tuple[str, ...]


def runs_below(folder: Path) -> Below:
    """The runs at any depth below a folder, except what lies within a run.

    No link to a folder is followed: where it leads within `folder`, its runs are found there.

    Raises:
        RecordsError: there is no such folder, or it is a run itself and holds no others.
    """
    if not folder.is_dir():
        raise RecordsError(f"{folder}: no such folder; give the one that holds past runs")
    runs, left_out = list[Path](), list[str]()

    def refuse(error: OSError) -> None:
        left_out.append(f"{error.filename}: cannot be read: {error.strerror}")

    for name, folders, files in os.walk(folder, onerror=refuse):
        place = Path(name)
        if place != folder and any(file in files for file in OF_RUN):
            runs.append(place)
            folders.clear()
        for link in (place / name for name in folders if (place / name).is_symlink()):
            if link.resolve().is_relative_to(folder.resolve()):
                continue
            if any((each / file).exists() for each in (link, *link.glob("*/")) for file in OF_RUN):
                left_out.append(f"{link}: is a link out of {folder}, and not followed; move the "
                                "runs into it")  # fmt: skip
    if not runs and (folder / OF_RUN[0]).exists():
        raise RecordsError(f"{folder}: is a run itself; give the folder that holds runs, such as "
                           f"{folder.parent}")  # fmt: skip
    return Below(tuple(sorted(runs)), tuple(left_out))
