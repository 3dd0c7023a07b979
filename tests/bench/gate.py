"""The gate's rates on this machine, beside its peers'; README.md here says what they were.

``python tests/bench/gate.py record BANK SECONDS [NEIGHBOUR...]`` records pairs of processes of
suites/ci.yaml, both kinds in one recording: the sides the same, and head with `LAYERS` more layers.
It appends; each round is beside the next of the neighbours named (kinds of disturbance.py), or
beside nobody. ``… timm FILE ROUNDS`` does so with runs of timm's benchmark.py, found through
``TIMM_SCRIPTS``. ``… rates BANK [FILE]`` resamples gates from what was recorded, the peers' gates
from the same samples. ``… live ROUNDS [NEIGHBOUR]`` runs whole gates, five of each kind a round.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias
from unittest.mock import patch

from disturbance import neighbours
from peers import PEERS, peer, show_timm

from cmx_bench.cell import Cell
from cmx_bench.execute import looking
from cmx_bench.gate import ab, pairs, rule, selftest
from cmx_bench.gate.ab import Gate
from cmx_bench.gate.blocks import Block
from cmx_bench.gate.comparing import TIMED
from cmx_bench.gate.pairs import Pair
from cmx_bench.spec import suite
from cmx_bench.worker import local, scratch
from cmx_bench.worker.targets import Target

THRESHOLD = 0.05
TIMEOUT = 120.0
GATES = 5000
BUDGETS = (10, 15, 20, 30, 40, 60, 120)
# Thresholds, and the slowdowns that are to be caught at them.
ASKED = ((0.05, 0.05), (0.02, 0.04), (0.02, 0.02))
QUIET, EARLIER = "quiet", "turns alone, by the wall, on the earlier machine"
STIRRED = 0.1  # cores that other programs use, on average over a pair
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
    return local.call(Target.MAKE_PLAN, suite.load("ci"), "cpu")


# --- recording ------------------------------------------------------------------------------------


def record(bank: Path, seconds: float, kinds: Sequence[str]) -> None:
    cells = [cell for cell in ci_plan().cells if cell.measure == TIMED]
    begin, took = time.monotonic(), 0.0
    for number in count():
        if time.monotonic() - begin + took > seconds:
            return
        start = time.monotonic()
        condition = kinds[number % len(kinds)] if kinds else QUIET
        with neighbours(1, condition) if kinds else nullcontext(), bank.open("a") as file:
            for line in measure_round(cells, bank.with_suffix(".log")):
                whole = {"condition": condition, **line}
                file.write(json.dumps(whole, separators=(",", ":")) + "\n")
                file.flush()
        took = time.monotonic() - start
        print(f"round {number + 1}, {condition}: {took:.0f} s", flush=True)


def measure_round(cells: Sequence[Cell], log: Path) -> Iterator[dict[str, Any]]:
    """A round: a pair of each kind of each cell, and how many cores others used meanwhile."""
    rng, begin = random.Random(), time.monotonic()
    jobs = [(cell, kind) for cell in cells for kind in ("same", "slower")]
    with ab.both(SAME, log, TIMEOUT) as (base, head):
        servers = round(time.monotonic() - begin, 2)
        for cell, kind in rng.sample(jobs, len(jobs)):
            layers = LAYERS[cell.model.name] if kind == "slower" else 0
            look = looking.watch()
            pair = pairs.measure(cell, base, head, rng, layers)
            others = look(os.cpu_count() or 1)
            busy = None if others is None else others.busy
            yield {"kind": kind, "servers": servers, "others": busy, **as_line(pair)}


def as_line(pair: Pair) -> dict[str, Any]:
    """A pair with the microseconds of each turn: [together, base first, base, base, head, head]."""
    blocks = [
        [
            int(block.together), int(block.base_first),
            *(round(1e6 * turn) for turn in (*block.base, *block.head)),
        ]
        for block in pair.blocks
    ]  # fmt: skip
    return {
        "model": pair.cell.partition("/")[0], "passes": pair.passes, "cores": pair.cores,
        "base_first": pair.base_first, "elapsed": round(pair.elapsed, 2), "blocks": blocks,
    }  # fmt: skip


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
            printed = re.search(r"--result\s+(.*)", done.stdout, re.DOTALL)
            assert printed is not None, done.stdout[-500:]
            rate = json.loads(printed[1])["infer_samples_per_sec"]
            with file.open("a") as out:
                run = {"kind": kind, "rate": rate, "elapsed": round(time.time() - begin, 1)}
                out.write(json.dumps(run) + "\n")
        print(f"round {number + 1} of {rounds}", flush=True)


# --- rates ----------------------------------------------------------------------------------------


Pairs: TypeAlias = Mapping[str, Any]


def read(path: Path) -> list[dict[str, Any]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:  # type: ignore[operator]
        return [json.loads(line) for line in file]


def log_ratio(pair: Mapping[str, Any]) -> float:
    """As `Pair.log_ratio`."""
    blocks = (
        Block(bool(first), (a, b), (c, d), bool(together))
        for together, first, a, b, c, d in pair["blocks"]
    )
    return statistics.median(block.log_ratio for block in blocks)


def by_model(bank: Sequence[Pairs], kind: str) -> dict[str, list[float]]:
    ratios: dict[str, list[float]] = {}
    for pair in bank:
        if pair["kind"] == kind:
            ratios.setdefault(pair["model"], []).append(log_ratio(pair))
    return ratios


def rates(bank: Sequence[Pairs], timm: Sequence[Mapping[str, Any]]) -> None:
    for title, there in by_condition(bank).items():
        show_spreads(title, there)
        show_rates(there)
    if timm:
        show_timm(timm)


def by_condition(bank: Sequence[Pairs]) -> dict[str, list[Pairs]]:
    """Pairs of the earlier machine, beside nobody, a neighbour, and other programs."""
    pairs_of: dict[str, list[Pairs]] = {}
    for pair in bank:
        title = "a neighbour"
        if pair["condition"] == QUIET:
            title = QUIET if (pair["others"] or 0) < STIRRED else "other programs"
        elif pair["condition"] == EARLIER:
            title = EARLIER
        pairs_of.setdefault(title, []).append(pair)
    return pairs_of


def pool(bank: Sequence[Pairs], kind: str) -> list[float]:
    """The log-ratios of one kind; of slower pairs how far they are from their model's mean."""
    if kind == "same":
        return [ratio for ratios in by_model(bank, kind).values() for ratio in ratios]
    several = [ratios for ratios in by_model(bank, kind).values() if len(ratios) > 1]
    return [ratio - statistics.fmean(ratios) for ratios in several for ratio in ratios]


def show_spreads(title: str, bank: Sequence[Pairs]) -> None:
    alone = statistics.fmean(all(block[0] for block in pair["blocks"]) for pair in bank)
    print(
        f"{title}: {seconds_a_pair(bank):.1f} s of measuring a pair, servers included; "
        f"{100 * alone:.0f} % side by side only"
    )
    for kind in ("same", "slower"):
        ratios = pool(bank, kind)
        print(
            f"  {kind:6} sd of a pair {100 * statistics.stdev(ratios):.2f} %, {len(ratios)} pairs"
        )
    same = [pair for pair in bank if pair["kind"] == "same"]
    signs = {"head": [1] * len(same)}
    if all("base_first" in pair for pair in same):
        signs["begun first"] = [1 - 2 * pair["base_first"] for pair in same]
    for name, each in signs.items():
        slowed = [sign * log_ratio(pair) for sign, pair in zip(each, same, strict=True)]
        error = statistics.stdev(slowed) / math.sqrt(len(slowed))
        print(f"  {name} is slower by {100 * statistics.fmean(slowed):+.3f} ± {100 * error:.3f} %")


def show_rates(bank: Sequence[Pairs]) -> None:
    same, slower, per_pair = pool(bank, "same"), pool(bank, "slower"), seconds_a_pair(bank)
    print(f"  {'gates':40} false alarms  caught  inconclusive same/slower  seconds a model")
    for threshold, slowdown in ASKED:
        exactly = move(slower, slowdown)
        title = f"ours at {100 * threshold:g} %, slower by exactly {100 * slowdown:g} %"
        show(title, sequential(same, threshold), sequential(exactly, threshold), per_pair)
    pairs_used = round(sequential(same).pairs)
    for title, gate in PEERS.items():
        alarms, caught = (
            peer([pair for pair in bank if pair["kind"] == kind], gate, pairs_used)
            for kind in ("same", "slower")
        )
        print(f"  {title:40} {100 * alarms:9.1f} %  {100 * caught:5.1f} %")
    for threshold, slowdown in ASKED:
        exactly = move(slower, slowdown)
        print(f"  budgets at {100 * threshold:g} %, slower by {100 * slowdown:g} %:")
        for budget in BUDGETS:
            if (most := int(budget / per_pair)) >= rule.LOOKS[0]:
                quiet, loud = (sequential(ratios, threshold, most) for ratios in (same, exactly))
                show_budget(budget, most, quiet, loud)


def move(centred: Sequence[float], slowdown: float) -> list[float]:
    return selftest.move({"all": centred}, slowdown)["all"]


def show_budget(budget: int, most: int, quiet: selftest.Rates, loud: selftest.Rates) -> None:
    print(
        f"  {budget:4} s {most:3} pairs: false alarms {100 * quiet.fail:.2f} %, "
        f"power {100 * loud.fail:.1f} %, missed {100 * loud.passed:.1f} %, inconclusive "
        f"{100 * quiet.inconclusive:.1f} % same, {100 * loud.inconclusive:.1f} % slower"
    )


def seconds_a_pair(bank: Sequence[Pairs]) -> float:
    """With a share of the servers' start: a gate of all models has a pair of each a round."""
    models = len({pair["model"] for pair in bank})
    starting = statistics.fmean(pair["servers"] for pair in bank)
    return statistics.fmean(pair["elapsed"] for pair in bank) + starting / models


def sequential(
    log_ratios: Sequence[float], threshold: float = THRESHOLD, most: int = 40
) -> selftest.Rates:
    return selftest.overall({"": log_ratios}, threshold, most, random.Random(0), GATES)


def show(title: str, quiet: selftest.Rates, loud: selftest.Rates, per_pair: float) -> None:
    print(
        f"  {title:40} {100 * quiet.fail:9.2f} %  {100 * loud.fail:5.1f} %  "
        f"{100 * quiet.inconclusive:9.1f} % / {100 * loud.inconclusive:.1f} %  "
        f"{quiet.pairs * per_pair:9.1f} / {loud.pairs * per_pair:.1f}"
    )


# --- live -----------------------------------------------------------------------------------------


def measure_slowed(
    measure: Callable[..., Pair], layers: Mapping[str, int], cell: Cell, *others: Any
) -> Pair:
    """Measures a pair; the name of its model says how many layers more its head has."""
    return measure(cell, *others, layers.get(cell.model.name, 0))


def live(rounds: int) -> None:
    """Whole gates of suites/ci.yaml, `ab` from beginning to end, five models at a time."""
    plan = ci_plan()
    states: dict[str, list[str]] = {"same": [], "slower": []}
    used: dict[str, list[int]] = {"same": [], "slower": []}
    spent: dict[str, list[float]] = {"same": [], "slower": []}
    for number in range(rounds):
        for kind, layers in (("same", {}), ("slower", LAYERS)):
            begin = time.time()
            gate, log = Gate(THRESHOLD, expect_equal=True), scratch.folder() / "log.txt"
            with patch.object(pairs, "measure", partial(measure_slowed, pairs.measure, layers)):
                compared = ab.compare(plan, SAME, gate, log, lambda *_: None)
            timed = [verdict for verdict in compared.comparisons() if not verdict.metric.exact]
            states[kind] += [verdict.state for verdict in timed]
            used[kind] += [verdict.n[0] for verdict in timed]
            spent[kind].append((time.time() - begin) / len(timed))
            ends = [(verdict.model, verdict.state, verdict.n[0]) for verdict in timed]
            print(number, kind, ends, flush=True)
    for kind, ended in states.items():
        counts = {state: ended.count(state) for state in sorted(set(ended))}
        print(
            f"{kind}: {len(ended)} gates, {counts}, {statistics.fmean(used[kind]):.1f} pairs, "
            f"{statistics.fmean(spent[kind]):.0f} s a model"
        )


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "record":
        record(Path(arguments[0]), float(arguments[1]), arguments[2:])
    elif command == "timm":
        record_timm(Path(arguments[0]), int(arguments[1]))
    elif command == "rates":
        rates(*(read(Path(path)) for path in arguments), *([[]] * (2 - len(arguments))))
    elif command == "live":
        with neighbours(len(arguments) - 1, arguments[-1]):
            live(int(arguments[0]))
    else:
        raise SystemExit(__doc__)
