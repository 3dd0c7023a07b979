"""What later gates make of a self-test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cmx_bench.errors import PlanError, RecordsError
from cmx_bench.gate import floor
from cmx_bench.gate.floor import Bias, Floor

MACHINE = {"device_name": "A CPU", "cores": 2, "torch": "2.15"}
FLOOR = Floor(
    machine=MACHINE, suite="tiny", created="2026-01-01T00:00:00+00:00", threshold=0.05, pairs=16,
    seconds_a_pair=3.0, spread={"a": 0.01}, bias={"head": Bias(0.001, 0.002)},
    injected={"a": 0.05}, false_alarms=0.001, misses=0.0, inconclusive=0.0,
    detectable={"30": None, "60": 0.04, "300": 0.02},
)  # fmt: skip


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_it_is_read_as_written() -> None:
    floor.write(FLOOR, floor.path(MACHINE))
    assert floor.read(MACHINE | {"torch": "2.16"}) == FLOOR  # a new torch is no new machine
    assert floor.read(MACHINE | {"cores": 4}) is None


def test_a_threshold_below_the_floor_is_refused() -> None:
    assert "no self-test" in floor.note(0.001, MACHINE, any_threshold=False)
    floor.write(FLOOR, floor.path(MACHINE))
    with pytest.raises(PlanError, match=r"--threshold 0.1%: the self-test .* --any-threshold"):
        floor.note(0.001, MACHINE, any_threshold=False)
    assert "at the least" in floor.note(0.001, MACHINE, any_threshold=True)
    assert "false alarms" in floor.note(0.3, MACHINE, any_threshold=False)


def test_a_budget_too_short_for_the_threshold_is_refused() -> None:
    known = replace(FLOOR, detectable={"30": 0.1, "60": 0.05, "90": 0.05})
    assert (known.least(), known.least(59), known.least(29)) == (0.05, 0.1, None)
    floor.write(known, floor.path(MACHINE))
    assert "5 % at the least" in floor.note(0.05, MACHINE, any_threshold=False, seconds=60)
    with pytest.raises(PlanError, match=r"10 % at the least in 45 s .* a longer --budget"):
        floor.note(0.05, MACHINE, any_threshold=False, seconds=45)
    with pytest.raises(PlanError, match="no change that this machine shows in 10 s"):
        floor.note(0.05, MACHINE, any_threshold=False, seconds=10)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is not valid JSON"),
        ("[3]", "expected keys and values"),
        ('{"pairs": 3}', "schema: is missing"),
        ('{"schema": 1}', "schema 1 was written by an older cmx-bench; this one reads 2 alone"),
        ('{"schema": 9}', "schema 9 was written by a newer cmx-bench"),
    ],
)
def test_a_gate_goes_on_without_a_self_test_that_cannot_be_read(text: str, why: str) -> None:
    path = floor.path(MACHINE)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(RecordsError):
        floor.read(MACHINE)
    said = floor.note(0.001, MACHINE, any_threshold=False)
    assert said.startswith(f"{path}: is no self-test that can be read: ")
    assert why in said
    assert said.endswith("; `selftest` measures how small a change it can show")
