"""verdict.md, which is also a job's summary: reads well on a code host."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cmx_bench.gate.outputs.comparisons import table
from cmx_bench.gate.outputs.sentences import facts, headline, one_line
from cmx_bench.gate.verdict import Verdict
from cmx_bench.present.content import Table
from cmx_bench.report.markdown import escaped, figure_of, table_of

if TYPE_CHECKING:
    from cmx_bench.present.drawing import Drawing

# Longer tables are folded away; what failed must be seen, and stands first.
_LONG = 100


def render(
    verdict: Verdict,
    drawings: Sequence[Drawing] = (),
    tables: Sequence[Table] = (),
    cut: int = 0,
) -> str:
    """The verdict as GitHub-flavoured Markdown; figures are linked as `figures/NAME.svg`.

    Args:
        drawings: the figures of the history.
        tables: what follows the figures.
        cut: how many of the last comparisons to leave out, and say so.
    """
    blocks = [
        f"# {escaped(one_line(verdict.title))}",
        f"**{escaped(headline(verdict))}**",
        "\n".join(f"- **{escaped(fact.term)}:** {escaped(fact.text)}" for fact in facts(verdict)),
        table_of(_shortened(table(verdict), cut), _LONG),
        *(figure_of(drawing.plot) for drawing in drawings),
        *(table_of(one) for one in tables),
    ]
    return "\n\n".join(blocks) + "\n"


def _shortened(whole: Table, cut: int) -> Table:
    if not cut:
        return whole
    remark = f"{cut} more rows are left out here for want of room; verdict.md has them all."
    return dataclasses.replace(
        whole, rows=whole.rows[: len(whole.rows) - cut], remarks=(remark, *whole.remarks)
    )
