"""How often the interval of a throughput holds the value of a long reference run.

``python tests/bench/coverage.py record FILE ROUNDS`` measures the models of suites/ci.yaml in
rounds as `run` does, and appends. ``… rates FILE [PROCESSES]`` takes every so many rounds in a row
for one repeat, and all other rounds for its reference, which so lasted as long as all repeats and
was measured beside them.
"""

from __future__ import annotations

import json
import math
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cmx_bench import stats, suite
from cmx_bench.execute import local, rounds
from cmx_bench.execute.job import Job


def record(file: Path, count: int) -> None:
    plan = local.call("cmx_bench.execute.worker:make_plan", suite.load("ci"), "cpu", (), False)
    cells = [cell for cell in plan.cells if cell.measure == "throughput"]
    for number in range(count):
        begin = time.time()
        order = random.sample(cells, len(cells))
        jobs = [Job(cell, number, file.with_suffix(".log")) for cell in order]
        with file.open("a", encoding="utf-8") as out:
            for job, outcome in rounds.execute(jobs, 600):
                seen = outcome.covariates
                found = {
                    "model": job.cell.model.name, "round": number,
                    "samples": [round(one, 3) for one in outcome.values["throughput"]],
                    "discarded": sum(map(int, seen["discarded"])),
                    "disturbed": any(
                        one and not thrown
                        for one, thrown in zip(seen["disturbed"], seen["discarded"], strict=True)
                    ),
                }  # fmt: skip
                out.write(json.dumps(found) + "\n")
        print(f"round {number + 1} of {count}: {time.time() - begin:.0f} s", flush=True)


def rates(found: Sequence[dict[str, Any]], n: int) -> None:
    covered: list[bool] = []
    widths: list[float] = []
    for name in dict.fromkeys(one["model"] for one in found):
        mine = [one for one in found if one["model"] == name]
        repeats = [mine[at : at + n] for at in range(0, len(mine) - n + 1, n)]
        holds = []
        for repeat in repeats:
            interval = stats.estimate([one["samples"] for one in repeat])
            rest = [one["samples"] for one in mine if one not in repeat]
            reference = stats.estimate(rest).value
            assert interval.low is not None
            assert interval.high is not None
            holds.append(interval.low <= reference <= interval.high)
            widths.append(interval.relative_half_width or 0.0)
        covered += holds
        medians = [math.log(statistics.median(one["samples"])) for one in mine]
        print(
            f"{name:24} {sum(holds)} of {len(holds)} intervals hold the reference; sd of a process "
            f"{100 * statistics.stdev(medians):.1f} %, {sum(one['discarded'] for one in mine)} "
            f"blocks discarded, {sum(one['disturbed'] for one in mine)} of {len(mine)} processes "
            "disturbed"
        )
    print(
        f"{sum(covered)} of {len(covered)} intervals over {n} processes hold the value of the "
        f"reference; half their width is {100 * statistics.median(widths):.1f} % in the median"
    )


if __name__ == "__main__":
    command, path, *rest = sys.argv[1:]
    if command == "record":
        record(Path(path), int(rest[0]))
    else:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        rates([json.loads(line) for line in lines], int(rest[0]) if rest else 5)
