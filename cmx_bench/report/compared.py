"""A comparison of runs written down as a page, as Markdown, LaTeX and CSV."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from cmx_bench import records
from cmx_bench.report.comparison import Comparison
from cmx_bench.report.table import plain

Renderer: TypeAlias = Callable[[Comparison], str]


def _html(found: Comparison) -> str:
    from cmx_bench.report import page  # jinja2 is slow to import

    made = page.template("comparison.html.j2")
    return made.render(title=plain(found.title), facts=found.facts, tables=found.tables)


def _markdown(found: Comparison) -> str:
    from cmx_bench.report import markdown

    return markdown.document(found.title, found.facts, map(markdown.table_of, found.tables))


def _latex(found: Comparison) -> str:
    from cmx_bench.report import latex

    return latex.document(found.title, found.facts, found.tables)


def _csv(found: Comparison) -> str:
    from cmx_bench.report import tidy

    return tidy.side_by_side({side.label: side.report for side in found.sides})


RENDERERS: dict[str, Renderer] = {"html": _html, "md": _markdown, "latex": _latex, "csv": _csv}


def save(found: Comparison, folder: Path | None) -> Path:
    """Writes a comparison into a folder, or one named by what is in its runs; gives the page.

    Raises:
        RecordsError: the folder cannot be made or written.
    """
    from cmx_bench.report import latex, tidy

    folder = folder or _folder(found)
    files: dict[str, str | bytes] = {
        "comparison.md": _markdown(found),
        "comparison.csv": _csv(found),
        **{f"tables/{table.key}.csv": tidy.table(table) for table in found.tables},
        **{f"tables/{table.key}.tex": latex.table(table) for table in found.tables},
        "comparison.html": _html(found),
    }
    records.write_rendered(folder, ("tables",), files)
    return folder / "comparison.html"


def _folder(found: Comparison) -> Path:
    """Beside the suite's runs, the same for the same runs."""
    reports = [side.report for side in found.sides]
    hashes = "".join(records.content_hash(one.run, one.records) for one in reports)
    digest = hashlib.sha256(hashes.encode()).hexdigest()
    return Path("reports") / reports[0].run.suite / f"comparison-{digest[:12]}"
