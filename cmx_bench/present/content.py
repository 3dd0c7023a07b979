"""The content of a document as plain data. HTML, Markdown, LaTeX and CSV only write it down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, TypeAlias, TypeVar

Align: TypeAlias = Literal["left", "right"]
# Whether what stands there is welcome. Formats that have colours show it by one, and all by a sign.
Tone: TypeAlias = Literal["", "good", "bad", "unsure"]
SIGNS: Mapping[Tone, str] = {"": "", "good": "✓", "bad": "✗", "unsure": "?"}


@dataclass(frozen=True, slots=True)
class Fact:
    """A term and what there is to say about it; a `warning` asks for the reader's attention."""

    term: str
    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """A footnote: its mark, as it stands beside the figure, and its text."""

    mark: str
    text: str


# The mark of what rests on disturbed processes, in tables, figures and sentences.
DISTURBED = "≈"


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `group` is a heading above several columns, `title` explains it in a sentence.

    Of a column with `choices` readers of a page may choose a text, to see its rows alone.
    """

    key: str
    heading: str
    align: Align = "left"
    title: str = ""
    group: str = ""
    choices: bool = False

    @property
    def full_heading(self) -> str:
        """The heading for formats that have one line of headings only."""
        return f"{self.group}: {self.heading}" if self.group else self.heading


@dataclass(frozen=True, slots=True)
class Picture:
    """A small JPEG; `file` is where it lies in the run's folder, `title` what it shows."""

    file: str
    jpeg: bytes
    title: str


@dataclass(frozen=True, slots=True)
class Origin:
    """The records that a value was made from: those of a cell, by its key, in base units.

    `run` is the number of the run that has them, where several stand side by side.
    """

    cell: str
    metric: str
    unit: str
    run: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands in one place of a table.

    `detail` is secondary text (a spread, a tag); `sort` the value in base units; `title` a
    tooltip; `quiet` marks text that stands for the absence of a figure, `best` the best figure of
    a column, which formats that can show it in bold. `pictures` stand before the text. `origin` is
    that of a measured value. `link` is the address of a page that has more, `tone` whether it is
    welcome. `keywords` are words by which a filter finds the row besides those that it shows.
    """

    text: str
    detail: str = ""
    sort: float | None = None
    title: str = ""
    notes: tuple[Note, ...] = ()
    quiet: bool = False
    best: bool = False
    pictures: tuple[Picture, ...] = ()
    origin: Origin | None = None
    link: str = ""
    tone: Tone = ""
    keywords: str = ""

    @property
    def marks(self) -> str:
        return ", ".join(note.mark for note in self.notes)

    @property
    def disturbed(self) -> bool:
        """Whether it is marked as resting on disturbed processes."""
        return any(note.mark == DISTURBED for note in self.notes)

    @property
    def flat(self) -> str:
        """All text of the entry, on one line."""
        named = "; ".join(picture.title for picture in self.pictures)
        text = " ".join(part for part in (named, self.text, self.marks) if part)
        return f"{text} ({self.detail})" if self.detail else text


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `remarks` are sentences below it; `folded` ones are shown on demand.

    The first `naming` columns say what a row is about, whatever it shows of it. `none` stands in
    place of a table without rows.

    Raises:
        ValueError: a row has not as many entries as there are columns.
    """

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    remarks: tuple[str, ...] = ()
    folded: bool = False
    naming: int = 1
    none: str = "None."

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, 1):
            if len(row) != len(self.columns):
                raise ValueError(f"{self.key}: row {number} has {len(row)} entries, and there are "
                                 f"{len(self.columns)} columns")  # fmt: skip

    def by_column(self) -> Iterator[dict[str, Entry]]:
        """The entries of each row by the keys of their columns."""
        keys = [column.key for column in self.columns]
        return (dict(zip(keys, row, strict=True)) for row in self.rows)

    @property
    def notes(self) -> tuple[Note, ...]:
        """The footnotes that the entries refer to, in the order of their marks."""
        return in_order(note for row in self.rows for entry in row for note in entry.notes)


_Item = TypeVar("_Item")
# A column with what it shows of an item.
Showing: TypeAlias = tuple[Column, Callable[[_Item], Entry]]


def tabulate(
    shown: Iterable[Showing[_Item]], items: Iterable[_Item]
) -> tuple[tuple[Column, ...], tuple[tuple[Entry, ...], ...]]:
    """The columns of a table, and a row for each item."""
    headings, shows = zip(*shown, strict=True)
    return headings, tuple(tuple(show(item) for show in shows) for item in items)


@dataclass(frozen=True, slots=True)
class Site:
    """The site of many runs that a page is a part of: `home` leads from the page to the site's
    folder and ends with a slash; `suite` is the one that the page is about; `files` lie beside the
    page, for other programs."""

    home: str
    suite: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about a topic, in a sentence or two.

    `table` is the key of the table that proves it, `row` the texts that name its row there.
    """

    topic: str
    text: str
    table: str
    row: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """Up to six findings, in the order in which they are read; `note` says how to read them."""

    items: tuple[Finding, ...]
    note: str = ""


def in_order(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Each note once: letters as they are counted (a to z, aa), then other marks."""
    return tuple(sorted(dict.fromkeys(notes), key=_place))


def _place(note: Note) -> tuple[bool, int, str]:
    letters = note.mark.isalpha()
    return not letters, len(note.mark) if letters else 0, note.mark


def group_columns(columns: Iterable[Column]) -> Iterator[tuple[str, int]]:
    """Runs of neighbouring columns with the same group heading, as (heading, columns)."""
    for group, run in groupby(columns, lambda column: column.group):
        count = len(list(run))
        yield from [(group, count)] if group else [("", 1)] * count
