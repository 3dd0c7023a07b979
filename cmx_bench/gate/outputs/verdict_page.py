"""verdict.html: one file that needs no network and no script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cmx_bench.gate.outputs.comparisons import table
from cmx_bench.gate.outputs.sentences import facts, headline, one_line
from cmx_bench.gate.verdict import Verdict
from cmx_bench.present.content import Fact, Table
from cmx_bench.report import page

if TYPE_CHECKING:
    from cmx_bench.present.drawing import Drawing


def render(verdict: Verdict, drawings: Sequence[Drawing] = (), tables: Sequence[Table] = ()) -> str:
    """The whole page, with the figures of the history and what follows them."""
    decided = Fact("Verdict", headline(verdict), warning=verdict.state != "PASS")
    return page.template("verdict.html.j2").render(
        title=one_line(verdict.title),
        facts=[decided, *facts(verdict)],
        comparisons=table(verdict),
        drawings=page.inlined(drawings),
        tables=tables,
    )
