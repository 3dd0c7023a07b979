"""The gate's rates on this machine, beside its peers'; README.md here says what they were.

``python tests/bench/gate.py record BANK ROUNDS`` records pairs of processes of suites/ci.yaml, both
kinds in one recording: the sides the same, and head with `LAYERS` more layers. It appends; a round
takes some 45 s. ``… timm FILE ROUNDS`` does so with runs of timm's benchmark.py, found through
``TIMM_SCRIPTS``. ``… rates BANK [FILE]`` resamples gates from what was recorded, the peers' gates
from the same samples. ``… live ROUNDS`` runs whole gates, five of each kind a round.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from scipy.stats import mannwhitneyu

from cmx_bench.gate import ab, pairs, selftest, simulate
from cmx_bench.gate.ab import Gate
from cmx_bench.gate.cells import TIMED
from cmx_bench.gate.pairs import Block, Pair
from cmx_bench.spec import suite
from cmx_bench.worker import local
from cmx_bench.worker.targets import Target

THRESHOLD = 0.05
TIMEOUT = 120.0
GATES = 2000
BUDGETS = (30, 45, 60, 75, 90, 120, 180)
SAME = {"base": sys.executable, "head": sys.executable}

# Small convolutions that make each model about 5 % slower on the machine of the bank.
LAYERS = {
    "convmixer_256_16": 8,
    "resnet18": 8,
    "deit_tiny_patch16_224": 5,
    "resmlp_12_224": 11,
    "mixer_s32_224": 10,
}


def ci_plan() -> Any:
    return local.call(Target.MAKE_PLAN, suite.load("ci"), "cpu", (), False)


# --- recording ------------------------------------------------------------------------------------


def record(bank: Path, rounds: int) -> None:
    cells = [cell for cell in ci_plan().cells if cell.measure == TIMED]
    rng = random.Random()
    for number in range(rounds):
        jobs = [(cell, kind) for cell in cells for kind in ("same", "slower")]
        rng.shuffle(jobs)
        begin = time.time()
        with ab.both(SAME, bank.with_suffix(".log")) as (base, head), bank.open("a") as file:
            for cell, kind in jobs:
                layers = LAYERS[cell.model.name] if kind == "slower" else 0
                pair = pairs.measure(cell, base, head, rng, TIMEOUT, layers)
                file.write(as_line(kind, number, pair) + "\n")
                file.flush()
        print(f"round {number + 1} of {rounds}: {time.time() - begin:.0f} s", flush=True)


def as_line(kind: str, number: int, pair: Pair) -> str:
    """A pair with the microseconds of each turn: [base first, base, base, head, head]."""
    blocks = [
        [int(block.base_first), *(round(1e6 * turn) for turn in (*block.base, *block.head))]
        for block in pair.blocks
    ]
    found = {
        "kind": kind, "round": number, "model": pair.cell.partition("/")[0],
        "passes": pair.passes, "cores": pair.cores, "elapsed": round(pair.elapsed, 2),
        "blocks": blocks,
    }  # fmt: skip
    return json.dumps(found, separators=(",", ":"))


def record_timm(file: Path, rounds: int) -> None:
    """DeiT-Ti as in suites/ci.yaml, and with an MLP 8 % wider: 5 % more MACs."""
    script = Path(os.environ["TIMM_SCRIPTS"]) / "benchmark.py"
    line = [
        sys.executable, str(script), "--model", "deit_tiny_patch16_224", "--bench", "inference",
        "--device", "cpu", "--precision", "float32", "--batch-size", "1", "--img-size", "128",
        "--no-retry", "--model-kwargs", "img_size=128",
    ]  # fmt: skip
    for number in range(rounds):
        for kind, more in (("same", []), ("slower", ["mlp_ratio=4.32"])):
            begin = time.time()
            done = subprocess.run(
                line + more, check=True, capture_output=True, text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )  # fmt: skip
            found = re.search(r"--result\s+(.*)", done.stdout, re.DOTALL)
            assert found is not None, done.stdout[-500:]
            rate = json.loads(found[1])["infer_samples_per_sec"]
            with file.open("a") as out:
                run = {"kind": kind, "rate": rate, "elapsed": round(time.time() - begin, 1)}
                out.write(json.dumps(run) + "\n")
        print(f"round {number + 1} of {rounds}", flush=True)


# --- rates ----------------------------------------------------------------------------------------


def read(path: Path) -> list[dict[str, Any]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:  # type: ignore[operator]
        return [json.loads(line) for line in file]


def log_ratio(pair: Mapping[str, Any]) -> float:
    """As `Pair.log_ratio`."""
    blocks = (Block(bool(first), (a, b), (c, d)) for first, a, b, c, d in pair["blocks"])
    return statistics.median(block.log_ratio for block in blocks)


def by_model(bank: Sequence[Mapping[str, Any]], kind: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for pair in bank:
        if pair["kind"] == kind:
            found.setdefault(pair["model"], []).append(log_ratio(pair))
    return found


def rates(bank: Sequence[Mapping[str, Any]], timm: Sequence[Mapping[str, Any]]) -> None:
    same, slower = by_model(bank, "same"), by_model(bank, "slower")
    per_pair = seconds_a_pair(bank, len(same))
    counts = f"{sum(map(len, same.values()))} same, {sum(map(len, slower.values()))} slower"
    print(f"bank: {counts}, {per_pair:.1f} s of measuring a pair, servers included")
    for name, ratios in same.items():
        effect = statistics.fmean(slower[name])
        error = statistics.stdev(slower[name]) / math.sqrt(len(slower[name]))
        print(
            f"  {name:24} sd of a pair {100 * statistics.stdev(ratios):.2f} % same, "
            f"{100 * statistics.stdev(slower[name]):.2f} % slower; "
            f"A/A {100 * statistics.fmean(ratios):+.2f} %, injected "
            f"{100 * math.expm1(effect):+.2f} ± {100 * error:.2f} %"
        )
    exactly = selftest.moved(slower, THRESHOLD)
    print(
        f"gates at {100 * THRESHOLD:g} %, {GATES} resampled of each kind, equally from each model:"
    )
    print(f"  {'':44} false alarms  caught  inconclusive same/slower  seconds a model same/slower")
    show("ours, injected as measured", sequential(same), sequential(slower), per_pair)
    show("ours, injected moved to exactly 5 %", sequential(same), sequential(exactly), per_pair)
    pairs_used = round(sequential(same).pairs)
    by_kind = {
        kind: {
            name: [one for one in bank if one["kind"] == kind and one["model"] == name]
            for name in same
        }
        for kind in ("same", "slower")
    }
    for title, gate in PEERS.items():
        alarms, caught = (peer(by_kind[kind], gate, pairs_used) for kind in ("same", "slower"))
        print(f"  {title:44} {100 * alarms:9.1f} %  {100 * caught:5.1f} %")
    if timm:
        show_timm(timm)
    print("budget: seconds of measuring a model, pairs, and the shares of gates at 5 %:")
    for budget in BUDGETS:
        most = int(budget / per_pair)
        quiet, loud = sequential(same, most), sequential(exactly, most)
        print(
            f"  {budget:4} s {most:3} pairs: false alarms {100 * quiet.fail:.2f} %, "
            f"power {100 * loud.fail:.1f} %, missed {100 * loud.passed:.1f} %, inconclusive "
            f"{100 * quiet.inconclusive:.1f} % same, {100 * loud.inconclusive:.1f} % slower"
        )


def seconds_a_pair(bank: Sequence[Mapping[str, Any]], models: int) -> float:
    """With a share of the servers' start: a gate of all models has a pair of each a round."""
    return statistics.fmean(pair["elapsed"] for pair in bank) + SERVERS_SECONDS / models


SERVERS_SECONDS = 8.0  # until two interpreters have loaded torch and timm at the same time


def sequential(log_ratios: Mapping[str, Sequence[float]], most: int = 40) -> simulate.Rates:
    return simulate.overall(log_ratios, THRESHOLD, most, random.Random(0), GATES)


def show(title: str, quiet: simulate.Rates, loud: simulate.Rates, per_pair: float) -> None:
    print(
        f"  {title:44} {100 * quiet.fail:9.2f} %  {100 * loud.fail:5.1f} %  "
        f"{100 * quiet.inconclusive:9.1f} % / {100 * loud.inconclusive:.1f} %  "
        f"{quiet.pairs * per_pair:16.0f} / {loud.pairs * per_pair:.0f}"
    )


# --- peers, on the same samples -------------------------------------------------------------------

Drawn = Sequence[Mapping[str, Any]]


def turns(drawn: Drawn, side: int) -> list[float]:
    return [turn for pair in drawn for block in pair["blocks"] for turn in block[side : side + 2]]


def mann_whitney(base: Sequence[float], head: Sequence[float]) -> bool:
    """p < 0.05, and head slower."""
    slower = statistics.median(head) > statistics.median(base)
    return slower and float(mannwhitneyu(base, head).pvalue) < 0.05


def mean_rule(base: Sequence[float], head: Sequence[float]) -> bool:
    """pytest-benchmark's ``--benchmark-compare-fail=mean:5%``."""
    return statistics.fmean(head) > (1 + THRESHOLD) * statistics.fmean(base)


def interleaved(gate: Callable[..., bool]) -> Callable[[Drawn], bool]:
    """A rule on the samples of all pairs, which its users do not interleave."""
    return lambda drawn: gate(turns(drawn, 1), turns(drawn, 3))


def stored(gate: Callable[..., bool]) -> Callable[[Drawn], bool]:
    """A rule as it is used: one process now against one that was stored before."""
    return lambda drawn: gate(turns(drawn[:1], 1), turns(drawn[1:2], 3))


PEERS: dict[str, Callable[[Drawn], bool]] = {
    "Mann-Whitney on iterations, same pairs": interleaved(mann_whitney),
    "Mann-Whitney on iterations, stored baseline": stored(mann_whitney),
    "pytest-benchmark mean:5%, same pairs": interleaved(mean_rule),
    "pytest-benchmark mean:5%, stored baseline": stored(mean_rule),
}


def peer(by_name: Mapping[str, Drawn], gate: Callable[[Drawn], bool], n: int) -> float:
    """The share of gates that fail, each on `n` pairs of one model."""
    rng = random.Random(0)
    each = GATES // 10  # Mann-Whitney takes milliseconds
    failed = [gate(rng.sample(bank, n)) for bank in by_name.values() for _ in range(each)]
    return statistics.fmean(failed)


def show_timm(runs: Sequence[Mapping[str, Any]]) -> None:
    """Two runs in a row, the second judged against the first by a 5 % rule."""
    base, head = (
        [one["rate"] for one in runs if one["kind"] == kind] for kind in ("same", "slower")
    )
    slow = [math.log(b / h) for b, h in zip(base, head, strict=True)]
    alarms = [old > (1 + THRESHOLD) * new for old, new in pairwise(base)]
    caught = [old > (1 + THRESHOLD) * new for old, new in zip(base, head, strict=True)]
    took = 2 * statistics.fmean(one["elapsed"] for one in runs)
    shares = [100 * statistics.fmean(one) for one in (alarms, caught)]
    title = "timm benchmark.py, two runs in a row, > 5 %"
    print(
        f"  {title:44} {shares[0]:9.1f} %  {shares[1]:5.1f} %"
        f"  ({len(base)} runs of each kind, {took:.0f} s a gate, truly slower by "
        f"{100 * math.expm1(statistics.fmean(slow)):.1f} %)"
    )


# --- live -----------------------------------------------------------------------------------------


def live(rounds: int) -> None:
    """Whole gates of suites/ci.yaml, `ab` from beginning to end, five models at a time."""
    plan = ci_plan()
    states: dict[str, list[str]] = {"same": [], "slower": []}
    used: dict[str, list[int]] = {"same": [], "slower": []}
    spent: dict[str, list[float]] = {"same": [], "slower": []}
    for number in range(rounds):
        for kind, layers in (("same", {}), ("slower", LAYERS)):
            begin = time.time()
            gate = Gate(THRESHOLD, expect_equal=True, extra_layers=layers)
            compared = ab.compare(plan, SAME, gate, Path(os.devnull), lambda *_: None)
            timed = [one for one in compared.comparisons if not one.metric.exact]
            states[kind] += [one.state for one in timed]
            used[kind] += [one.n[0] for one in timed]
            spent[kind].append((time.time() - begin) / len(timed))
            print(number, kind, [(one.model, one.state, one.n[0]) for one in timed], flush=True)
    for kind, ended in states.items():
        counts = {state: ended.count(state) for state in sorted(set(ended))}
        print(
            f"{kind}: {len(ended)} gates, {counts}, {statistics.fmean(used[kind]):.1f} pairs, "
            f"{statistics.fmean(spent[kind]):.0f} s a model"
        )


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "record":
        record(Path(arguments[0]), int(arguments[1]))
    elif command == "timm":
        record_timm(Path(arguments[0]), int(arguments[1]))
    elif command == "rates":
        rates(*(read(Path(one)) for one in arguments), *([[]] * (2 - len(arguments))))
    elif command == "live":
        live(int(arguments[0]))
    else:
        raise SystemExit(__doc__)
