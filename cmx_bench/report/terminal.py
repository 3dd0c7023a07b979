"""Tables for a terminal, or for plain lines where there is none."""

from __future__ import annotations

import io
import textwrap

from cmx_bench.present.content import Column, Entry, Table, in_order
from cmx_bench.report.findings.wording import unbroken

# A terminal has room for these; the page beside it has the others.
_COLUMNS = ("network", "params", "macs", "throughput", "memory", "top1", "top1_paper",
            "train_throughput", "train_memory", "latency_p50", "load_time", "compile_time",
            "claim", "setting", "verdict", "best", "best_setting",
            "first", "second", "ahead_by", "ahead_in", "behind_by", "behind_in")  # fmt: skip


def text(table: Table, width: int) -> str:
    """The main columns of a table that say something, in at most `width` columns; no colours, no
    markup."""
    import rich.box
    import rich.console
    import rich.table
    from rich.text import Text

    drawn = rich.table.Table(
        title=Text(table.title), title_justify="left", box=rich.box.SIMPLE_HEAVY, padding=(0, 1)
    )
    shown = [
        place
        for place, column in enumerate(table.columns)
        if column.key in _COLUMNS and not all(row[place].quiet for row in table.rows)
    ]
    for column in (table.columns[place] for place in shown):
        drawn.add_column(Text(_heading(column)), justify=column.align, overflow="fold",
                         no_wrap=column.key in ("network", "throughput"))  # fmt: skip
    for row in table.rows:
        drawn.add_row(*(Text(_line(table.columns[place], row[place])) for place in shown))
    console = rich.console.Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(drawn)
        notes = (note for row in table.rows for place in shown for note in row[place].notes)
        for note in in_order(notes):
            console.print(Text(f"{note.mark}  {note.text}"))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def wrapped(sentences: str, width: int) -> str:
    """Sentences on lines of at most `width` columns; no name is broken at its hyphen."""
    lines = textwrap.fill(
        unbroken(sentences), width, subsequent_indent="  ", break_on_hyphens=False
    )
    return lines.replace("\xa0", " ")


def _heading(column: Column) -> str:
    return f"{column.group}\n{column.heading}" if column.group else column.heading


def _line(column: Column, entry: Entry) -> str:
    figure = f"{entry.text} {entry.marks}".rstrip()
    return f"{figure} {entry.detail}".rstrip() if column.align == "right" else figure
