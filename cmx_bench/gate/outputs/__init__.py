"""A verdict as files: for people, for CI systems, for charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cmx_bench.gate.outputs import benchmark, junit, readable
from cmx_bench.gate.verdict import Verdict
from cmx_bench.present.content import Table
from cmx_bench.results.runfolder import write_rendered

if TYPE_CHECKING:
    from cmx_bench.present.drawing import Drawing


# Each is given a verdict, its drawings, and the drawings and tables of a history.
OUTPUTS: Mapping[str, Callable[..., str]] = {
    "verdict.md": readable.in_markdown,
    "verdict.html": readable.in_html,
    "junit.xml": lambda verdict, *_: junit.render(verdict),
    "benchmark.json": lambda verdict, *_: benchmark.render(verdict),
}


def write(
    verdict: Verdict,
    folder: Path,
    past: Sequence[Drawing] = (),
    tables: Sequence[Table] = (),
) -> None:
    """Writes a verdict into a folder in every form of `OUTPUTS`.

    Args:
        past: the figures of the history; the page embeds all figures, verdict.md links them.
        tables: what the page and verdict.md show after these.

    Raises:
        RecordsError: the folder cannot be made or written.
    """
    from cmx_bench.gate.outputs import intervals  # pandas is slow to import
    from cmx_bench.present import drawing

    drawings = drawing.draw(intervals.plots(verdict))
    files: dict[str, str | bytes] = {
        **{path: file for drawn in (*drawings, *past) for path, file in drawn.files.items()},
        **{name: output(verdict, drawings, past, tables) for name, output in OUTPUTS.items()},
    }
    write_rendered(folder, ("figures",) if drawings or past else (), files)
