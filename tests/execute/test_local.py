"""Real processes: fresh, killed, slow, raising."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.errors import CmxError, PlanError
from cmx_bench.execute import local
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


def test_each_call_has_its_own_process() -> None:
    ids = {local.call("os:getpid") for _ in range(3)}
    assert len(ids) == 3
    assert os.getpid() not in ids


def test_an_error_for_the_user_comes_through() -> None:
    with pytest.raises(PlanError, match="--device tpu: expected auto, cpu, cuda or cuda:N"):
        local.call("cmx_bench.execute.machine:resolve_device", "tpu")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (signal.SIGKILL, r"was killed by SIGKILL \(out of memory\?\)"),
        (signal.SIGSEGV, "by SIGSEGV"),
    ],
)
def test_a_killed_process_says_so(number: int, message: str) -> None:
    with pytest.raises(local.ProcessError, match=message):
        local.call("signal:raise_signal", number)


def test_a_process_that_only_ends() -> None:
    with pytest.raises(local.ProcessError, match=r"ended without a result \(exit code 7\)"):
        local.call("os:_exit", 7)


def test_a_slow_process_is_ended() -> None:
    begin = time.monotonic()
    with pytest.raises(local.ProcessError, match="took longer than 0.2 s"):
        local.call("time:sleep", 600, timeout=0.2)
    assert time.monotonic() - begin < 300


def job(tmp_path: Path, model: Model = MIXER, measure: str = "params") -> Job:
    return Job(Cell(model, measure, SETTING), 0, tmp_path / "log.txt")


def test_a_cell_is_measured(tmp_path: Path) -> None:
    [(_, outcome)] = local.execute([job(tmp_path)], 300)
    assert outcome.reason == ""
    assert outcome.values["params"] == [4 * (1 * (9 + 4 + 6) + 3 * 49 + 1000 + 3) + 1000]
    assert outcome.environment["fp32_precision_matmul"] == "ieee"
    assert outcome.environment["device"] == "cpu"


def test_a_cell_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    broken = Model("b", "B", "convmixer", "convmixer", "", {"dim": 4})
    failed, measured = local.execute([job(tmp_path, broken), job(tmp_path)], 300)
    assert failed[1].values == {}
    assert failed[1].reason.startswith("b: cannot be built: TypeError: ")
    assert measured[1].reason == ""
    assert "Traceback" in (tmp_path / "log.txt").read_text()


def test_out_of_memory_names_the_batch(tmp_path: Path) -> None:
    huge = Setting("cpu", "cpu", "fp32", "nchw", "none", 10**9, 224)
    too_big = Job(Cell(MIXER, "throughput", huge), 0, tmp_path / "log.txt")
    [(_, outcome)] = local.execute([too_big], 300)
    assert outcome.reason == "out of memory at batch 1000000000 on cpu"


def test_a_cell_that_takes_too_long(tmp_path: Path) -> None:
    [(_, outcome)] = local.execute([job(tmp_path)], 0.001)
    assert outcome.reason == "the process took longer than 0.001 s, at batch 2"


def test_a_target_that_is_no_cmx_error_ends_the_process() -> None:
    with pytest.raises(CmxError, match="exit code 1"):
        local.call("math:sqrt", -1)
