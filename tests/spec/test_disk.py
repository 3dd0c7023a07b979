"""Files as anybody wrote them are read, and replaced at once or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal

import pytest

from cmx_bench.errors import CmxError, RecordsError, SuiteError
from cmx_bench.spec import disk


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_text_whatever_wrote_it(tmp_path: Path, mark: str, end: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(f"{mark}one ü{end}two".encode())
    assert disk.text_of(path, SuiteError) == "one ü\ntwo"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_text_that_is_no_utf_8_is_named_with_its_line(tmp_path: Path, mark: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(mark + b"one\ntwo\ncaf\xe9\n")
    with pytest.raises(SuiteError) as error:
        disk.text_of(path, SuiteError)
    assert str(error.value) == f"{path}:3: the byte 0xe9 is not UTF-8; save the file as UTF-8"


def test_what_cannot_be_read_or_written_is_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"/none: cannot be read: No such file"):
        disk.text_of(tmp_path / "none", SuiteError)
    with pytest.raises(RecordsError, match=r"/none/file: cannot be written: No such file"):
        disk.write(tmp_path / "none" / "file", "text")


def test_json_that_every_reader_takes() -> None:
    name = os.fsdecode(b"\\caf\xe9")
    told = {name: ["ü😀", "\x1b\x9b", "\ud800"]}
    text = disk.json_of(told)
    text.encode()
    assert json.loads(text) == {r"\caf\xe9": ["ü😀", "\x1b\x9b", r"\ud800"]}
    assert text.endswith("]}\n") and text.count("\n") == 1
    with pytest.raises(ValueError, match="not JSON compliant"):
        disk.json_of(float("nan"))


@pytest.mark.parametrize("kind", ["cache", "state"])
def test_a_user_without_a_home(
    homeless: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: Literal["cache", "state"]
) -> None:
    variable = f"XDG_{kind.upper()}_HOME"
    with pytest.raises(CmxError, match=f"no home; set HOME, or {variable}, to a folder"):
        disk.folder_of_user(kind)
    monkeypatch.setenv(variable, str(tmp_path))
    assert disk.folder_of_user(kind) == tmp_path / "cmx-bench"
    monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert disk.folder_of_user(kind).is_relative_to(tmp_path)


@pytest.mark.parametrize("content", ["ü\n", b"\xff"])
def test_content_is_replaced(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "file"
    disk.write(path, "old")
    disk.write(path, content)
    assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_the_old_content_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "file"
    disk.write(path, "old")
    with pytest.raises(ValueError, match="half"), disk.replacing(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
        raise ValueError("half way")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_writers_have_drafts_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with disk.replacing(path, ".1") as one, disk.replacing(path, ".2") as other:
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"  # it ended last
