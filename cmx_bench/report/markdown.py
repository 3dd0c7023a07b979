"""report.md: reads well on a code host, with the figures beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cmx_bench.present.content import Entry, Fact, Table
from cmx_bench.present.plot import Plot
from cmx_bench.report.content import Content
from cmx_bench.report.headline import facts
from cmx_bench.units import plain

# Longer tables are folded away.
_LONG = 30


def render(content: Content) -> str:
    """The report as GitHub-flavoured Markdown; figures are linked as `figures/NAME.svg`."""
    report = content.report
    blocks = [
        *(table_of(table) for table in content.first),
        "## Figures",
        *(figure_of(plot) for plot in content.plots.drawn),
        *(f"{escaped(sentence)}." for sentence in content.plots.omitted),
        *(table_of(table) for table in content.rest),
    ]
    return document(report.run.title, facts(report), blocks)


def document(title: str, facts: Iterable[Fact], blocks: Iterable[str]) -> str:
    """Blocks of Markdown below a title and facts."""
    listed = "\n".join(f"- **{escaped(fact.term)}:** {escaped(fact.text)}" for fact in facts)
    return "\n\n".join([f"# {escaped(plain(title))}", listed, *blocks]) + "\n"


def figure_of(plot: Plot) -> str:
    """A figure with its title and caption, linked as `figures/NAME.svg`."""
    title = f"### {escaped(plot.title)}"
    return f"{title}\n\n![{escaped(plot.alt)}](figures/{plot.name}.svg)\n\n{escaped(plot.caption)}"


def table_of(table: Table, longest: int = _LONG) -> str:
    """A table with its title, footnotes and remarks; folded away beyond `longest` rows."""
    lines = "\n".join(_lines(table))
    notes = [f"<sup>{escaped(note.mark)}</sup> {escaped(note.text)}" for note in table.notes]
    remarks = [escaped(remark) for remark in table.remarks]
    body = "\n\n".join(part for part in (lines, "<br>\n".join(notes), *remarks) if part)
    if table.folded or len(table.rows) > longest:
        body = f"<details>\n<summary>{len(table.rows)} rows</summary>\n\n{body}\n\n</details>"
    return f"## {escaped(table.title)}\n\n{body}"


def _lines(table: Table) -> Iterator[str]:
    yield _row([escaped(column.full_heading) for column in table.columns])
    yield _row(["--:" if column.align == "right" else ":--" for column in table.columns])
    for row in table.rows:
        yield _row([_entry(entry) for entry in row])


def _row(entries: list[str]) -> str:
    return f"| {' | '.join(entries)} |"


def _entry(entry: Entry) -> str:
    text = "<br>".join(escaped(line) for line in entry.text.splitlines())
    text = f"**{text}**" if entry.best else text
    text = "".join(f"![{escaped(one.title)}]({one.file}) " for one in entry.pictures) + text
    text += f" <sup>{escaped(entry.marks)}</sup>" if entry.notes else ""
    return f"{text}<br><sub>{escaped(entry.detail)}</sub>" if entry.detail else text


_MARKUP = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "\n": " ", "\r": " "}
    | {character: f"\\{character}" for character in "\\`*_[]|~#$"}
)


def escaped(text: str) -> str:
    """`text` so that GitHub shows it as it is: no markup, no HTML, no mentions, on one line."""
    return text.translate(_MARKUP)
