"""Lines and tables for a terminal, or for plain lines where there is none."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import rich.box
import rich.console
import rich.table
from rich.text import Text

from cmx_bench import units
from cmx_bench.present.content import Column


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of texts below columns; those of the keys in `unbroken` keep their texts on one line."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    unbroken: Collection[str] = ()


def text(parts: Iterable[str | Grid], width: int) -> str:
    """Lines and tables in at most `width` columns; no colours, no markup."""
    console = rich.console.Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        for part in parts:
            console.print(Text(part) if isinstance(part, str) else _drawn(part))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def wrapped(sentences: str, width: int) -> str:
    """Sentences on lines of at most `width` columns; no name is broken at its hyphen."""
    lines = textwrap.fill(
        units.unbroken(sentences), width, subsequent_indent="  ", break_on_hyphens=False
    )
    return lines.replace("\xa0", " ")


def _drawn(grid: Grid) -> rich.table.Table:
    drawn = rich.table.Table(box=rich.box.SIMPLE_HEAVY, padding=(0, 1), pad_edge=False)
    for column in grid.columns:
        heading = f"{column.group}\n{column.heading}" if column.group else column.heading
        drawn.add_column(
            Text(heading), justify=column.align, overflow="fold",
            no_wrap=column.key in grid.unbroken,
        )  # fmt: skip
    for row in grid.rows:
        drawn.add_row(*map(Text, row))
    return drawn
