"""A comparison of runs written down as a page, as Markdown, LaTeX and CSV."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from markupsafe import Markup

from cmx_bench.report.findings.contrasts import contrasts
from cmx_bench.report.tables.side_by_side import Comparison
from cmx_bench.results import records
from cmx_bench.units import plain

Renderer: TypeAlias = Callable[[Comparison], str]


def _html(found: Comparison) -> str:
    from cmx_bench.report import page  # jinja2 is slow to import
    from cmx_bench.report.verify import embedded

    seen = contrasts(found.sides)
    return page.template("comparison.html.j2").render(
        title=plain(found.title),
        findings=page.linked(seen, found.tables),
        note=seen.note,
        facts=found.facts,
        tables=found.tables,
        data=[Markup(embedded.pack(side.report, str(side.path))) for side in found.sides],
    )


def _markdown(found: Comparison) -> str:
    from cmx_bench.report import markdown

    above = [markdown.findings_of(contrasts(found.sides)), markdown.facts_of(found.facts)]
    return markdown.document(found.title, [*above, *map(markdown.table_of, found.tables)])


def _latex(found: Comparison) -> str:
    from cmx_bench.report import latex

    return latex.document(found.title, found.facts, found.tables)


def _csv(found: Comparison) -> str:
    from cmx_bench.report import tidy

    return tidy.side_by_side({side.label: side.report for side in found.sides})


PAGE = "comparison.html"
RENDERERS: dict[str, Renderer] = {"html": _html, "md": _markdown, "latex": _latex, "csv": _csv}


def save(found: Comparison, folder: Path | None) -> Path:
    """Writes a comparison into a folder, or one named by what is in its runs; gives the page.

    Raises:
        RecordsError: the folder cannot be made or written.
    """
    folder = folder or _folder(found)
    records.write_rendered(folder, ("tables",), files(found))
    return folder / PAGE


def files(found: Comparison) -> dict[str, str | bytes]:
    """Everything that is written, by its path in the folder."""
    from cmx_bench.report import latex, tidy

    return {
        "comparison.md": _markdown(found),
        "comparison.csv": _csv(found),
        **{f"tables/{table.key}.csv": tidy.table(table) for table in found.tables},
        **{f"tables/{table.key}.tex": latex.table(table) for table in found.tables},
        PAGE: _html(found),
    }


def content_hash(found: Comparison) -> str:
    """SHA-256 of the content hashes of its runs, in their order."""
    reports = [side.report for side in found.sides]
    hashes = "".join(records.content_hash(one.run, one.records) for one in reports)
    return hashlib.sha256(hashes.encode()).hexdigest()


def _folder(found: Comparison) -> Path:
    """Beside the suite's runs, the same for the same runs."""
    name = f"comparison-{content_hash(found)[:12]}"
    return Path("reports") / found.sides[0].report.run.suite / name
