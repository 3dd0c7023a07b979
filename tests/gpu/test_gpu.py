"""Every CUDA path of the product once, on one GPU, in ten minutes; see the README here.

The measures have a file of their own."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from cmx_bench.worker import local

from .conftest import Cmx, expect_measured, patterns, records, seconds_left, start

Say = Callable[[str], None]


def inside(say: Say, name: str, *arguments: object, limit: float = 90.0) -> None:
    """Runs a check of `inside` in a fresh process."""
    timeout = max(1.0, min(limit, seconds_left()))
    passed, line = local.call("tests.gpu.inside:run", name, *arguments, timeout=timeout)
    assert passed, line
    say(line)


# --- in one process -------------------------------------------------------------------------------


def test_the_environment_is_captured(gpu: str, say: Say) -> None:
    inside(say, "capture", gpu)


def test_precisions_are_what_they_are_called(device: str, say: Say) -> None:
    inside(say, "precision_flags", device)


@pytest.mark.parametrize(
    ("precision", "layout"),
    [("fp16", "nchw"), ("fp16", "nhwc"), ("bf16", "nhwc"), ("autocast", "nchw"), ("tf32", "nhwc")],
)
def test_numbers_are_the_cpus(device: str, say: Say, precision: str, layout: str) -> None:
    inside(say, "same_numbers", device, precision, layout)


@pytest.mark.parametrize("name", ["resnet50", "cm"])
def test_events_agree_with_the_wall(device: str, say: Say, name: str) -> None:
    inside(say, "events_and_wall", device, name)


@pytest.mark.parametrize(
    "name",
    [
        "no_waits_in_a_step", "peaks", "memory_in_use", "joules_of_a_pass",
        "a_foreign_process_is_seen",
    ],
)  # fmt: skip
def test_on_a_gpu(gpu: str, say: Say, name: str) -> None:
    inside(say, name, gpu)


@pytest.mark.parametrize(
    "name",
    ["roofline_keeps_busy", "batchnorm_statistics", "conditions", "optimised_convmixer"],
)
def test_on_any_device(device: str, say: Say, name: str) -> None:
    inside(say, name, device)


# --- commands -------------------------------------------------------------------------------------


def test_a_gpu_that_is_not_there_is_refused(cmx: Cmx, say: Say) -> None:
    done = cmx("plan", "paths.yaml", "--device", "cuda:99", limit=60)
    assert done.rc == 2, done.text
    say(done.last)


def test_without_a_visible_gpu_the_cpu_is_taken(cmx: Cmx, say: Say) -> None:
    done = cmx("plan", "gate.yaml", limit=60, CUDA_VISIBLE_DEVICES="")
    assert done.rc == 0 and "cpu-" in done.text, done.text


@pytest.mark.parametrize("mode", ["default", "reduce", "max_autotune"])
def test_compiled(device: str, cmx: Cmx, out: Path, say: Say, mode: str) -> None:
    if device == "cpu" and mode != "default":
        pytest.skip("needs a GPU")
    if mode == "max_autotune" and seconds_left() < 330:
        pytest.skip("less than 330 s left")
    chosen = patterns(f"*/throughput/*{mode}*", f"*/memory/*{mode}*")
    done = cmx("run", "compiled.yaml", "--device", device, "--out", out / mode, *chosen, limit=240)
    lines = records(out / mode)
    expect_measured(done, lines)
    timed = [record for record in lines if record["measure"] == "throughput"]
    compiled = ["compile_time" in record["values"] for record in sorted(timed, key=by_replicate)]
    assert compiled[0] and set(compiled[1:]) == {mode == "max_autotune"}, compiled
    say(f"compiled in {timed[0]['values']['compile_time'][0]:.1f} s, {done.seconds:.0f} s in all")


def by_replicate(record: Mapping[str, Any]) -> int:
    return int(record["replicate"])


def test_trained_and_evaluated(device: str, cmx: Cmx, out: Path, say: Say) -> None:
    done = cmx("run", "training.yaml", "--device", device, "--out", out / "training", limit=120)
    lines = records(out / "training")
    expect_measured(done, lines)
    top1 = {record["cell"]: record["values"]["top1"][0] for record in lines}
    assert min(top1.values()) > 0.15, top1
    say(f"top-1 {min(top1.values()):.3f} to {max(top1.values()):.3f}, {done.seconds:.0f} s")


def test_two_processes_on_one_gpu_are_refused(
    gpu: str, nobody_left: None, cmx: Cmx, out: Path, say: Say
) -> None:
    if torch.cuda.device_count() > 1:
        pytest.skip("there are several GPUs")
    done = cmx("run", "training.yaml", "--device", gpu, "--out", out / "two",
               "--processes", "2", limit=60)  # fmt: skip
    assert done.rc == 2 and done.seconds < 30, f"rc {done.rc} after {done.seconds:.0f} s"
    say(done.last)


def test_several_gpus_that_are_not_there_are_refused(gpu: str, cmx: Cmx, say: Say) -> None:
    done = cmx("plan", "gate.yaml", "--device", f"{gpu},99", limit=60)
    assert done.rc == 2, done.text
    say(done.last)


@pytest.fixture
def two_gpus(gpu: str) -> str:
    """The first two GPUs, where there are as many."""
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    return f"{gpu},1"


def test_two_gpus_measure_side_by_side(
    two_gpus: str, nobody_left: None, cmx: Cmx, out: Path, say: Say
) -> None:
    """Both take part, each with cores of its own, and does one thing at a time."""
    done = cmx("run", "paths.yaml", "--device", two_gpus, "--out", out / "side_by_side",
               *patterns("*/throughput/*", "cm/params/*"), limit=150)  # fmt: skip
    lines = records(out / "side_by_side")
    expect_measured(done, lines)
    environments = json.loads((out / "side_by_side" / "run.json").read_text())["environments"]
    timed = [record for record in lines if record["measure"] == "throughput"]
    assert {environments[record["environment"]]["device"] for record in timed} == {
        "cuda:0",
        "cuda:1",
    }
    assert len({environments[record["environment"]]["cores"] for record in timed}) == 1
    for name in {record["environment"] for record in timed}:
        mine = [record for record in timed if record["environment"] == name]
        spans = sorted((datetime.fromisoformat(record["started"]).timestamp(), record["elapsed"])
                       for record in mine)  # fmt: skip
        assert all(begin + took <= after + 0.002 for (begin, took), (after, _) in pairwise(spans))
    say(f"{len(timed)} timings in {done.seconds:.0f} s")


def test_two_gpus_move_no_timings(two_gpus: str, cmx: Cmx, out: Path, say: Say) -> None:
    done = cmx("selftest", "gate.yaml", "--device", two_gpus, "--budget", "1m",
               "--out", out / "alongside", limit=150)  # fmt: skip
    assert done.rc == 0 and "side by side: a forward pass takes" in done.text, done.text
    say(next(line for line in done.text.splitlines() if line.startswith("side by side")))


def test_two_ranks_learn_what_one_does(device: str, tmp_path: Path, say: Say) -> None:
    """On one device, over gloo, with BatchNorm shared where the device can."""
    files = [tmp_path / "one.pt", tmp_path / "two.pt"]

    def learn(rank: int, count: int) -> None:
        file = files[count - 1]
        inside(lambda line: None, "learn", device, rank, count, tmp_path / "meeting", file)

    learn(0, 1)
    with ThreadPoolExecutor() as pool:
        list(pool.map(learn, (0, 1), (2, 2)))
    # Of all weights together: AdamW makes of a gradient that is nothing but rounding, as that of a
    # bias before LayerNorm, a step as long as any other.
    alone, shared = (torch.cat([weight.flatten() for weight in torch.load(file)]) for file in files)
    wrong = float((alone - shared).norm() / alone.norm())
    assert wrong < 0.02, f"weights differ by {wrong:.1e}"
    say(f"weights differ by {wrong:.1e}")


def test_interrupted(device: str, nobody_left: None, out: Path, tmp_path: Path) -> None:
    before = on_gpu()
    run = ("run", "gate.yaml", "--device", device, "--out", out / "interrupted")
    child = start(*run, file=tmp_path / "printed.txt")
    try:
        for _ in range(120):
            time.sleep(0.5)  # until it measures, which in a container NVML does not show
            if records(out / "interrupted") or (before is not None and on_gpu() != before):
                break
        time.sleep(3)
        child.send_signal(signal.SIGINT)
        assert child.wait(30) == 130
    finally:
        child.kill()


def test_the_gate_against_itself(device: str, cmx: Cmx, out: Path, say: Say) -> None:
    done = cmx("ab", "gate.yaml", "--base", sys.executable, "--device", device, "--budget", "30s",
               "--any-threshold", "--expect-equal", "--out", out / "ab", limit=120)  # fmt: skip
    assert done.rc in (0, 3), f"rc {done.rc} after {done.seconds:.0f} s: {done.last}"
    say(done.last)


def on_gpu() -> list[int] | None:
    """The processes with a context on the first GPU; None where NVML is silent."""
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        processes = pynvml.nvmlDeviceGetComputeRunningProcesses_v3(handle)
    except Exception:  # without NVML, or without a GPU
        return None
    return sorted({process.pid for process in processes})


@pytest.fixture
def nobody_left() -> Iterator[None]:
    """Five seconds after the check no process is on the GPU that was not there before."""
    before = on_gpu()
    yield
    if before is not None:
        time.sleep(5)
        assert on_gpu() == before, "a process is left on the GPU"
