"""What is said of one cell of both sides, without processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.gate import comparing
from cmx_bench.gate.pairs import PairError
from cmx_bench.gate.verdict import Comparison

from .conftest import stand_in_processes

CELL = Cell(
    Model("net", "Net", "net", "python", "ours:net"),
    "macs",
    Setting("s", "cpu", "fp32", "nchw", "none", 1, 32),
    "resolution",
)


def word(by: str, sha256: str = "") -> dict[str, Any]:
    """The details of a count that rests on a word of the user's."""
    origin = {"origin": {"file": "ours.py", "sha256": sha256}} if sha256 else {}
    return {"given": {"ours::gram": {"by": by, "macs": 7, **origin}}}


@pytest.mark.parametrize(
    ("base", "head", "state", "reason"),
    [
        ({}, {}, "FAIL", "an exact metric changed"),
        (word("ours:gram", "01"), word("ours:gram", "01"), "FAIL", "an exact metric changed"),
        (
            word("ours:gram"),
            word("zero"),
            "INCOMPARABLE",
            "counted by other words: ours::gram ours:gram, now zero",
        ),
        ({}, word("zero"), "INCOMPARABLE", "counted by other words: ours::gram no word, now zero"),
        (
            word("ours:gram", "0123456789"),
            word("ours:gram", "abcdefabcd"),
            "INCOMPARABLE",
            "counted by other words: ours::gram ours:gram (sha256 01234567), now ours:gram (sha256 "
            "abcdefab)",
        ),
    ],
)
def test_macs_by_other_words_are_not_compared(
    monkeypatch: pytest.MonkeyPatch,
    base: Mapping[str, Any],
    head: Mapping[str, Any],
    state: str,
    reason: str,
) -> None:
    answers = {
        "base": {"values": {"macs": [8]}, "details": base},
        "head": {"values": {"macs": [9]}, "details": head},
    }

    [comparison] = compared(monkeypatch, lambda worker, order: answers[worker.side.name])
    assert (comparison.state, comparison.reason) == (state, reason)


def compared(monkeypatch: pytest.MonkeyPatch, ask: Callable[..., Any]) -> Iterator[Comparison]:
    """What is said of the cell where processes answer so."""
    return comparing.judge_untimed(CELL, *stand_in_processes(monkeypatch, ask), {})


@pytest.mark.parametrize(
    ("times", "lost", "state"), [(1, True, "PASS"), (2, True, "FAIL"), (1, False, "FAIL")]
)
def test_an_exact_cell_whose_process_died_has_a_second_try(
    monkeypatch: pytest.MonkeyPatch, times: int, lost: bool, state: str
) -> None:
    left = [PairError({"head": "it was killed"}, lost=lost)] * times

    def ask(worker: Any, order: object) -> dict[str, Any]:
        if worker.side.name == "head" and left:
            raise left.pop()
        return {"values": {"macs": [8]}}

    [comparison] = compared(monkeypatch, ask)
    assert comparison.state == state
