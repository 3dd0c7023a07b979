"""How long `history` takes over many runs, and how large its files are.

Run by hand: ``python tests/bench/history.py [RUNS ...]``, by default 20 and 200. Runs are copies
of the example in reports/, a day apart, whose timings are multiplied by noise of 2 % and, from half
way on, one model's by 0.9. Times are CPU seconds of a whole process, which has one thread.
"""

from __future__ import annotations

import dataclasses
import json
import random
import resource
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cmx_bench.metrics import METRICS
from cmx_bench.results import records
from cmx_bench.results.records import Record

EXAMPLE = next((Path(__file__).parents[2] / "reports" / "paper").glob("*/report.html")).parent
SLOWER = "resnet50"


def main() -> None:
    sizes = [int(number) for number in sys.argv[1:]] or [20, 200]
    print("runs    took    page    JSON  Markdown   changes")
    for runs in sizes:
        with tempfile.TemporaryDirectory() as folder:
            write_runs(Path(folder), runs)
            seconds, changes = seconds_of(Path(folder))
            page, values, text = (
                (Path(folder) / f"history.{kind}").stat().st_size / 1e6
                for kind in ("html", "json", "md")
            )
        print(f"{runs:4} {seconds:5.1f} s {page:4.1f} MB {values:4.1f} MB   {text:4.2f} MB"
              f"   {changes:7}", flush=True)  # fmt: skip


def write_runs(folder: Path, runs: int) -> None:
    run, measured = records.read_run(EXAMPLE), records.read(EXAMPLE)
    rng, begin = random.Random(0), datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(runs):
        created = (begin + timedelta(days=number)).isoformat()
        commit = {"git_commit": f"{rng.getrandbits(48):012x}"}
        copy = dataclasses.replace(
            run, created=created, machine=run.machine | commit,
            environments={
                key: environment | commit for key, environment in run.environments.items()
            },
        )  # fmt: skip
        place = folder / f"{number:04}"
        records.write_run(place, copy)
        factors = {model.name: rng.lognormvariate(0, 0.02) for model in run.models}
        factors[SLOWER] *= 0.9 if number >= runs / 2 else 1
        lines = [json.dumps(dataclasses.asdict(scale(record, factors))) for record in measured]
        (place / "records.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (place / "report.html").touch()


def scale(record: Record, factors: dict[str, float]) -> Record:
    values = {
        name: [value * factors[record.model] for value in samples]
        if METRICS[name].noise == "process" else samples
        for name, samples in record.values.items()
    }  # fmt: skip
    return dataclasses.replace(record, values=values)


def seconds_of(folder: Path) -> tuple[float, int]:
    """CPU seconds, and the change points that it told."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "cmx_bench", "history", str(folder)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, sum("→" in line and line.startswith("  ") for line in done.stdout.splitlines())


if __name__ == "__main__":
    main()
