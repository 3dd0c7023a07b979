"""Tables for a terminal, or for plain lines where there is none."""

from __future__ import annotations

import io

from cmx_bench.report.tables import Entry, Table


def text(table: Table, width: int = 160) -> str:
    """The table in at most `width` columns, with its footnotes; no colours, no markup."""
    import rich.box
    import rich.console
    import rich.table
    from rich.text import Text

    drawn = rich.table.Table(
        title=Text(table.title), title_justify="left", box=rich.box.SIMPLE_HEAVY
    )
    for column in table.columns:
        drawn.add_column(Text(column.full_heading), justify=column.align, overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text("\n".join(_lines(entry))) for entry in row))
    console = rich.console.Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(drawn)
        for note in table.notes:
            console.print(Text(f"{note.mark}  {note.text}"))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def _lines(entry: Entry) -> list[str]:
    figure = f"{entry.text} {entry.marks}".rstrip()
    return [figure, entry.detail] if entry.detail else [figure]
