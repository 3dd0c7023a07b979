"""A verdict as files: for people, for CI systems, for charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from cmx_bench.gate.outputs import benchmark, junit, readable
from cmx_bench.gate.verdict import Verdict
from cmx_bench.present.content import Table
from cmx_bench.results.records import write_rendered

if TYPE_CHECKING:
    from cmx_bench.present.drawing import Drawing

# A verdict as text, with the drawings and the tables of a history where the form shows them.
Output: TypeAlias = "Callable[[Verdict, Sequence[Drawing], Sequence[Table]], str]"

OUTPUTS: Mapping[str, Output] = {
    "verdict.md": readable.in_markdown,
    "verdict.html": readable.in_html,
    "junit.xml": lambda verdict, *_: junit.render(verdict),
    "benchmark.json": lambda verdict, *_: benchmark.render(verdict),
}


def write(
    verdict: Verdict,
    folder: Path,
    drawings: Sequence[Drawing] = (),
    tables: Sequence[Table] = (),
) -> None:
    """Writes a verdict into a folder in every form of `OUTPUTS`.

    Args:
        drawings: the figures of the history; the page embeds them, verdict.md links them.
        tables: what the page and verdict.md show after the figures.

    Raises:
        RecordsError: the folder cannot be made or written.
    """
    files: dict[str, str | bytes] = {
        **{name: content for drawing in drawings for name, content in drawing.files.items()},
        **{name: output(verdict, drawings, tables) for name, output in OUTPUTS.items()},
    }
    write_rendered(folder, ("figures",) if drawings else (), files)
