"""The folder of a run: where it is, its name, its lock, and what is written into it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cmx_bench.errors import RecordsError
from cmx_bench.spec import disk

# Where one of them is, there is a run, or a part of one.
OF_RUN = ("run.json", "records.jsonl")
# What nothing brings back.
_MEASURED = (*OF_RUN, "predictions/*", "trained/*")


def name_of_new(device_name: str, now: datetime) -> str:
    """The name of a new folder: `TIME-DEVICE`."""
    device = re.sub(r"[^a-z0-9]+", "-", device_name.lower()).strip("-")
    return f"{now:%Y%m%dT%H%M%SZ}-{device[:40]}"


@contextmanager
def locking(folder: Path) -> Iterator[None]:
    """Locks a run's records for one process. The lock ends with the process, however it ends.

    Raises:
        RecordsError: another process measures into the folder, or it cannot be written.
    """
    from filelock import FileLock  # brings asyncio along, and who reads locks nothing

    path = folder / ".lock"  # not the records: who opens a lock empties its file
    with disk.writing(path):
        disk.appending(path).close()  # it is no link to a file that would be emptied
        try:
            lock = FileLock(path).acquire(blocking=False)
        except TimeoutError as error:
            raise RecordsError(
                f"{folder}: another process measures into it; wait for it or give another --out"
            ) from error
    with lock:
        yield


def is_locked(folder: Path) -> bool:
    """Whether a process is measuring into a run's folder, or none can."""
    try:
        with locking(folder):
            return False
    except RecordsError:
        return True


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Makes a folder, and the folders of files in it; then writes these in their order, each at
    once or not at all.

    Raises:
        RecordsError: a folder cannot be made or written.
    """
    for place in sorted({"", *(name.rpartition("/")[0] for name in files)}):
        path = disk.within(folder, place)
        with disk.writing(path):
            path.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        disk.write(disk.within(folder, name), content)


# --- where runs are -------------------------------------------------------------------------------


def folder_of(path: Path) -> Path:
    """The folder of the run whose file is given, such as its page; else the path itself."""
    folder = path.parent
    inside = path.is_file() and all((folder / name).is_file() for name in OF_RUN)
    return folder if inside else path


def refuse_for_others(folder: Path) -> None:
    """Refuses a folder for files that are of no run. Commands call it before what takes long.

    Raises:
        RecordsError: it holds a run, whose files they would replace, or cannot be there.
    """
    disk.refuse_unwritable(folder)
    if any((folder / name).exists() for name in OF_RUN):
        raise RecordsError(f"{folder}: holds a run; give another folder")


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

    for place, folders, files in disk.walk(folder, refuse):
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
