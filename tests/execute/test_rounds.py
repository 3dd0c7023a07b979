"""Real rounds: fresh interpreters, fresh processes, cells that fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.execute import rounds
from cmx_bench.execute.job import Job

SETTING = Setting("cpu", "cpu", "fp32", "nchw", "none", 2, 28)
MIXER = Model(
    "m",
    "M",
    "convmixer",
    "convmixer",
    "",
    {"dim": 4, "depth": 1, "kernel_size": 3, "patch_size": 7},
)


def job(tmp_path: Path, model: Model = MIXER, measure: str = "params") -> Job:
    return Job(Cell(model, measure, SETTING), 0, tmp_path / "log.txt")


def test_a_cell_is_measured(tmp_path: Path) -> None:
    [(_, outcome)] = rounds.execute([job(tmp_path)], 300)
    assert outcome.reason == ""
    assert outcome.values["params"] == [4 * (1 * (9 + 4 + 6) + 3 * 49 + 1000 + 3) + 1000]
    assert outcome.environment["fp32_precision_matmul"] == "ieee"
    assert outcome.environment["device"] == "cpu"


def test_a_cell_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    broken = Model("b", "B", "convmixer", "convmixer", "", {"dim": 4})
    failed, measured = rounds.execute([job(tmp_path, broken), job(tmp_path)], 300)
    assert failed[1].values == {}
    assert failed[1].reason.startswith("b: cannot be built: TypeError: ")
    assert measured[1].reason == ""
    assert "Traceback" in (tmp_path / "log.txt").read_text()


def test_out_of_memory_names_the_batch(tmp_path: Path) -> None:
    huge = Setting("cpu", "cpu", "fp32", "nchw", "none", 10**9, 224)
    too_big = Job(Cell(MIXER, "throughput", huge), 0, tmp_path / "log.txt")
    [(_, outcome)] = rounds.execute([too_big], 300)
    assert outcome.reason == "out of memory at batch 1000000000 on cpu"


def test_a_cell_that_takes_too_long(tmp_path: Path) -> None:
    [(_, outcome)] = rounds.execute([job(tmp_path)], 0.001)
    assert outcome.reason == "the process took longer than 0.001 s, at batch 2"


def test_each_round_has_an_interpreter_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the C library lies is drawn once for an interpreter and all that it forks."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "where.py").write_text(
        "import ctypes\n"
        "def build():\n"
        "    raise RuntimeError(ctypes.cast(ctypes.CDLL(None).printf, ctypes.c_void_p).value)\n"
    )
    model = Model("m", "M", "m", "python", "where:build")
    jobs = [
        Job(Cell(model, "throughput", SETTING), number, tmp_path / "log.txt")
        for number in (0, 0, 1)
    ]
    first, second, third = [outcome.reason for _, outcome in rounds.execute(jobs, 300)]
    assert "RuntimeError" in first
    assert first == second != third
