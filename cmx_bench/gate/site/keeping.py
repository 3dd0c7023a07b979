"""The parts of a site: folders of files, each with a note of what they were made of.

Only files that a note names are ever removed. While a part is written, its note says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from cmx_bench.errors import RecordsError
from cmx_bench.gate.site import Listed
from cmx_bench.results.runfolder import write_files
from cmx_bench.results.validation import STRICT, DamageError, decode
from cmx_bench.spec import disk

SCHEMA = 2
_NOTE = "made-of.json"
_UNFINISHED = ""  # what no part was made of


@dataclass(frozen=True, slots=True)
class PartNote:
    """What a part was made of, as a hash, its files, and the run that it is about, if of one."""

    __pydantic_config__ = STRICT

    made_of: str
    files: tuple[str, ...]
    run: Listed | None = None
    schema: int = SCHEMA


_NOTES = TypeAdapter(PartNote)


def note(out: Path, part: str) -> PartNote | None:
    """The note of a part of the site in the folder `out`; None where there is none, or another
    version of this package wrote it."""
    try:
        text = disk.text_of(disk.within(out, f"{part}/{_NOTE}"), RecordsError)
        return decode(_NOTES, text, SCHEMA)
    except (RecordsError, DamageError):
        return None


def current(out: Path, part: str, made_of: str) -> PartNote | None:
    """The note of a part that is made of this, and has all its files; else None."""
    kept = note(out, part)
    if kept is None or kept.made_of != made_of:
        return None
    is_whole = all(disk.within(out, f"{part}/{name}").is_file() for name in kept.files)
    return kept if is_whole else None


def parts(out: Path, room: str) -> Iterator[str]:
    """The parts below a folder of the site."""
    for place, _, files in os.walk(out / room):
        if _NOTE in files:
            yield Path(place).relative_to(out).as_posix()


def put(
    out: Path, part: str, files: Mapping[str, str | bytes], made_of: str, run: Listed | None = None
) -> None:
    """Writes a part, each file at once or not at all, and removes files that it has no more.

    Raises:
        RecordsError: it cannot be written.
    """
    before = note(out, part)
    old = () if before is None else before.files
    _write(out, part, PartNote(_UNFINISHED, tuple({*old, *files})))
    write_files(out, {f"{part}/{name}": content for name, content in files.items()})
    _remove(out, part, [name for name in old if name not in files])
    _write(out, part, PartNote(made_of, tuple(files), run))


def discard(out: Path, part: str) -> None:
    """Removes a part; folders that hold anything else stay.

    Raises:
        RecordsError: a file cannot be removed.
    """
    gone = note(out, part)
    if gone is not None:
        _remove(out, part, (*gone.files, _NOTE))


def _write(out: Path, part: str, note: PartNote) -> None:
    write_files(out, {f"{part}/{_NOTE}": disk.json_of(asdict(note))})


def _remove(out: Path, part: str, names: Iterable[str]) -> None:
    for name in names:
        path = disk.within(out, f"{part}/{name}")
        with disk.writing(path):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # what is left is not empty
            for folder in path.relative_to(out).parents[:-1]:
                (out / folder).rmdir()
