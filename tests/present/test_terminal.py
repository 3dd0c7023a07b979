"""Lines and tables for a terminal."""

from __future__ import annotations

import pytest

from cmx_bench.cli import telling
from cmx_bench.present import terminal
from cmx_bench.present.content import Column
from cmx_bench.present.terminal import Grid, Styled


def test_words_move_no_cursor_and_states_have_their_colour() -> None:
    parts: list[Styled | Grid] = [
        "FAIL: 1 of 2 comparisons slower\x1b[2J", ("Table", "bold"),
        Grid([Column("a", "State")], [["PASS"], ["a PASS"]]),
    ]  # fmt: skip
    plain, coloured = (terminal.text(parts, 80, colours) for colours in (False, True))
    assert "\x1b" not in plain and r"slower\x1b[2J" in plain
    assert "\x1b[1;31mFAIL\x1b[0m: 1 of 2 comparisons slower\\x1b[2J" in coloured
    assert "\x1b[32mPASS\x1b[0m" in coloured and "a PASS" in coloured


def test_no_column_vanishes_from_a_narrow_terminal() -> None:
    columns = [Column("a", "Model"), Column("b", "Value", group="Here")]
    grid = Grid(columns, [["net", "1" * 20], ["other", "2"]], ["b"])
    assert ["net", "1" * 20] in [line.split() for line in terminal.text([grid], 40).splitlines()]
    lines = terminal.text([grid], 26).splitlines()
    assert lines[:4] == ["Model: net", "Here, Value:", "1" * 20, ""]


def test_rows_stand_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    telling.say_rows([("a", "one"), ("long\x1b", "two"), ("b", "")])
    assert capsys.readouterr().out == "a         one\nlong\\x1b  two\nb\n"
