"""Whether the rule of `measures/conditions.py` names the blocks that neighbours slowed.

``python tests/bench/disturbance.py record FOLDER`` runs four small networks with one and two
threads, first beside nobody and then beside neighbours: processes that multiply matrices in bursts.
``… show FOLDER`` prints, for each run, how many blocks that were slow the rule names, and how many
that were not, and what the values of the models come to against those of the quiet run.
"""

from __future__ import annotations

import math
import multiprocessing
import random
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cmx_bench.measures import conditions
from cmx_bench.results import disturbance, records, stats
from cmx_bench.results.grouping import group
from cmx_bench.results.records import Record

SUITE = """
name: disturbance
models:
  - {name: tiny, convmixer: {dim: 16, depth: 2}}
  - {name: small, convmixer: {dim: 256, depth: 8, kernel_size: 5, patch_size: 7}}
  - resnet18
  - deit_tiny_patch16_224
measures: [throughput]
replicates: 3
settings:
  cpu:
    - {name: one, precision: fp32, batch_size: 1, image_size: 224, threads: 1}
    - {name: two, precision: fp32, batch_size: 1, image_size: 224, threads: 2}
"""
# Seconds that a neighbour works and rests, at least and at most.
BURSTS = {
    "short": ((0.005, 0.06), (0.01, 0.2)),
    "bursts": ((0.1, 2.0), (0.1, 1.5)),
    "always": ((5.0, 5.0), (0.0, 0.0)),
}
RUNS = [
    ("quiet", 0, "always"), ("one-short", 1, "short"), ("one-bursts", 1, "bursts"),
    ("again", 0, "always"), ("one-always", 1, "always"), ("two-bursts", 2, "bursts"),
    ("four-bursts", 4, "bursts"),
]  # fmt: skip
SLOW = 0.95  # of the speed of the process's median, or of the quiet run's


def work(kind: str, seed: int) -> None:
    import torch

    torch.set_num_threads(1)
    rng, matrix = random.Random(seed), torch.randn(700, 700)
    working, resting = BURSTS[kind]
    while True:
        end = time.monotonic() + rng.uniform(*working)
        while time.monotonic() < end:
            matrix @ matrix
        time.sleep(rng.uniform(*resting))


@contextmanager
def neighbours(count: int, kind: str) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=work, args=(kind, n), daemon=True) for n in range(count)]
    for other in others:
        other.start()
    if others:
        time.sleep(5)  # until they have loaded torch
    try:
        yield
    finally:
        for other in others:
            other.kill()


def record(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    suite = folder / "suite.yaml"
    suite.write_text(SUITE, encoding="utf-8")
    for name, count, kind in RUNS:
        begin = time.monotonic()
        with neighbours(count, kind):
            command = [sys.executable, "-m", "cmx_bench", "run", suite, "--out", folder / name]
            subprocess.run(command, check=True, capture_output=True)
        print(f"{name}: {time.monotonic() - begin:.0f} s", flush=True)


def auc(scores: Sequence[float], slow: Sequence[bool]) -> float:
    """Probability that a slow block has the higher score; ties count half."""
    high = [score for score, is_slow in zip(scores, slow, strict=True) if is_slow]
    low = [score for score, is_slow in zip(scores, slow, strict=True) if not is_slow]
    pairs = len(high) * len(low)
    return sum((a > b) + (a == b) / 2 for a in high for b in low) / pairs if pairs else math.nan


def read(folder: Path) -> list[Record]:
    return disturbance.judge_together(
        [record for record in records.read(folder) if record.status == "ok"]
    )


def value(cell: Sequence[Record]) -> float:
    return statistics.geometric_mean(
        statistics.median(record.values["throughput"]) for record in cell
    )


def all_blocks(record: Record) -> list[float]:
    return disturbance.in_order(record, "throughput")[0]


def show(folder: Path) -> None:
    quiet: dict[str, float] = {}
    for name, *_ in RUNS:
        if not (folder / name).exists():
            continue
        cells = group(read(folder / name), lambda record: record.cell)
        quiet = quiet or {cell: value(disturbance.counting(mine)) for cell, mine in cells.items()}
        processes = [record for mine in cells.values() for record in mine]
        stayed = sum(map(disturbance.is_disturbed, processes))
        print(f"\n{name}: {len(processes)} processes, {stayed} stayed disturbed")
        for title, bar in (("its process's median", None), ("the quiet value", quiet)):
            print(f"  slower than {title} by 5 %: {_share_named(processes, bar)}")
        shares = defaultdict(list)
        for cell, mine in cells.items():
            every = statistics.geometric_mean(
                statistics.median(all_blocks(record)) for record in mine
            )
            shares["all blocks"].append(every / quiet[cell])
            shares["what counts"].append(value(disturbance.counting(mine)) / quiet[cell])
        held = [_holds(disturbance.counting(mine), quiet[cell]) for cell, mine in cells.items()]
        print(f"  {sum(held)} of {len(held)} intervals hold the quiet value")
        for title, ratios in shares.items():
            print(f"  against the quiet value, {title}: " + " ".join(f"{r:.2f}" for r in ratios))


def _holds(cell: Sequence[Record], quiet: float) -> bool:
    interval = stats.estimate([record.values["throughput"] for record in cell])
    return interval.low is not None and interval.low <= quiet <= (interval.high or 0.0)


def _share_named(processes: Sequence[Record], quiet: dict[str, float] | None) -> str:
    """How many of the slow blocks the rule names, and of the others."""
    slow, flags, scores = [], [], []
    for record in processes:
        rates = all_blocks(record)
        bar = statistics.median(rates) if quiet is None else quiet[record.cell]
        slow += [rate < SLOW * bar for rate in rates]
        flags += [bool(flag) for flag in record.covariates["disturbed"]]
        scores += map(_score, conditions.read_back(record.covariates, None), _slowdowns(record))
    counts = Counter(zip(slow, flags, strict=True))
    named = _share(counts[True, True], counts[True, False])
    wrong = _share(counts[False, True], counts[False, False])
    return f"{named} named; of the others {wrong}; AUC {auc(scores, slow):.2f}"


def _share(some: int, others: int) -> str:
    return f"{some} of {some + others} ({some / max(1, some + others):.1%})"


def _slowdowns(record: Record) -> Sequence[float]:
    return record.covariates.get("slowdown") or [math.inf] * len(record.covariates["disturbed"])


def _score(block: conditions.Covariates, slowdown: float) -> float:
    """What the rule sees: a slowdown that has a cause."""
    return slowdown if conditions.reasons(block) else 0.0


if __name__ == "__main__":
    {"record": record, "show": show}[sys.argv[1]](Path(sys.argv[2]))
