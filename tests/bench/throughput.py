"""Whether throughput is right, and what it costs: beside a bare loop, and beside timm's script.

Run by hand: ``python tests/bench/throughput.py [MODEL …]``. With ``TIMM_SCRIPTS`` set to a folder
that holds timm's ``benchmark.py``, both measure the same models in turn, `PROCESSES` processes
each, and the wall time that each needs for an interval of one width is compared.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.execute import rounds
from cmx_bench.measures import forward, ready, timing
from cmx_bench.models.building import build
from cmx_bench.results import stats
from cmx_bench.worker.job import Job, Round

MODELS = ("resnet18", "deit_tiny_patch16_224", "mixer_s32_224")
SETTING = Setting("cpu", "cpu", "fp32", "nchw", "none", 4, 224)
ROUNDS = 12
PROCESSES = 5


def describe(name: str) -> Model:
    return Model(name, name, name, "timm", name)


def beside_a_bare_loop(name: str) -> bool:
    """Blocks of ours and of a loop as anyone would write it, in turn, in this process."""
    forward.apply_flags(SETTING)
    module = forward.place(build(describe(name), SETTING.image_size), SETTING)
    run = ready.prepare_module(module, SETTING).forward
    passes = timing.passes_a_block(timing.pass_seconds(timing.warm_up(run, "cpu")), "cpu")
    images = torch.randn(SETTING.batch_size, 3, 224, 224)
    ours, bare = [], []
    for _ in range(ROUNDS):
        ours.append(passes * SETTING.batch_size / timing.elapsed(run, passes, "cpu"))
        with torch.inference_mode():
            begin = time.perf_counter()
            for _ in range(passes):
                module(images)
            bare.append(passes * SETTING.batch_size / (time.perf_counter() - begin))
    difference = statistics.median(ours) / statistics.median(bare) - 1
    spreads = [(max(q) - min(q)) / statistics.median(v)
               for v in (ours, bare) if (q := statistics.quantiles(v, n=4))]  # fmt: skip
    print(
        f"{name:24} ours {statistics.median(ours):7.2f} images/s, bare loop "
        f"{statistics.median(bare):7.2f}, difference {100 * difference:+.2f} %, "
        f"quartile spreads {100 * spreads[0]:.1f} % and {100 * spreads[1]:.1f} %"
    )
    return abs(difference) <= max(spreads)


def ours(name: str, log: Path) -> float:
    """Images a second of one fresh process."""
    job = Job(Cell(describe(name), "throughput", SETTING), 0, log)
    [(_, outcome)] = rounds.execute([Round([job], repeated=True)], 600)
    return statistics.median(outcome.values["throughput"])


def timms(name: str, script: Path) -> float:
    """Images a second as one run of timm's benchmark.py prints them."""
    line = [
        sys.executable, str(script), "--model", name, "--bench", "inference", "--device", "cpu",
        "--precision", "float32", "--batch-size", str(SETTING.batch_size), "--no-retry",
        # Left alone, the script takes each model's own test size: 288 for resnet18.
        "--img-size", str(SETTING.image_size),
    ]  # fmt: skip
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    printed = re.search(r"--result\s+(.*)", done.stdout, re.DOTALL)
    if printed is None:
        raise SystemExit(f"benchmark.py printed no result: {done.stdout[-500:]}")
    return float(json.loads(printed[1])["infer_samples_per_sec"])


def beside_timm(name: str, script: Path, log: Path) -> None:
    rates: dict[str, list[float]] = {"ours": [], "timm": []}
    walls = dict.fromkeys(rates, 0.0)
    for _ in range(PROCESSES):
        for side, measure in (
            ("ours", lambda: ours(name, log)),
            ("timm", lambda: timms(name, script)),
        ):
            begin = time.perf_counter()
            rates[side].append(measure())
            walls[side] += time.perf_counter() - begin
    needs = {}
    for side, measured in rates.items():
        estimate = stats.estimate([[rate] for rate in measured])
        width = estimate.relative_half_width or 0.0
        # An interval shrinks with the square root of the processes it rests on.
        needs[side] = walls[side] * (width / 0.02) ** 2
        print(
            f"{name:24} {side:5} {estimate.value:7.2f} images/s ± {100 * width:.1f} % from "
            f"{PROCESSES} processes in {walls[side]:.0f} s: ± 2 % would take {needs[side]:.0f} s"
        )
    print(f"{name:24} wall time for one width, timm / ours: {needs['timm'] / needs['ours']:.1f}, "
          f"for one process: {walls['timm'] / walls['ours']:.1f}")  # fmt: skip


def main() -> int:
    names = sys.argv[1:] or MODELS
    equal = [beside_a_bare_loop(name) for name in names]
    print(f"{sum(equal)} of {len(equal)} agree with a bare loop within the spread of either")
    scripts = os.environ.get("TIMM_SCRIPTS")
    if scripts is None:
        print("set TIMM_SCRIPTS to the folder of timm's benchmark.py to compare with it")
        return 0 if all(equal) else 1
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            beside_timm(name, Path(scripts) / "benchmark.py", Path(folder) / "log.txt")
    return 0 if all(equal) else 1


if __name__ == "__main__":
    sys.exit(main())
