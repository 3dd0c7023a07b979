"""Lines and tables for a terminal, or for plain lines where there is none."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import rich.box
import rich.console
import rich.table
from rich.text import Text

from cmx_bench import units
from cmx_bench.present.content import Column

# A text, or one with the style that rich is to give it.
Styled: TypeAlias = str | tuple[str, str]

# The kind of a line or a cell that begins with such a word.
_STATES = {
    "PASS": "green", "HOLDS": "green", "FAIL": "bold red", "FAILS": "bold red",
    "UNDECIDED": "yellow", "INCONCLUSIVE": "yellow", "INCOMPARABLE": "yellow",
    "NOTHING COMPARED": "yellow",
}  # fmt: skip
_STATE = re.compile(rf"({'|'.join(_STATES)})(?=:|$)")


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of texts below columns; those of the keys in `unbroken` keep their texts on one line."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Styled]]
    unbroken: Collection[str] = ()


def text(parts: Iterable[Styled | Text | Grid], width: int, colours: bool = False) -> str:
    """Lines and tables in at most `width` columns, with or without colours; nothing that they say
    moves a cursor."""
    console = rich.console.Console(
        file=io.StringIO(), width=width, force_terminal=colours, legacy_windows=False,
        color_system="standard" if colours else None,
    )  # fmt: skip
    with console.capture() as captured:
        for part in parts:
            if isinstance(part, Text):
                console.print(part, soft_wrap=True)
            else:
                console.print(_fit(part, width) if isinstance(part, Grid) else _text(part))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def wrap(sentences: str, width: int) -> str:
    """Sentences on lines of at most `width` columns; no name is broken at its hyphen."""
    lines = textwrap.fill(
        units.keep_together(sentences), width, subsequent_indent="  ", break_on_hyphens=False
    )
    return lines.replace("\xa0", " ")


def paragraph(topic: str, sentences: str, width: int) -> Text:
    """Sentences behind what they are about, on lines of at most `width` columns."""
    whole = Text(units.escape(wrap(f"{topic}: {sentences}", width)))
    whole.stylize("bold", 0, len(topic) + 1)
    return whole


def _text(part: Styled) -> Text:
    text, style = (part, "") if isinstance(part, str) else part
    written = Text(units.escape(text), style)
    if state := _STATE.match(text):
        written.stylize(_STATES[state[0]], 0, state.end())
    return written


_LEAST = 3  # of a column whose texts break: rich leaves it nothing where others need all


def _fit(grid: Grid, width: int) -> rich.table.Table | Text:
    """A table or, where there is no room for one, a line for each of its texts."""
    taken = 0
    for place, column in enumerate(grid.columns):
        texts = [*_heading(column).split("\n"), *(_text(row[place]).plain for row in grid.rows)]
        taken += 2 + (max(map(len, texts)) if column.key in grid.unbroken else _LEAST)
    if taken <= width:
        drawn = rich.table.Table(box=rich.box.SIMPLE_HEAVY, padding=(0, 1), pad_edge=False)
        for column in grid.columns:
            drawn.add_column(
                Text(units.escape(_heading(column)), "bold"), justify=column.align,
                overflow="fold", no_wrap=column.key in grid.unbroken,
            )  # fmt: skip
        for row in grid.rows:
            drawn.add_row(*map(_text, row))
        return drawn
    lines = []
    for row in grid.rows:
        for column, entry in zip(grid.columns, row, strict=True):
            lines.append(_text(f"{_heading(column)}: ".replace("\n", ", ")) + _text(entry))
        lines.append(Text())
    return Text("\n").join(lines)


def _heading(column: Column) -> str:
    return f"{column.group}\n{column.heading}" if column.group else column.heading
