"""The files of users and runs: read whatever wrote them, replaced at once or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from cmx_bench.errors import CmxError, RecordsError
from cmx_bench.units import escaped


def folder_of_user(kind: Literal["cache", "state"]) -> Path:
    """Where this user's programs keep what can be made again, or what they know between runs.

    Raises:
        CmxError: the user has no home.
    """
    import platformdirs  # not needed where nothing is kept

    try:
        of_kind = {"cache": platformdirs.user_cache_path, "state": platformdirs.user_state_path}
        folder = of_kind[kind]("cmx-bench", appauthor=False)
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute():
        raise CmxError(f"this user has no home; set HOME, or XDG_{kind.upper()}_HOME, to a folder "
                       f"that can be written")  # fmt: skip
    return folder


@contextmanager
def reading(path: Path, refuse: type[CmxError]) -> Iterator[None]:
    """Says of a file that is read inside the context why it cannot be.

    Raises:
        refuse: it cannot.
    """
    try:
        yield
    except OSError as error:
        raise refuse(f"{path}: cannot be read: {error.strerror}") from error


def text_of(path: Path, refuse: type[CmxError]) -> str:
    """The text of a file in UTF-8, whose byte order mark is left out; every line ends with `\\n`.

    Raises:
        refuse: it cannot be read, or is no UTF-8; the text names the file, and the line.
    """
    try:
        with reading(path, refuse):
            return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = error.object.count(b"\n", 0, error.start) + 1, error.object[error.start]
        raise refuse(
            f"{path}:{line}: the byte 0x{byte:02x} is not UTF-8; save the file as UTF-8"
        ) from error


_SURROGATES = re.compile("[\ud800-\udfff]+")


def json_of(value: object, indent: int | None = None) -> str:
    """A line of JSON, or lines, that every reader takes: bytes of a file's name that are no UTF-8,
    and other halves of characters, are text in it (`units.escaped`).

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, indent=indent)
    return _SURROGATES.sub(lambda found: json.dumps(escaped(found[0]))[1:-1], text) + "\n"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Says of a file or a folder that is written inside the context why it cannot be.

    Raises:
        RecordsError: it cannot.
    """
    try:
        yield
    except OSError as error:
        raise RecordsError(f"{path}: cannot be written: {error.strerror}") from error


@contextmanager
def replacing(path: Path, writer: str = "") -> Iterator[Path]:
    """A draft to write, which takes the file's place at the end; where that fails, it is removed.

    Args:
        writer: tells processes apart that may write the same file.
    """
    draft = path.with_name(f"{path.name}{writer}.part")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write(path: Path, content: str | bytes) -> None:
    """Replaces the content of a file; text is written as UTF-8.

    Raises:
        RecordsError: it cannot be written.
    """
    with writing(path), replacing(path) as draft:
        draft.write_bytes(
            content if isinstance(content, bytes) else content.encode(errors="backslashreplace")
        )
