"""Every measure, and every precision, as commands of the product; see the README here."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from .conftest import Cmx, expect_measured, patterns, records

Say = Callable[[str], None]

KEY = {"cpu": "cpu-fp32-nchw-eager-b1-r64", "cuda": "cuda-fp16-nchw-eager-b64-r224"}


def test_every_measure_in_every_precision(device: str, cmx: Cmx, out: Path, say: Say) -> None:
    kind = device.partition(":")[0]
    key = KEY[kind]
    # Few are timed: each warms the GPU until its temperature stands, for up to a minute.
    chosen = [
        "cm/params/*", "cm/macs/*", f"cm/*/{key}", f"cm8/memory/{key}", f"resnet50/memory/{key}",
        f"deit_small_patch16_224/roofline/{key}", f"deit_small_patch16_224/train_memory/{key}",
    ]  # fmt: skip
    if kind == "cuda":
        chosen += [
            "cm/throughput/*fp32*", "cm/throughput/*tf32*", "cm/memory/*",
            "cm/train_memory/*autocast*", "cm/train_memory/*bf16*", f"hog/memory/{key}",
        ]  # fmt: skip
    done = cmx("run", "paths.yaml", "--device", device, "--out", out / "paths",
               *patterns(*chosen), limit=420)  # fmt: skip
    lines = records(out / "paths")
    expect_measured(done, [record for record in lines if record["model"] != "hog"])
    say(f"{len(lines)} cells in {done.seconds:.0f} s")


@pytest.fixture
def measured(out: Path) -> Mapping[str, dict[str, Any]]:
    """The records of the check above, by cell."""
    by_cell = {record["cell"]: record for record in records(out / "paths")}
    if not by_cell:
        pytest.skip("no records of paths.yaml")
    return by_cell


def test_out_of_memory_is_named(gpu: str, measured: Mapping[str, dict[str, Any]]) -> None:
    reason = measured[f"hog/memory/{KEY['cuda']}"]["reason"]
    assert reason.startswith("out of memory at batch"), reason


def test_blocks_have_the_conditions_of_the_gpu(
    gpu: str, measured: Mapping[str, dict[str, Any]], say: Say
) -> None:
    covariates = measured[f"cm/throughput/{KEY['cuda']}"]["covariates"]
    expected = {"gpu_sm_clock", "gpu_clock_reasons", "gpu_foreign_processes", "gpu_warm_up"}
    assert expected <= covariates.keys(), sorted(covariates)
    say(f"warmed for {covariates['gpu_warm_up'][0]:.0f} s, {sum(covariates['disturbed']):.0f} of "
        f"{len(covariates['disturbed'])} blocks disturbed")  # fmt: skip


def test_lower_precision_is_no_slower(
    gpu: str, measured: Mapping[str, dict[str, Any]], say: Say
) -> None:
    rates = [
        statistics.median(measured[f"cm/throughput/{key}"]["values"]["throughput"])
        for key in (KEY["cuda"].replace("fp16", name) for name in ("fp32", "tf32", "fp16"))
    ]
    line = f"fp32 {rates[0]:.0f}, tf32 {rates[1]:.0f}, fp16 {rates[2]:.0f} images/s"
    assert rates[0] <= 1.05 * rates[1] <= 1.2 * rates[2], line
    say(line)


def test_the_report_is_verified(
    measured: Mapping[str, dict[str, Any]], cmx: Cmx, out: Path, say: Say
) -> None:
    done = cmx("verify", out / "paths", limit=60)
    assert done.rc == 0, done.text
    say(done.last)
