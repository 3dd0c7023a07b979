"""The folder of a run: its name, its lock, and what is written into it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from cmx_bench.errors import RecordsError
from cmx_bench.spec import disk


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
