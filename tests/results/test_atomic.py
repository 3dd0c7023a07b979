"""A file is replaced at once or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmx_bench.results import atomic


@pytest.mark.parametrize("content", ["ü\n", b"\xff"])
def test_content_is_replaced(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "file"
    atomic.write(path, "old")
    atomic.write(path, content)
    assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_the_old_content_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic.write(path, "old")
    with pytest.raises(ValueError, match="half"), atomic.replacing(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
        raise ValueError("half way")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_writers_have_drafts_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic.replacing(path, ".1") as one, atomic.replacing(path, ".2") as other:
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"  # it ended last
