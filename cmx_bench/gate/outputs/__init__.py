"""A verdict as files: for people, for CI systems, for charts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from cmx_bench.gate.verdict import Verdict
from cmx_bench.present.content import Table
from cmx_bench.results.records import write_rendered

if TYPE_CHECKING:
    from cmx_bench.present.drawing import Drawing

# A verdict as text, with the drawings and the tables of a history where the form shows them.
Output: TypeAlias = "Callable[[Verdict, Sequence[Drawing], Sequence[Table]], str]"


def _markdown(
    verdict: Verdict, drawings: Sequence[Drawing] = (), tables: Sequence[Table] = ()
) -> str:
    from cmx_bench.gate.outputs import job_summary

    return job_summary.render(verdict, drawings, tables)


def _html(verdict: Verdict, drawings: Sequence[Drawing] = (), tables: Sequence[Table] = ()) -> str:
    from cmx_bench.gate.outputs import verdict_page  # jinja2 is slow to import

    return verdict_page.render(verdict, drawings, tables)


def _junit(verdict: Verdict, *_: object) -> str:
    from cmx_bench.gate.outputs import junit

    return junit.render(verdict)


def _benchmark(verdict: Verdict, *_: object) -> str:
    from cmx_bench.gate.outputs import benchmark

    return benchmark.render(verdict)


OUTPUTS: dict[str, Output] = {
    "verdict.md": _markdown,
    "verdict.html": _html,
    "junit.xml": _junit,
    "benchmark.json": _benchmark,
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
        **{name: content for one in drawings for name, content in one.files.items()},
        **{name: output(verdict, drawings, tables) for name, output in OUTPUTS.items()},
    }
    write_rendered(folder, ("figures",) if drawings else (), files)
