"""A verdict as files: for people, for CI systems, for charts."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cmx_bench import units
from cmx_bench.gate.outputs import junit
from cmx_bench.gate.outputs.comparisons import TONES, table
from cmx_bench.gate.outputs.sentences import facts, headline, one_line, processes
from cmx_bench.gate.verdict import Comparison, Verdict
from cmx_bench.present import markdown
from cmx_bench.present.content import Table
from cmx_bench.results.runfolder import write_files

if TYPE_CHECKING:
    from cmx_bench.present.drawing import Drawing

# Longer tables are folded away; what failed must be seen, and stands first.
_LONG = 100


def in_markdown(
    verdict: Verdict,
    drawings: Sequence[Drawing] = (),
    past: Sequence[Drawing] = (),
    tables: Sequence[Table] = (),
) -> str:
    """The verdict as GitHub-flavoured Markdown; figures are linked as `figures/NAME.svg`.

    Args:
        drawings: its own figures.
        past: the figures of the history.
        tables: what follows these.
    """
    blocks = [
        markdown.add_tone(f"**{markdown.escape(headline(verdict))}**", TONES[verdict.state]),
        markdown.facts_list(facts(verdict)),
        markdown.table(table(verdict), _LONG),
        *(markdown.figure(drawing.plot) for drawing in (*drawings, *past)),
        *map(markdown.table, tables),
    ]
    return markdown.document(one_line(verdict.title), blocks)


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


def for_charts(verdict: Verdict) -> str:
    """Head's value in base units of each sampled metric for which more is better, each once, as
    github-action-benchmark reads it (customBiggerIsBetter)."""
    entries: dict[object, dict[str, object]] = {}
    for comparison in verdict.comparisons:
        metric = comparison.metric
        if metric.better == "higher" and not metric.exact and comparison.head is not None:
            entry = _entry(comparison)
            entries.setdefault(entry["name"], entry)
    return json.dumps(list(entries.values()), indent=1, allow_nan=False) + "\n"


def _entry(comparison: Comparison) -> dict[str, object]:
    about = f"n = {processes(comparison)[1]}, {comparison.state} against {comparison.against}"
    entry: dict[str, object] = {
        "name": one_line(f"{comparison.model} {comparison.metric.name} {comparison.setting}"),
        "unit": comparison.metric.unit,
        "value": comparison.head,
        "extra": one_line(about),
    }
    if comparison.low is not None and comparison.high is not None and comparison.low > -1:
        half = math.sqrt((1 + comparison.high) / (1 + comparison.low)) - 1  # on its log scale
        entry["range"] = f"change ± {units.percent(half)}"
    return entry


# Each is given a verdict, its drawings, and the drawings and tables of a history.
OUTPUTS: Mapping[str, Callable[..., str]] = {
    "verdict.md": in_markdown,
    "verdict.html": in_html,
    "junit.xml": lambda verdict, *_: junit.render(verdict),
    "benchmark.json": lambda verdict, *_: for_charts(verdict),
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
    write_files(folder, files)
