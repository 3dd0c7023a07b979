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
    (tmp_path / "file").touch()
    refused = pytest.raises(RecordsError, match=r"/file: cannot be written: it is no folder$")
    with refused, disk.writing(tmp_path / "file"):
        (tmp_path / "file").mkdir(exist_ok=True)


def test_a_folder_that_cannot_be_there_is_refused_and_none_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    disk.refuse_unwritable(tmp_path / "new" / "folder")
    assert not (tmp_path / "new").exists()
    for name, reason in (
        ("file", "it is no folder"), ("file/new", "it is no folder"), ("/proc/new", "No such file"),
    ):  # fmt: skip
        with pytest.raises(RecordsError, match=f"{name}: cannot be written: {reason}"):
            disk.refuse_unwritable(tmp_path / name)


def test_json_that_every_reader_takes() -> None:
    name = os.fsdecode(b"\\caf\xe9")
    value = {name: ["ü😀", "\x1b\x9b", "\ud800"]}
    text = disk.json_of(value)
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
    with disk.replacing(path) as draft, disk.replacing(path) as other:
        draft.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"  # it ended last


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what somebody may put into it, beside a file that is none of its business."""
    (tmp_path / "secret").write_text("mine")
    folder = tmp_path / "run"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").write_text("text")
    (folder / "link").symlink_to("../secret")
    (folder / "nowhere").symlink_to("gone")
    (folder / "rooms").symlink_to("..", target_is_directory=True)
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize("name", ["new", "inner/file", "inner/new", "new/file", "inner", "."])
def test_a_path_inside(folder: Path, name: str) -> None:
    assert disk.within(folder, name) == folder / name
    linked = folder.with_name("linked")
    linked.symlink_to(folder)
    assert disk.within(linked, name) == linked / name  # who gives the folder may give a link


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("link", "link: is a link"),
        ("nowhere", "nowhere: is a link"),
        ("rooms/new", "rooms: is a link"),
        ("inner/../../secret", "leads out of"),
        ("/etc/passwd", "/etc/passwd: leads out of"),
        ("pipe", "pipe: is neither a file nor a folder"),
        ("\0", r"\\x00: cannot be read: .*null (byte|character)"),
        ("x" * 300, "cannot be read: File name too long"),
    ],
)
def test_a_path_that_leads_elsewhere(folder: Path, name: str, message: str) -> None:
    with pytest.raises(RecordsError, match=message):
        disk.within(folder, name)


@pytest.mark.parametrize("name", ["pipe", "inner", "/dev/zero", "/dev/null"])
def test_what_has_no_end_is_not_read(folder: Path, name: str) -> None:
    kind = "a folder" if name == "inner" else "no regular file"
    with pytest.raises(SuiteError, match=f"cannot be read: it is {kind}"):
        disk.text_of(folder / name, SuiteError)


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(disk.LARGEST + 1)
    with pytest.raises(SuiteError, match="it has 268,435,457 bytes; expected 268,435,456 at most"):
        disk.bytes_of(path, SuiteError)


@pytest.mark.parametrize("name", ["link", "nowhere", "pipe", "inner"])
def test_nothing_is_appended_to_elsewhere(folder: Path, name: str) -> None:
    with pytest.raises(RecordsError, match="cannot be written: "), disk.writing(folder / name):
        disk.appending(folder / name)
    assert (folder.parent / "secret").read_text() == "mine" and not (folder / "gone").exists()


def test_what_is_appended_follows(tmp_path: Path) -> None:
    for text in (b"one\n", b"two\n"):
        with disk.appending(tmp_path / "file") as file:
            file.write(text)
    assert (tmp_path / "file").read_bytes() == b"one\ntwo\n"


def test_no_link_is_written_through(folder: Path) -> None:
    """Neither one in the file's place nor any at names that drafts have had."""
    for name in (".part", f".{os.getpid()}-00000000.part"):
        (folder / f"link{name}").symlink_to("../secret")
    disk.write(folder / "link", "new")
    assert (folder / "link").read_text() == "new" and not (folder / "link").is_symlink()
    assert (folder.parent / "secret").read_text() == "mine"


def test_a_new_file_has_the_rights_that_the_user_gives(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        disk.write(tmp_path / "file", "text")
    finally:
        os.umask(mask)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_drafts_of_processes_that_were_killed_go(tmp_path: Path) -> None:
    gone, here = 999_999_999, os.getpid()  # the first is above every process's number
    names = {number: f"file.{number}-0123abcd.part" for number in (gone, here)}
    for name in (*names.values(), "file.mine.part", "other.999999999-0123abcd.part"):
        (tmp_path / name).touch()
    disk.write(tmp_path / "file", "text")
    assert {path.name for path in tmp_path.iterdir()} == {
        "file", names[here], "file.mine.part", "other.999999999-0123abcd.part",
    }  # fmt: skip
