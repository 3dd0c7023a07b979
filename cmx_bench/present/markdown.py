"""Markdown for GitHub: tables and figures in a document that also reads well as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from cmx_bench.present.content import Entry, Fact, Findings, Table, Tone
from cmx_bench.present.drawing import Plot
from cmx_bench.units import plain, tally

# Longer tables are folded away.
_LONG = 30


def document(title: str, blocks: Iterable[str]) -> str:
    """The blocks of Markdown that are not empty, below a title."""
    return "\n\n".join([f"# {escape(title)}", *filter(None, blocks)]) + "\n"


def findings_list(findings: Findings) -> str:
    """A list of findings, and below it how to read them."""
    items = "\n".join(
        f"- **{escape(finding.topic)}.** {escape(finding.text)}" for finding in findings.items
    )
    return f"{items}\n\n{escape(findings.note)}".strip()


# GitHub shows these in colour, and no other text.
_SIGNS: Mapping[Tone, str] = {"good": "✅", "bad": "❌", "unsure": "⚠️"}


def add_tone(markup: str, tone: Tone) -> str:
    """Markdown with the sign of its tone before it."""
    return f"{_SIGNS[tone]} {markup}" if tone else markup


def facts_list(facts: Iterable[Fact]) -> str:
    """A list of terms and what there is to say about each."""
    return "\n".join(f"- **{escape(fact.term)}:** {escape(fact.text)}" for fact in facts)


def fold(summary: str, body: str) -> str:
    """A body that is shown on demand."""
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


def figure(plot: Plot) -> str:
    """A figure with its title and caption, linked as `figures/NAME.svg`."""
    title = f"### {escape(plot.title)}"
    return f"{title}\n\n![{_literal(plot.alt)}](figures/{plot.name}.svg)\n\n{escape(plot.caption)}"


def table(table: Table, longest: int = _LONG) -> str:
    """A table with its title, footnotes and remarks; folded away beyond `longest` rows."""
    notes = [f"<sup>{escape(note.mark)}</sup> {escape(note.text)}" for note in table.notes]
    rows = "\n".join(_lines(table)) if table.rows else escape(table.none)
    parts = [rows, "<br>\n".join(notes), *map(escape, table.remarks)]
    body = "\n\n".join(filter(None, parts))
    if table.folded or len(table.rows) > longest:
        body = fold(tally(len(table.rows), "row"), body)
    return f"## {escape(table.title)}\n\n{body}"


# Not by tabulate: it pads columns to a width that depends on whether wcwidth is installed.
def _lines(table: Table) -> Iterator[str]:
    yield _row(escape(column.full_heading) for column in table.columns)
    yield _row("--:" if column.align == "right" else ":--" for column in table.columns)
    yield from (_row(map(_entry, row)) for row in table.rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _entry(entry: Entry) -> str:
    text = "<br>".join(map(escape, entry.text.splitlines()))
    text = f"**{text}**" if entry.best else text
    text = f"[{text}]({entry.link})" if entry.link else text
    text = add_tone(text, entry.tone)
    pictures = (f"![{_literal(picture.title)}]({picture.file}) " for picture in entry.pictures)
    text = "".join(pictures) + text
    text += f" <sup>{escape(entry.marks)}</sup>" if entry.notes else ""
    return f"{text}<br><sub>{escape(entry.detail)}</sub>" if entry.detail else text


_MARKUP = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": " ", "\r": " "}
    | {character: f"\\{character}" for character in "\\`*_[]|~#$"}
)
# Within a mention, an issue's number, an address or an emoji. GitHub makes links of these after it
# has read the Markdown, so that no escape keeps it from doing so, but a comment within does.
_WITHIN = re.compile(
    r"(?<=@)(?=\w)|(?<=#)(?=\d)|(?<=\bgh-)(?=\d)|(?<=\bwww)(?=\.)"
    r"|(?<=:)(?=//|[a-z+-][\w+-]*:|100:)",
    re.IGNORECASE,
)
_BULLET = re.compile(r"(\d{1,9}(?=[.)])|)([-+.)])(?= |$)")  # of a list, where a paragraph begins


def escape(text: str) -> str:
    """`text` so that GitHub shows it as it is, on one line: no markup, no HTML, no links, no
    mentions, and no control characters."""
    whole = "<!-- -->".join(map(_literal, _WITHIN.split(text.strip())))
    bullet = _BULLET.match(whole)
    return whole if bullet is None else rf"{bullet[1]}\{whole[bullet.end(1) :]}"


def _literal(text: str) -> str:
    """The same without comments, which the alternative text of an image would show; within it
    nothing is made a link."""
    return plain(text.translate(_MARKUP))
