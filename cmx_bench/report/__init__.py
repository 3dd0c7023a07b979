"""Reports: a run's records rendered as a page, as Markdown, LaTeX, CSV and JSON.

Nothing here imports torch, and what is slow to import is imported by the renderer that needs it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from cmx_bench.report.nouns import Report
from cmx_bench.report.summary import summarise
from cmx_bench.results import agreement, records

Renderer: TypeAlias = Callable[[Report], str]


def _html(report: Report) -> str:
    from cmx_bench.present import drawing
    from cmx_bench.report import page
    from cmx_bench.report.content import content

    shown = content(report)
    return page.render(shown, drawing.draw(shown.plots.drawn))


def _markdown(report: Report) -> str:
    from cmx_bench.report import markdown
    from cmx_bench.report.content import content

    return markdown.render(content(report))


def _latex(report: Report) -> str:
    from cmx_bench.report import latex
    from cmx_bench.report.content import content

    return latex.render(content(report))


def _csv(report: Report) -> str:
    from cmx_bench.report import tidy

    return tidy.render(report)


def _json(report: Report) -> str:
    from cmx_bench.report import data

    return data.render(report)


RENDERERS: dict[str, Renderer] = {
    "html": _html,
    "md": _markdown,
    "latex": _latex,
    "csv": _csv,
    "json": _json,
}
# Where a file's name does not end in the name of its format.
SUFFIXES: dict[str, str] = {"tex": "latex"}


def read(folder: Path) -> Report:
    """What a run's folder has to say, or the raw samples inside its page.

    Raises:
        RecordsError: the folder is no run, or cannot be read.
    """
    if folder.is_file():
        from cmx_bench.report.verify import embedded

        return embedded.read(folder).report
    made = summarise(records.read_run(folder), records.read(folder), records.unfinished(folder))
    voters = [(model, key) for model, key, metric in made.results if metric == "top1"]
    votes = agreement.read(folder, voters)
    return replace(made, votes=votes, thumbnails=agreement.thumbnails(folder))


def render(folder: Path, format: str) -> str:
    """A run's folder as text in one of the formats of `RENDERERS`.

    Raises:
        RecordsError: the folder is no run, or cannot be read.
    """
    return RENDERERS[format](read(folder))


def write(folder: Path, copies: bool = False) -> Path:
    """Renders a run into its own folder in every format; gives the path of report.html.

    Args:
        copies: also figures in every format that there is.

    Raises:
        RecordsError: the folder is no run, or cannot be read or written.
    """
    return save(read(folder), folder, copies)


def save(report: Report, folder: Path, copies: bool = False) -> Path:
    """Writes a report in every format; gives the path of report.html.

    Args:
        copies: also figures in every format that there is.

    Raises:
        RecordsError: the folder cannot be written.
    """
    with _collector_paused():
        from cmx_bench.present import drawing

        made = files(report, drawing.COPIES if copies else ())
    records.write_rendered(folder, ("tables", "figures"), made)
    return folder / "report.html"


def files(report: Report, copies: Collection[str] = ()) -> dict[str, str | bytes]:
    """Everything that is written, by its path in the folder. Tables and figures are made once.

    Args:
        copies: formats of `figures.COPIES`.
    """
    from cmx_bench.present import drawing
    from cmx_bench.report import latex, markdown, page, tidy
    from cmx_bench.report.content import content

    shown = content(report)
    drawings = drawing.draw(shown.plots.drawn, copies)
    made = (*shown.first, *shown.rest)
    return {
        "report.md": markdown.render(shown),
        "results.csv": tidy.render(report),
        **{f"tables/{table.key}.csv": tidy.table(table) for table in made},
        **{f"tables/{table.key}.tex": latex.table(table) for table in made},
        **{name: content for one in drawings for name, content in one.files.items()},
        # Last, so that a page that is there has everything beside it.
        "report.html": page.render(shown, drawings),
    }


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Importing and drawing make many objects and little garbage: the search took 0.4 of 4 s."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def overview(report: Report, width: int) -> str:
    """What was found, Table 1 of each setting, the claims and fairness for a terminal of `width`
    columns; in place of Table 1 all metrics, where none of its sampled ones was measured."""
    from cmx_bench.report import tables, terminal
    from cmx_bench.report.findings import findings
    from cmx_bench.report.tables import fairness, fidelity, judgements, table_one

    sampled = {metric.name for metric in report.metrics() if not metric.exact}
    main = (
        [tables.metrics(report)]
        if sampled and not sampled & {"throughput", "peak_memory", "top1"}
        else table_one.tables(report)
    )
    shown = [*main, judgements.table(report), *fairness.tables(report)]
    found = findings(report, [*shown, fidelity.order(report)])
    lines = [*(f"{one.topic}: {one.text}" for one in found.items), found.note]
    above = "".join(f"{terminal.wrapped(line, width)}\n" for line in lines if line)
    return "\n".join([above, *(terminal.text(table, width) for table in shown if table.rows)])
