"""What a terminal shows at the end of a run: what the run is about, in few columns."""

from __future__ import annotations

from cmx_bench.present import terminal
from cmx_bench.present.content import Column, Entry, Table, in_order
from cmx_bench.present.terminal import Grid
from cmx_bench.report import headline, tables
from cmx_bench.report.findings import findings
from cmx_bench.report.tables import fairness, fidelity, judgements, table_one
from cmx_bench.results.nouns import Report

# A terminal has room for these; the page beside it has the others.
_COLUMNS = ("network", "params", "macs", "throughput", "memory", "top1", "top1_paper",
            "train_throughput", "train_memory", "latency_p50", "load_time", "compile_time",
            "claim", "setting", "verdict", "best", "best_setting",
            "first", "second", "ahead_by", "ahead_in", "behind_by", "behind_in")  # fmt: skip


def overview(report: Report, width: int) -> str:
    """What was found, on which images, Table 1 of each setting, the claims and fairness for a
    terminal of `width` columns; in place of Table 1 all metrics, where none of its sampled ones was
    measured."""
    sampled = {metric.name for metric in report.metrics() if not metric.exact}
    main = (
        [tables.metrics(report)]
        if sampled and not sampled & {"throughput", "peak_memory", "top1"}
        else table_one.tables(report)
    )
    shown = [*main, judgements.table(report), *fairness.tables(report)]
    found = findings(report, [*shown, fidelity.order(report)])
    opened = [f"{fact.term}: {fact.text}" for fact in headline.images(report)]
    lines = [*(f"{finding.topic}: {finding.text}" for finding in found.items), found.note, *opened]
    above = "".join(f"{terminal.wrapped(line, width)}\n" for line in lines if line)
    return "\n".join([above, *(text(table, width) for table in shown if table.rows)])


def text(table: Table, width: int) -> str:
    """The main columns of a table that say something, and their footnotes."""
    places = [
        place
        for place, column in enumerate(table.columns)
        if column.key in _COLUMNS and not all(row[place].quiet for row in table.rows)
    ]
    columns = [table.columns[place] for place in places]
    rows = [[row[place] for place in places] for row in table.rows]
    cells = [list(map(_cell, columns, row)) for row in rows]
    notes = in_order(note for row in rows for entry in row for note in entry.notes)
    grid = Grid(columns, cells, ("network", "throughput"), table.title)
    return terminal.text([grid, *(f"{note.mark}  {note.text}" for note in notes)], width)


def _cell(column: Column, entry: Entry) -> str:
    figure = f"{entry.text} {entry.marks}".rstrip()
    return f"{figure} {entry.detail}".rstrip() if column.align == "right" else figure
