"""Files written at once or not at all: a reader sees the old content or the new, never half."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    """Replaces the content of a file; text is written as UTF-8."""
    with replacing(path) as draft:
        draft.write_bytes(content if isinstance(content, bytes) else content.encode())
