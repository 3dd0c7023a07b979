"""Evaluating five models together, beside five runs of timm's validate.py on the same images.

`TIMM_SCRIPTS=FOLDER python tests/bench/accuracy.py [IMAGES]` writes photographs of 1600 × 1200
pixels as JPEG, evaluates five small models with two kinds of preprocessing on them in turns with
validate.py, and compares CPU seconds (children included) and integers. `… memory` evaluates 1,000
and 10,000 images, smaller ones, and compares the peaks of memory.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import timm
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.photographs import write
from tests.teaching import teach

# Of two kinds of preprocessing: bicubic and bilinear.
MODELS = ("test_vit", "test_convnext", "test_efficientnet", "test_resnet", "test_byobnet")
SIZE = 160
BATCH = 32


_SET_CHILD_SUBREAPER = 36  # from linux/prctl.h


def run(line: Sequence[str], cwd: Path) -> tuple[float, float, str]:
    """Wall and CPU seconds of a command and all its descendants, and what it printed.

    Orphans among these come to this process, which waits for them: else nobody would count them.
    """
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(line, cwd=cwd, capture_output=True, text=True, check=False)
    wall = time.monotonic() - begin
    with suppress(ChildProcessError):
        while True:
            os.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(line)}: {done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done.stdout


def prepare(folder: Path, names: Sequence[str]) -> Path:
    """Weights and a suite."""
    (folder / "weights").mkdir(exist_ok=True)
    for name in names:
        file = folder / "weights" / f"{name}.safetensors"
        if not file.exists():
            teach(name, file, SIZE)
    suite = {
        "name": f"bench{len(names)}",
        "models": [{"name": name, "weights": f"weights/{name}.safetensors"} for name in names],
        "measures": ["accuracy"],
        "accuracy": {"dataset": "photographs"},
        "settings": {"cpu": [{"name": "cpu", "batch_size": BATCH, "image_size": SIZE}]},
    }
    path = folder / f"bench{len(names)}.yaml"
    path.write_text(yaml.safe_dump(suite))
    return path


def ours(folder: Path, suite: Path, *options: str) -> tuple[float, float, dict[str, list[int]]]:
    line = [sys.executable, "-m", "cmx_bench", "run", str(suite), "--fresh",
            "--data", f"photographs={folder / 'images'}", *options]  # fmt: skip
    wall, cpu, printed = run(line, folder)
    records = Path(folder, printed.splitlines()[-1]).parent / "records.jsonl"
    results = [json.loads(text) for text in records.read_text().splitlines()]
    correct = {result["model"]: [*result["details"]["correct"].values()] for result in results}
    return wall, cpu, correct


def timms(folder: Path, name: str, count: int) -> tuple[float, float, list[float]]:
    script = Path(os.environ["TIMM_SCRIPTS"]) / "validate.py"
    line = [sys.executable, str(script), "--data-dir", str(folder / "images"), "--model", name,
            "--checkpoint", str(folder / "weights" / f"{name}.safetensors"), "--device", "cpu",
            "-b", str(BATCH), "--class-map", str(folder / "classes.txt")]  # fmt: skip
    wall, cpu, printed = run(line, folder)
    said = re.search(r'"top1": ([\d.]+),.*?"top5": ([\d.]+)', printed, re.DOTALL)
    assert said is not None, printed
    return wall, cpu, [float(share) * count / 100 for share in said.groups()]


def beside_timm(folder: Path, count: int) -> None:
    write(folder / "images", count, 1600, 1200)
    (folder / "classes.txt").write_text("\n".join(timm.data.ImageNetInfo().label_names()))
    together = prepare(folder, MODELS)
    cache = ["--cache"]
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    theirs = {name: timms(folder, name, count) for name in MODELS}
    runs = {
        "together": ours(folder, together),
        "filling the cache": ours(folder, together, *cache),
        "from the cache": ours(folder, together, *cache),
    }
    cpu = sum(cost[1] for cost in theirs.values())
    print(f"{count} images of 1600 × 1200, {len(MODELS)} models, batch {BATCH}")
    print(f"validate.py × {len(MODELS)}: {sum(cost[0] for cost in theirs.values()):.0f} s, "
          f"{cpu:.0f} CPU seconds")  # fmt: skip
    for name, (wall, seconds, right) in runs.items():
        equal = sum(
            all(abs(a - b) < 0.01 for a, b in zip(theirs[model][2], right[model], strict=True))
            for model in MODELS
        )
        print(f"{name}: {wall:.0f} s, {seconds:.0f} CPU seconds, {cpu / seconds:.1f} times fewer; "
              f"integers equal for {equal} of {len(MODELS)} models")  # fmt: skip
    alone = prepare(folder, MODELS[:1])
    wall, seconds, _ = ours(folder, alone)
    print(f"{MODELS[0]} alone: {wall:.0f} s and {seconds:.0f} CPU seconds, validate.py "
          f"{theirs[MODELS[0]][0]:.0f} s and {theirs[MODELS[0]][1]:.0f}")  # fmt: skip


def memory(folder: Path) -> None:
    """Peaks of the largest process, by the number of images."""
    suite = prepare(folder, MODELS[:2])
    peaks = []
    for count in (1000, 10_000):
        write(folder / "images", count, 320, 240)
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        line = [sys.executable, __file__, "one", str(folder), str(suite)]
        peaks.append(int(run(line, folder)[2].split()[-1]) / 1024)
        print(f"{count} images: peak {peaks[-1]:.0f} MiB (of earlier children {before // 1024})")
    print(f"ten times the images: {100 * (peaks[1] / peaks[0] - 1):+.1f} % memory")


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "2000"
    if what == "one":
        ours(Path(sys.argv[2]), Path(sys.argv[3]))
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    else:
        with tempfile.TemporaryDirectory() as name:
            memory(Path(name)) if what == "memory" else beside_timm(Path(name), int(what))
