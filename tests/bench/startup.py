"""How long the quick commands take as whole processes, and what a fresh process costs.

Run by hand: ``python tests/bench/startup.py [RUN]``; RUN is the folder of a run to render, by
default a made-up one of 100 cells. Prints medians of five runs in seconds.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.results import records
from cmx_bench.results.records import Record, Run
from cmx_bench.worker import local

REPEATS = 5
TARGETS = {"--help": 0.4, "report": 4.0}


def seconds(action: Callable[[], object]) -> float:
    """The median time of `action` over `REPEATS` calls after one that does not count."""
    times = []
    for _ in range(REPEATS + 1):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])


def command(*arguments: str) -> Callable[[], object]:
    line = [sys.executable, "-m", "cmx_bench", *arguments]
    return lambda: subprocess.run(line, check=True, capture_output=True)


def make_up_run(folder: Path, cells: int, replicates: int = 5) -> Path:
    """A run of `cells` throughput cells whose samples are plain arithmetic, not measurements."""
    setting = Setting("made-up", "cpu", "fp32", "nchw", "none", 1, 224)
    models = tuple(
        Model(f"model_{number}", f"Model {number}", "resnet", "timm", "resnet18")
        for number in range(cells)
    )
    keys = [Cell(model, "throughput", setting).key for model in models]
    run = Run(
        "made-up", "Made up", "0" * 12, "made-up.yaml", "cpu", models, (setting,),
        ("throughput",), tuple(keys), replicates, (), {}, "none", "2026-01-01T00:00:00+00:00",
        "2026-01-01T00:00:00+00:00", machine={"device_name": "none"},
        environments={"e": {"device_name": "none"}},
    )  # fmt: skip
    records.write_run(folder, run)
    lines = [
        json.dumps(dataclasses.asdict(_record(run, number, replicate)))
        for number in range(cells)
        for replicate in range(replicates)
    ]
    (folder / "records.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def _record(run: Run, number: int, replicate: int) -> Record:
    values = {"throughput": [10.0 + number + 0.01 * (replicate + i) for i in range(5)]}
    return Record(
        run.cells[number], run.models[number].name, "throughput", run.settings[0].key, replicate,
        "ok", values, "", "e", "2026-01-01T00:00:00+00:00", 1.0,
    )  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        run = Path(sys.argv[1]) if sys.argv[1:] else make_up_run(Path(temporary), 100)
        rows = {
            "an empty interpreter": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
            "--help": command("--help"),
            "list metrics": command("list", "metrics"),
            "list suites": command("list", "suites"),
            "report": command("report", str(run)),
            "a process of the loaded server": lambda: local.call("os:getpid"),
            "an interpreter that loads torch and timm": lambda: subprocess.run(
                [sys.executable, "-c", "import timm"], check=True, capture_output=True
            ),
        }
        for name, action in rows.items():
            took = seconds(action)
            target = TARGETS.get(name)
            print(f"{name:42}{took:8.2f} s" + (f"   (target {target} s)" if target else ""))


if __name__ == "__main__":
    main()
