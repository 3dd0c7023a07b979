"""report.md: reads well on a code host, with the figures beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cmx_bench.present.content import Entry, Table
from cmx_bench.present.plot import Plot
from cmx_bench.report import headline
from cmx_bench.report.content import Content
from cmx_bench.report.findings import Findings
from cmx_bench.report.headline import Fact
from cmx_bench.units import plain

# Longer tables are folded away.
_LONG = 30


def render(content: Content) -> str:
    """The report as GitHub-flavoured Markdown; figures are linked as `figures/NAME.svg`."""
    report = content.report
    origins = facts_of(headline.origins(report))
    blocks = [
        escaped(headline.status(report).text),
        findings_of(content.findings),
        facts_of(headline.warnings(report)),
        *(table_of(table) for table in content.first[:1]),
        "## Figures",
        *(figure_of(plot) for plot in content.plots.drawn),
        *(f"{escaped(sentence)}." for sentence in content.plots.omitted),
        *(table_of(table) for table in (*content.first[1:], *content.rest)),
        f"## How this was measured\n\n{folded(f'{len(report.records)} records', origins)}",
    ]
    return document(report.run.title, blocks)


def document(title: str, blocks: Iterable[str]) -> str:
    """Blocks of Markdown, but for empty ones, below a title."""
    return "\n\n".join([f"# {escaped(plain(title))}", *filter(None, blocks)]) + "\n"


def findings_of(found: Findings) -> str:
    """A list of findings, and below it how to read them."""
    items = "\n".join(f"- **{escaped(one.topic)}.** {escaped(one.text)}" for one in found.items)
    return f"{items}\n\n{escaped(found.note)}".rstrip()


def facts_of(facts: Iterable[Fact]) -> str:
    """A list of terms and what there is to say about each."""
    return "\n".join(f"- **{escaped(fact.term)}:** {escaped(fact.text)}" for fact in facts)


def folded(summary: str, body: str) -> str:
    """A body that is shown on demand."""
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


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
        body = folded(f"{len(table.rows)} rows", body)
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
