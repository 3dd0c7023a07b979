"""Tables as plain data: what an entry reads as, the order of notes, groups of columns."""

from __future__ import annotations

import pytest

from cmx_bench.present import content
from cmx_bench.present.content import DISTURBED, Column, Entry, Note, Picture, Table


@pytest.mark.parametrize(
    ("entry", "flat"),
    [
        (Entry("51.6"), "51.6"),
        (Entry("51.6", "n = 5"), "51.6 (n = 5)"),
        (Entry("51.6", "n = 5", notes=(Note("a", "x"), Note("†C", "y"))), "51.6 a, †C (n = 5)"),
        (Entry("", pictures=(Picture("1.jpg", b"", "a cat"), Picture("2.jpg", b"", "a dog"))),
         "a cat; a dog"),
    ],
)  # fmt: skip
def test_what_can_be_read_on_one_line(entry: Entry, flat: str) -> None:
    assert entry.flat == flat


def test_an_entry_is_disturbed_by_its_mark_alone() -> None:
    assert Entry("1", notes=(Note("a", "x"), Note(DISTURBED, "y"))).disturbed
    assert not Entry("1", notes=(Note("a", "x"),)).disturbed


def test_notes_stand_once_letters_as_they_are_counted_and_then_signs() -> None:
    marks = ("‡", "aa", "b", "a", "z", "†C", "b")
    notes = [Note(mark, mark) for mark in marks]
    assert [note.mark for note in content.in_order(notes)] == ["a", "b", "z", "aa", "†C", "‡"]
    rows = tuple((Entry("1", notes=(note,)),) for note in notes)
    assert Table("t", "T", (Column("a", "A"),), rows).notes == content.in_order(notes)


@pytest.mark.parametrize("entries", [(), (Entry("1"),), (Entry("1"), Entry("2"), Entry("3"))])
def test_a_row_has_an_entry_for_each_column(entries: tuple[Entry, ...]) -> None:
    columns, whole = (Column("a", "A"), Column("b", "B")), (Entry("1"), Entry("2"))
    assert Table("t", "T", columns, (whole,)).rows == (whole,)
    with pytest.raises(ValueError, match=rf"t: row 2 has {len(entries)} entries, .* 2 columns"):
        Table("t", "T", columns, (whole, entries))


def test_neighbours_of_a_group_are_one_and_columns_without_one_stand_alone() -> None:
    groups = ("a", "a", "", "", "b", "a")
    columns = [Column(str(place), "H", group=group) for place, group in enumerate(groups)]
    assert list(content.group_columns(columns)) == [("a", 2), ("", 1), ("", 1), ("b", 1), ("a", 1)]
    assert list(content.group_columns([])) == []


def test_a_heading_has_its_group_where_there_is_one_line_of_headings() -> None:
    assert Column("a", "paper", group="Top-1").full_heading == "Top-1: paper"
    assert Column("a", "paper").full_heading == "paper"
