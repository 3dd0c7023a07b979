"""Lines of the files of a run, whichever ends they have. A file that grows may end in half of one
after a kill."""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cmx_bench.errors import RecordsError, SuiteError
from cmx_bench.spec import disk, document
from cmx_bench.spec.document import Location

_LARGEST_LOCATED = 2**18  # bytes: YAML's reader takes a second for 200 kB


def read_unended(file: BinaryIO) -> bytes:
    """What stands behind the last end of a line in a file; it is read to its end."""
    begin = file.seek(0, os.SEEK_END)
    while begin:
        begin = file.seek(max(0, begin - 4096))
        read = file.read(4096)
        if (place := max(read.rfind(b"\n"), read.rfind(b"\r"))) >= 0:
            begin += place + 1
            break
    file.seek(begin)
    return file.read()


def is_half(last: bytes) -> bool:
    """Whether a last line that lacks its end lacks more: no part of a JSON object is JSON."""
    try:
        json.loads(last.strip() or b"0")
    except (ValueError, RecursionError):
        return True
    return False


def ends_in_half(path: Path) -> bool:
    """Whether the last line of a file is a half one."""
    with disk.reading(path, RecordsError), disk.open_file(path) as file:
        return is_half(read_unended(file))


def whole(path: Path) -> Iterator[tuple[int, bytes]]:
    """The whole lines of a file that are not blank, each with its number, without their ends and
    the byte order mark."""
    with disk.reading(path, RecordsError), disk.open_file(path) as file:
        every = (line for part in file for line in part.splitlines(keepends=True))
        for number, line in enumerate(every, 1):
            if line.strip() and (line.endswith((b"\n", b"\r")) or not is_half(line)):
                yield number, line.removeprefix(codecs.BOM_UTF8 if number == 1 else b"").strip()


def place_of(path: Path, location: Location) -> str:
    """`:12`, the line on which a value stands; empty where that is not known."""
    if path.stat().st_size > _LARGEST_LOCATED:
        return ""
    try:
        marks = document.read(path).marks  # JSON is YAML
    except SuiteError:
        return ""
    while location not in marks:
        location = location[:-1]
    return f":{marks[location][0]}"
