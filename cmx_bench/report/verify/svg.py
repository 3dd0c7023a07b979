"""Drawings that another matplotlib made: left out of a page, where they are nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

_BEGIN, _END = '<figure id="', "</svg>"
# What a drawing is made of. No attribute runs anything or leads elsewhere.
_TAG = re.compile(
    r"</?(?:svg|g|path|use|text|tspan|title|defs|clipPath|rect|style)"
    r'(?:\s+(?!on|[\w:-]*href="[^#])[\w:-]+="[^"<>]*")*\s*/?>'
    r"|<\?xml [^<>]*\?>|<!DOCTYPE svg [^<>]*>"
)
_ANY_TAG = re.compile(r"<[^<>]*>?")
_SHEET = re.compile(r"<style[^<>]*>[^<]*(?:@|url)", re.IGNORECASE)


def without(page: str) -> str:
    """The page's text without the drawings of its figures, which stay where one of them is odd."""
    parts, end = [], 0
    for begin, after in _places(page):
        if not oddity(page[begin:after]):
            parts.append(page[end:begin])
            end = after
    return "".join([*parts, page[end:]])


def _places(page: str) -> Iterator[tuple[int, int]]:
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
