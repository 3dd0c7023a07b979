"""Whether a training step is no slower than that of timm's script, for the same model and batch.

Run by hand: ``TIMM_SCRIPTS=FOLDER python tests/bench/training.py [MODEL …]``, where the folder
holds timm's ``benchmark.py``. Both train the same models with AdamW in turn, `PROCESSES` fresh
processes each: on a CPU in fp32, and where there is a CUDA device there, in each precision that
both have.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.execute import rounds
from cmx_bench.measures.training_step import PHASES
from cmx_bench.results import stats
from cmx_bench.worker.job import Job, Round

MODELS = ("resnet18", "deit_tiny_patch16_224", "mixer_s32_224")
CPU = Setting("cpu", "cpu", "fp32", "nchw", "none", 4, 224)
CUDA = Setting("cuda", "cuda:0", "autocast", "nchw", "none", 64, 224)
# By timm's names; its script has no tf32 of its own, and in "float16" scales no loss.
PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "autocast": "amp"}
PROCESSES = 5


def settings() -> list[Setting]:
    if not torch.cuda.is_available():
        return [CPU]
    return [CPU, *(replace(CUDA, precision=ours) for ours in PRECISIONS)]


def ours(name: str, setting: Setting, log: Path) -> tuple[float, list[float]]:
    """Images a second of one fresh process, and the seconds of each phase."""
    model = Model(name, name, name, "timm", name)
    job = Job(Cell(model, "train_throughput", setting), 0, log)
    [(_, outcome)] = rounds.execute([Round([job], repeated=True)], 600)
    if outcome.reason:
        raise SystemExit(f"{name}: {outcome.reason} (see {log})")
    medians = {metric: statistics.median(samples) for metric, samples in outcome.values.items()}
    return medians["train_throughput"], [medians[f"train_{phase}_time"] for phase in PHASES]


def timms(name: str, setting: Setting, script: Path) -> float:
    """Images a second as one run of timm's benchmark.py prints them."""
    line = [
        sys.executable, str(script), "--model", name, "--bench", "train", "--opt", "adamw",
        "--device", setting.kind, "--precision", PRECISIONS[setting.precision], "--no-retry",
        "--batch-size", str(setting.batch_size), "--img-size", str(setting.image_size),
    ]  # fmt: skip
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    printed = re.search(r"--result\s+(.*)", done.stdout, re.DOTALL)
    if printed is None:
        raise SystemExit(f"benchmark.py printed no result: {done.stdout[-500:]}")
    return float(json.loads(printed[1])["train_samples_per_sec"])


def compare(name: str, setting: Setting, script: Path, log: Path) -> bool:
    """Whether ours is as fast as timm's, or slower by no more than the wider interval."""
    rates: dict[str, list[list[float]]] = {"ours": [], "timm": []}
    phases: list[list[float]] = []
    for _ in range(PROCESSES):
        rate, seconds = ours(name, setting, log)
        phases.append(seconds)
        rates["ours"].append([rate])
        rates["timm"].append([timms(name, setting, script)])
    estimates = {side: stats.estimate(measured) for side, measured in rates.items()}
    difference = estimates["ours"].value / estimates["timm"].value - 1
    width = max(estimate.relative_half_width or 0.0 for estimate in estimates.values())
    shown = ", ".join(
        f"{side} {estimate.value:.2f} images/s ± {100 * (estimate.relative_half_width or 0):.1f} %"
        for side, estimate in estimates.items()
    )
    medians = (statistics.median(column) for column in zip(*phases, strict=True))
    apart = ", ".join(
        f"{phase} {1000 * median:.2f} ms" for phase, median in zip(PHASES, medians, strict=True)
    )
    print(f"{name:24} {setting.key:32} {shown}: {100 * difference:+.1f} % ({apart})")
    return difference >= -width


def main() -> int:
    scripts = os.environ.get("TIMM_SCRIPTS")
    if scripts is None:
        raise SystemExit("set TIMM_SCRIPTS to the folder of timm's benchmark.py")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.txt"
        as_fast = [
            compare(name, setting, Path(scripts) / "benchmark.py", log)
            for setting in settings()
            for name in sys.argv[1:] or MODELS
        ]
    print(f"{sum(as_fast)} of {len(as_fast)} are no slower than timm's within the wider interval")
    return 0 if all(as_fast) else 1


if __name__ == "__main__":
    sys.exit(main())
