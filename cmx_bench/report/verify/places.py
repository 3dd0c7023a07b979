"""The places of a rendered file and what stands in each: what `verify` compares, by format."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import unescape

from cmx_bench.results import embedded


@dataclass(frozen=True, slots=True)
class Places:
    """`entries` are named: those of tables, and drawings; `lines` are all the others, in order.

    `markup` is the whole text but its drawings: what hides an entry differs in it alone.
    """

    markup: str
    entries: dict[str, str] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


_TABLE = re.compile(r'(<caption id="([^"]*)-caption">.*?<tbody>)(.*?)(?=</tbody>)', re.DOTALL)
_COLUMN = re.compile(r'<col data-column="([^"]*)">')
_ROW = re.compile("<tr[^>]*>")
_CELL = re.compile(r"<(t[hd])([^>]*)>(.*?)</\1>", re.DOTALL)
_HIDDEN = re.compile(r'(data-sort|title)="([^"]*)"')
_DRAWING = re.compile(r'(<figure id="([^"]*)">.*?)(<svg.*?</svg>)', re.DOTALL)
DRAWING = ", drawing"
_WORDS = {"title": "tooltip", "data-sort": "value to sort by"}


def of_page(text: str) -> Places:
    """report.html, without the data in it."""
    text = embedded.without(text)
    entries: dict[str, str] = {}
    for table in _TABLE.finditer(text):
        entries.update(_entries(table))
    for figure in _DRAWING.finditer(text):
        entries[f"figure {figure[2]}{DRAWING}"] = figure[3]
    markup = _DRAWING.sub(r"\1", text)
    return Places(markup, entries, tuple(_TABLE.sub(r"\1", markup).splitlines()))


def _entries(table: re.Match[str]) -> Iterator[tuple[str, str]]:
    """Each entry of a table of the page with what only shows on demand."""
    columns = _COLUMN.findall(table[1])
    for row, cells in enumerate(_ROW.split(table[3])[1:], 1):
        found = _CELL.findall(cells)
        label = _read(found[0][2]) if found else ""
        for place, (_, attributes, content) in enumerate(found):
            name = columns[place] if place < len(columns) else str(place + 1)
            where = f"table {table[2]}, row {row} ({label}), column {name}"
            yield where, _read(content)
            for kind, value in _HIDDEN.findall(attributes):
                yield f"{where}, {_WORDS[kind]}", unescape(value)


def _read(content: str) -> str:
    """What a reader sees of an entry, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", content)).split())


_SEPARATOR = re.compile(r"(?<!\\)\|")


def of_markdown(text: str) -> Places:
    """report.md."""
    entries, lines, title, columns, row = {}, [], "", [""], 0
    for line in text.splitlines():
        if not line.startswith("| "):
            lines.append(line)
            title, row = (line.lstrip("# "), 0) if line.startswith("#") else (title, row)
            continue
        cells = [cell.strip() for cell in _SEPARATOR.split(line)[1:-1]]
        columns = cells if not row else columns
        for place, cell in enumerate(cells):
            name = columns[place] if place < len(columns) else str(place + 1)
            entries[f"{title}, row {row - 1} ({cells[0]}), column {name}"] = cell
        row += 1
    return Places(text, entries, tuple(lines))


def of_csv(text: str) -> Places:
    """results.csv and the tables."""
    heading, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    entries = {"heading": ", ".join(heading)}
    for number, row in enumerate(rows, 1):
        for place, cell in enumerate(row):
            name = heading[place] if place < len(heading) else str(place + 1)
            entries[f"row {number} ({row[0]}), column {name}"] = cell
    return Places(text, entries)


def of_lines(text: str) -> Places:
    """Any other text."""
    return Places(text, lines=tuple(text.splitlines()))


PLACES: dict[str, Callable[[str], Places]] = {
    ".html": of_page,
    ".md": of_markdown,
    ".csv": of_csv,
    ".tex": of_lines,
    ".svg": of_lines,
}
