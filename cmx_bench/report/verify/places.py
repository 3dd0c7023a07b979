"""The places of a rendered file and what stands in each: what `verify` names, by format."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree, html
from lxml.html import HtmlElement


@dataclass(frozen=True, slots=True)
class Places:
    """`tables` are rows of texts by name, the first a heading; `lines` are all else, in order."""

    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    drawings: dict[str, str] = field(default_factory=dict)
    lines: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many there are in which something stands."""
        rows = (row for table in self.tables.values() for row in table)
        entries = sum(bool(text) for row in rows for text in row)
        return entries + len(self.drawings) + len(self.lines)


# Not by pandas, here and below: it refuses what somebody changed so that rows differ in length.
def of_csv(text: str) -> Places:
    """results.csv, the samples and the tables."""
    try:
        return Places({"": list(csv.reader(io.StringIO(text)))})
    except csv.Error:  # a field is too long
        return of_lines(text)


def of_lines(text: str) -> Places:
    """Any other text, of which a row of a table is a line too."""
    return Places(lines=tuple(text.splitlines()))


# What an entry of the page has besides its text, and how it is called.
_HIDDEN = {"title": "tooltip", "data-sort": "value to sort by"}


def of_page(text: str) -> Places:
    """A page without the data in it."""
    # Bytes, and a first tag: a text that names an encoding, or is empty, raises.
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True)
    page = html.document_fromstring(f"<!DOCTYPE html><html>{text}".encode(), parser)
    tables: dict[str, list[list[str]]] = {}
    for table in page.iterfind(".//table[caption]"):
        name = table.find("caption").get("id", "").removesuffix("-caption")
        tables[f"table {name}, "] = list(_rows(table))
    drawings = {}
    for figure, svg in list(_drawings(page)):
        drawings[figure.get("id", "").removeprefix("figure-")] = _text_of(svg)
        svg.clear()
    return Places(tables, drawings, tuple(_text_of(page).splitlines()))


def _drawings(page: HtmlElement) -> Iterator[tuple[HtmlElement, HtmlElement]]:
    """Each drawing in a figure, with its figure, in one walk: a path such as `.//figure//svg` takes
    minutes where figures are nested ten thousand deep, which libxml2 allows before 2.13."""
    figures: list[HtmlElement] = []
    walk = etree.iterwalk(page, events=("start", "end"), tag=("figure", "svg"))
    for event, element in walk:
        if element.tag == "figure" and event == "start":
            figures.append(element)
        elif element.tag == "figure":
            figures.pop()
        elif event == "start" and figures:
            yield figures[-1], element
            walk.skip_subtree()


def _text_of(element: HtmlElement) -> str:
    text: str = etree.tostring(element, encoding="unicode")
    return text


def _rows(table: HtmlElement) -> Iterator[list[str]]:
    """A table's rows, each entry followed by what only shows on demand; leaves its body empty."""
    names = [column.get("data-column", "") for column in table.iterfind("colgroup/col")]
    yield [text for name in names for text in (name, *(f"{name}, {a}" for a in _HIDDEN.values()))]
    for body in table.iterfind("tbody"):
        for row in body.iterchildren("tr"):
            yield [text for cell in row.iterchildren("th", "td") for text in _texts(cell)]
        body.clear(keep_tail=True)


def _texts(cell: HtmlElement) -> tuple[str, ...]:
    text = " ".join(" ".join(cell.itertext()).split())
    return text, *(cell.get(attribute, "") for attribute in _HIDDEN)


# --- drawings that another matplotlib made, left out where they are nothing else -----------------

_BEGIN, _END = '<figure id="', "</svg>"
# What a drawing is made of. No attribute runs anything or leads elsewhere.
_TAG = re.compile(
    r"</?(?:svg|g|path|use|text|tspan|title|defs|clipPath|rect|style)"
    r'(?:\s+(?!on|[\w:-]*href="[^#])[\w:-]+="[^"<>]*")*\s*/?>'
    r"|<\?xml [^<>]*\?>|<!DOCTYPE svg [^<>]*>"
)
_ANY_TAG = re.compile(r"<[^<>]*>?")
_SHEET = re.compile(r"<style[^<>]*>[^<]*(?:@|url)", re.IGNORECASE)


def without_drawings(page: str) -> str:
    """The page's text without the drawings of its figures, which stay where one of them is odd."""
    parts, end = [], 0
    for begin, after in _find_drawings(page):
        if not oddity(page[begin:after]):
            parts.append(page[end:begin])
            end = after
    return "".join([*parts, page[end:]])


def _find_drawings(page: str) -> Iterator[tuple[int, int]]:
    """Where the drawing of each figure begins and ends."""
    end = 0
    while (figure := page.find(_BEGIN, end)) >= 0:
        begin = page.find("<svg", figure)
        end = page.find(_END, begin) + len(_END)
        if begin < 0 or end < len(_END):
            return
        yield begin, end


def oddity(drawing: str) -> str:
    """The first tag in an SVG that is no part of a drawing; empty where there is none."""
    for tag in _ANY_TAG.finditer(drawing):
        if not _TAG.fullmatch(tag[0]):
            return tag[0]
    sheet = _SHEET.search(drawing)
    return "" if sheet is None else sheet[0]


PLACES: Mapping[str, Callable[[str], Places]] = {
    ".html": of_page,
    ".md": of_lines,
    ".csv": of_csv,
    ".gz": of_csv,
    ".tex": of_lines,
    ".svg": of_lines,
}
