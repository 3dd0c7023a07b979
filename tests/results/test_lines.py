"""Lines that were written by half, wherever a kill left them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cmx_bench.results import lines, records

from ..conftest import append_record
from .test_records import PLANNED, RECORD


def test_whole_lines_have_no_ends_and_no_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\n{"b": 2}\r{"c": 3}\n{"d":')
    assert list(lines.whole(file)) == [(1, b'{"a": 1}'), (3, b'{"b": 2}'), (4, b'{"c": 3}')]


def test_a_line_feed_may_be_the_first_byte_that_is_read(tmp_path: Path) -> None:
    """The end of a file is read 4 KiB at a time, and the line before is long too."""
    file = tmp_path / "x"
    file.write_bytes(b"a\n" + b"b" * 4998 + b"\n" + b"c" * 4095)
    with file.open("rb") as opened:
        assert lines.read_unended(opened) == b"c" * 4095


def test_a_record_written_by_half_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    for end in ("", "\n", "\r\n", " "):
        file.write_text(f'{{"cell": "a"}}{end}')
        assert not lines.ends_in_half(file)
    file.write_text('{"cell": "a"}\n{"cell": "a')
    assert lines.ends_in_half(file)


def test_a_kill_in_the_first_record(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_text('{"cell": "a')
    assert records.read(tmp_path) == []
    append_record(tmp_path, RECORD)
    assert records.read(tmp_path) == [RECORD]


@pytest.mark.parametrize("length", [4094, 4095, 4096, 4097, 8191, 8192, 8193, 10_000])
def test_an_unfinished_line_is_cut_off_wherever_it_begins(tmp_path: Path, length: int) -> None:
    """The end of a file is read 4 KiB at a time."""
    append_record(tmp_path, RECORD)
    with (tmp_path / "records.jsonl").open("a") as file:
        file.write("x" * length)
    again = replace(RECORD, replicate=1)
    append_record(tmp_path, again)
    assert records.read(tmp_path) == [RECORD, again]


@pytest.mark.parametrize("length", [4000, 8000, 12_000])
def test_a_long_last_record_that_lacks_its_line_feed_counts(tmp_path: Path, length: int) -> None:
    long = replace(PLANNED, status="failed", values={}, reason="y" * length)
    append_record(tmp_path, long)
    path = tmp_path / "records.jsonl"
    path.write_bytes(path.read_bytes().rstrip())
    append_record(tmp_path, replace(PLANNED, replicate=1))
    assert records.read(tmp_path) == [long, replace(PLANNED, replicate=1)]


def test_the_place_of_a_value_is_its_line(tmp_path: Path) -> None:
    """And what is not there is missing in what is."""
    path = tmp_path / "run.json"
    path.write_text('{\n "a": [\n  1,\n  {"b": 2}\n ]\n}')
    locations = [("a", 0), ("a", 1, "b"), ("a", 1, "c"), ("a", 2), ("d", "e"), ()]
    places = [lines.place_of(path, location) for location in locations]
    assert places == [":3", ":4", ":4", ":2", ":1", ":1"]


@pytest.mark.parametrize(
    "text", ["", "{]", "[" * 9000, '{"a": 1, "a": 2}', '{"a": "' + "x" * 2**18 + '"}']
)
def test_what_cannot_be_located_has_no_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)
    assert lines.place_of(path, ("a",)) == ""
