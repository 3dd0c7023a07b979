"""What a terminal shows at the end of a run: what the run is about, in few columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import compress

from rich.text import Text

from cmx_bench import units
from cmx_bench.present import terminal
from cmx_bench.present.content import Column, Entry, Table, in_order
from cmx_bench.present.terminal import Grid
from cmx_bench.report import entries, headline, tables
from cmx_bench.report.findings import findings
from cmx_bench.report.tables import fairness, fidelity, judgements, table_one
from cmx_bench.results.nouns import Report

# A terminal has room for these; the page beside it has the others.
_COLUMNS = ("network", "params", "macs", "throughput", "memory", "top1", "top1_paper",
            "train_throughput", "train_memory", "latency_p50", "load_time", "compile_time",
            "claim", "setting", "verdict", "best", "best_setting",
            "first", "second", "ahead_by", "ahead_in", "behind_by", "behind_in")  # fmt: skip
_MOST_ROWS = 50  # of Table 1 in all settings, of the claims, of what settings change
_LONGEST = 40  # label that stays on a line: a longer one leaves the figures no room
_IN_TABLE_ONE = {"params", "macs", "throughput", "peak_memory", "top1"}


def overview(report: Report, width: int, colours: bool = False) -> str:
    """What was found, on which images, Table 1 of each setting, the claims and fairness for a
    terminal of `width` columns, with or without colours; in place of Table 1 all metrics, where it
    has none of those that the run is about. Of long tables the first rows stand there."""
    metrics = report.metrics()
    sampled = {metric.name for metric in metrics if not metric.exact}
    about = sampled or {metric.name for metric in metrics}
    kinds = [
        entries.on(hardware, tables.metrics(report, hardware)) for hardware in report.run.kinds
    ]
    main = table_one.tables(report) if about & _IN_TABLE_ONE else kinds
    groups = main, [judgements.table(report)], list(fairness.tables(report))
    every = [table for group in groups for table in group]
    shown = [table for group in groups for table in _first(group)]
    found = findings(report, [*every, fidelity.order(report)])
    lines = [terminal.paragraph(finding.topic, finding.text, width) for finding in found.items]
    lines += [Text(terminal.wrap(found.note, width))] if found.note else []
    lines += [terminal.paragraph(fact.term, fact.text, width) for fact in headline.images(report)]
    parts = [terminal.text(lines, width, colours) if lines else ""]
    parts += [text(table, width, colours) for table in shown]
    if more := sum(len(table.rows) for table in every) - sum(len(table.rows) for table in shown):
        parts.append(f"The report has {units.tally(more, 'more row')} of these tables.\n")
    return "\n".join(parts)


def _first(tables: Iterable[Table]) -> Iterator[Table]:
    """The tables up to the last row that a terminal has room for; none without rows."""
    left = _MOST_ROWS
    for table in tables:
        if rows := table.rows[:left]:
            left -= len(rows)
            yield replace(table, rows=rows)


def text(table: Table, width: int, colours: bool = False) -> str:
    """The main columns of a table, or all where these are only its names, and their footnotes; but
    for columns in which nothing stands."""
    columns, rows = entries.fill(table.columns, table.rows)
    main = [column.key in _COLUMNS for column in columns]
    if sum(main) > table.naming:
        columns, rows = tuple(compress(columns, main)), [tuple(compress(row, main)) for row in rows]
    cells = [list(map(_cell, columns, row)) for row in rows]
    notes = in_order(note for row in rows for entry in row for note in entry.notes)
    longest = max((len(entry.text) for row in rows for entry in row[:1]), default=0)
    unbroken = ["throughput", *["network"] * (longest <= _LONGEST)]
    grid = Grid(columns, cells, unbroken)
    return terminal.text(
        [(table.title, "bold"), grid, *(f"{note.mark}  {note.text}" for note in notes)],
        width,
        colours,
    )


def _cell(column: Column, entry: Entry) -> terminal.Styled:
    figure = f"{entry.text} {entry.marks}".rstrip()
    text = f"{figure} {entry.detail}".rstrip() if column.align == "right" else figure
    style = "yellow" if entry.disturbed else "dim" if entry.quiet else "bold" * entry.best
    return text, style
