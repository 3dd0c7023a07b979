"""A verdict for people: verdict.md, which is also a job's summary, and verdict.html."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cmx_bench import units
from cmx_bench.gate.outputs.comparisons import TONES, table
from cmx_bench.gate.outputs.sentences import facts, headline, one_line
from cmx_bench.gate.verdict import Verdict
from cmx_bench.present import markdown
from cmx_bench.present.content import Table

if TYPE_CHECKING:
    from cmx_bench.present.drawing import Drawing

# Longer tables are folded away; what failed must be seen, and stands first.
_LONG = 100


def in_markdown(
    verdict: Verdict,
    drawings: Sequence[Drawing] = (),
    past: Sequence[Drawing] = (),
    tables: Sequence[Table] = (),
    cut: int = 0,
) -> str:
    """The verdict as GitHub-flavoured Markdown; figures are linked as `figures/NAME.svg`.

    Args:
        drawings: its own figures.
        past: the figures of the history.
        tables: what follows these.
        cut: how many of the last comparisons to leave out, and say so.
    """
    blocks = [
        markdown.add_tone(f"**{markdown.escape(headline(verdict))}**", TONES[verdict.state]),
        markdown.facts_list(facts(verdict)),
        markdown.table(_shorten(table(verdict), cut), _LONG),
        *(markdown.figure(drawing.plot) for drawing in (*drawings, *past)),
        *map(markdown.table, tables),
    ]
    return markdown.document(one_line(verdict.title), blocks)


def _shorten(whole: Table, cut: int) -> Table:
    if not cut:
        return whole
    more = units.tally(cut, "more row")
    remark = f"There is no room for {more} here; verdict.md has every row."
    rows = whole.rows[: len(whole.rows) - cut]
    return replace(whole, rows=rows, remarks=(remark, *whole.remarks))


def in_html(
    verdict: Verdict,
    drawings: Sequence[Drawing] = (),
    past: Sequence[Drawing] = (),
    tables: Sequence[Table] = (),
) -> str:
    """The verdict as a page: one file that needs no network and no script. Figures and tables as
    for `in_markdown`."""
    from cmx_bench.present import page  # jinja2 is slow to import

    return page.template("cmx_bench.gate", "verdict.html.j2").render(
        title=one_line(verdict.title),
        headline=headline(verdict),
        tone=TONES[verdict.state],
        facts=facts(verdict),
        comparisons=table(verdict),
        drawings=page.inline(drawings),
        past=page.inline(past),
        tables=tables,
    )
