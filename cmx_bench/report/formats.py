"""What a run, or runs side by side, look like in each format, and all that is written of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from cmx_bench.present import drawing, latex, markdown
from cmx_bench.present.content import Fact, Findings, Site, Table
from cmx_bench.present.drawing import Drawing
from cmx_bench.report import exports, figures, headline
from cmx_bench.report.figures import Plots
from cmx_bench.report.findings import findings
from cmx_bench.report.findings.contrasts import contrasts
from cmx_bench.report.tables import tables
from cmx_bench.report.tables.side_by_side import Comparison
from cmx_bench.results import embedded, sheets
from cmx_bench.results.nouns import Report

Subject: TypeAlias = Report | Comparison


@dataclass(frozen=True, slots=True)
class Content:
    """What every readable format shows: made once, however many formats are written.

    The `status` is one line on where and how far the run came; `warnings` are always seen, the
    `origins` of the numbers on demand. Above the figures stands the first of the `first` tables,
    Table 1 of each setting, below them the `rest`. The figures themselves are `plots_of`.
    """

    title: str
    findings: Findings
    warnings: Sequence[Fact]
    first: Sequence[Table]
    rest: Sequence[Table]
    status: Fact | None = None
    origins: Sequence[Fact] = ()

    @property
    def tables(self) -> list[Table]:
        return [*self.first, *self.rest]


def content(subject: Subject) -> Content:
    if isinstance(subject, Comparison):
        return Content(subject.title, contrasts(subject.sides), subject.facts, (), subject.tables)
    every = _fold(tables(subject))
    first = [table for table in every if table.key.startswith("table1-")]
    return Content(
        subject.run.title,
        findings(subject, every),
        headline.warnings(subject),
        first,
        every[len(first) :],
        headline.status(subject),
        headline.origins(subject),
    )


def plots_of(subject: Subject) -> Plots:
    """The figures; of runs side by side there are none."""
    return Plots((), ()) if isinstance(subject, Comparison) else figures.plots(subject)


# Rows that stand open below each other; what comes after them is folded up.
_MOST_OPEN = 500


def _fold(tables: Sequence[Table]) -> list[Table]:
    """The tables, folded from where so many rows stand open that nobody finds the next table."""
    rows, folded = 0, []
    for table in tables:
        rows += 0 if table.folded else len(table.rows)
        is_far = rows > _MOST_OPEN and table is not tables[0]
        folded.append(replace(table, folded=True) if is_far else table)
    return folded


def _markdown(shown: Content, plots: Plots) -> str:
    omitted = [f"{markdown.escape(sentence)}." for sentence in plots.omitted]
    drawn = [*map(markdown.figure, plots.drawn), *omitted]
    above = [
        "" if shown.status is None else markdown.escape(shown.status.text),
        markdown.findings_list(shown.findings),
        markdown.facts_list(shown.warnings),
        *map(markdown.table, shown.first[:1]),
    ]
    below = [*map(markdown.table, (*shown.first[1:], *shown.rest))]
    if shown.origins:
        origins = markdown.fold(
            "Device, versions, command, hash", markdown.facts_list(shown.origins)
        )
        below.append(f"## How this was measured\n\n{origins}")
    middle = ["## Figures", *drawn] if drawn else []
    return markdown.document(shown.title, [*above, *middle, *below])


def _latex(subject: Subject) -> str:
    shown = content(subject)
    return latex.document(shown.title, [*shown.origins, *shown.warnings], shown.tables)


def _page(
    subject: Subject,
    shown: Content,
    drawings: Sequence[Drawing],
    omitted: Sequence[str],
    site: Site | None = None,
) -> str:
    from markupsafe import Markup

    from cmx_bench.present import page  # jinja2 is slow to import
    from cmx_bench.report import explorer

    points = ""
    if isinstance(subject, Comparison):
        data = [embedded.pack(side.report, str(side.path)) for side in subject.sides]
    else:
        data = [embedded.pack(subject)]
        rows = {
            table.key.removeprefix("table1-"): [row_id for row_id, _ in page.anchor(table)]
            for table in shown.first
        }
        points = explorer.block(subject, rows)
    own = ["report.js", "explorer.js"] if points else ["report.js"]
    return page.template(__package__, f"{stem(subject)}.html.j2").render(
        shown=shown,
        site=site,
        findings=page.link(shown.findings, shown.tables),
        drawings=page.inline(drawings),
        omitted=omitted,
        data=list(map(Markup, data)),
        explorer=Markup(points),
        licenses=page.licenses(),
        scripts=[*page.scripts(bool(points)), *(page.file(__package__, name) for name in own)],
    )


def html(subject: Subject, site: Site | None = None) -> str:
    """The page alone.

    Args:
        site: the one that the page is a part of.
    """
    plots = plots_of(subject)
    return _page(subject, content(subject), drawing.draw(plots.drawn), plots.omitted, site)


SIDE_BY_SIDE: Mapping[str, Callable[[Subject], str]] = {
    "html": html,
    "md": lambda subject: _markdown(content(subject), plots_of(subject)),
    "latex": _latex,
    "csv": exports.results,
}
RENDERERS: Mapping[str, Callable[[Report], str]] = {**SIDE_BY_SIDE, "json": exports.json_of}
# Where a file's name does not end in the name of its format.
SUFFIXES: Mapping[str, str] = {"tex": "latex"}


def files(subject: Subject, copies: Collection[str] = ()) -> dict[str, str | bytes]:
    """Everything that is written, by its path in the folder; the page stands last, so that where it
    is there, all that it goes with is there too.

    Args:
        copies: names of `drawing.COPIES`, as which figures are written besides SVG.
    """
    shown, plots, name = content(subject), plots_of(subject), stem(subject)
    drawings = drawing.draw(plots.drawn, copies)
    return {
        f"{name}.md": _markdown(shown, plots),
        f"{'results' if name == 'report' else name}.csv": exports.results(subject),
        **({"samples.csv.gz": sheets.pack(subject.samples)} if isinstance(subject, Report) else {}),
        **{f"tables/{table.key}.csv": exports.table(table) for table in shown.tables},
        **{f"tables/{table.key}.tex": latex.table(table) for table in shown.tables},
        **{path: file for drawn in drawings for path, file in drawn.files.items()},
        f"{name}.html": _page(subject, shown, drawings, plots.omitted),
    }


def stem(subject: Subject) -> str:
    """What the page and the Markdown of a subject are called, without what a name ends in."""
    return "comparison" if isinstance(subject, Comparison) else "report"


def folder(comparison: Comparison) -> Path:
    """Where runs side by side are written: the same folder for the same runs."""
    suite = comparison.sides[0].report.run.suite
    return Path("reports") / suite / f"comparison-{comparison.content_hash[:12]}"
