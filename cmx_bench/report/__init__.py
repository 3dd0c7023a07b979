"""Reports: a run's records rendered as a page, as Markdown, LaTeX, CSV and JSON.

Nothing here imports torch, and what is slow to import is imported by the format that needs it.
"""

from __future__ import annotations

from pathlib import Path

from cmx_bench.present import drawing
from cmx_bench.present.content import Site
from cmx_bench.present.drawing.theme import StyleName
from cmx_bench.report import exports
from cmx_bench.report.formats import Subject, files, html, stem
from cmx_bench.results import collector, runfolder, sheets
from cmx_bench.results.loading import read as read
from cmx_bench.results.nouns import Report


def save(subject: Subject, folder: Path, copies: StyleName | None = None) -> Path:
    """Writes a run, or runs side by side, in every format; gives the path of the page.

    Args:
        copies: the style of copies of the figures as PNG and PDF; without it there are none.

    Raises:
        RecordsError: the folder cannot be made or written.
    """
    with collector.pausing():
        rendered = files(subject, drawing.copies_in(copies))
    runfolder.write_files(folder, rendered)
    return folder / f"{stem(subject)}.html"


def files_of_site(run: Report, home: str) -> dict[str, str | bytes]:
    """A run's page in a site of many runs, and the files for programs next to it, by name.

    Args:
        home: leads from the page to the site's folder: `../../`.
    """
    with collector.pausing():
        written: dict[str, str | bytes] = {
            "results.csv": exports.results(run),
            "samples.csv.gz": sheets.pack(run.samples),
            "report.json": exports.json_of(run),
        }
        page = html(run, Site(home, run.run.suite, tuple(written)))
    return {**written, "report.html": page}
