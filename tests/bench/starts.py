"""The cheapest start of a process whose replicates spread like fresh interpreters.

``python tests/bench/starts.py [PAIRS]`` times pairs of processes of one model, the same on both
sides, by the gate's own pairs: both forked from one server, both forked from servers started for
this pair, both fresh interpreters. The three are recorded in turns. What two processes share makes
them more alike: the spread of a kind of start is what its replicates can show.
"""

from __future__ import annotations

import math
import multiprocessing
import random
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import patch

from cmx_bench.execute import interpreters
from cmx_bench.execute.interpreters import Server
from cmx_bench.gate import ab, pairs
from cmx_bench.gate.comparing import TIMED
from cmx_bench.spec import suite
from cmx_bench.worker import local, scratch
from cmx_bench.worker.targets import Target
from cmx_bench.worker.turns import serve

MODELS = ("convmixer_256_16", "deit_tiny_patch16_224")
PATHS = {"base": sys.executable, "head": sys.executable}


@contextmanager
def fork(server: Server, target: str) -> Iterator[Connection]:
    """In the place of `servers.process`: a fork of one server for both sides."""
    ours, theirs = multiprocessing.Pipe()
    process = local.start(target, theirs)
    theirs.close()
    with ours:
        yield ours
    process.join()


@contextmanager
def spawn(server: Server, target: str) -> Iterator[Connection]:
    """In the place of `servers.process`: a fresh interpreter that forks nothing."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,))
    process.start()
    theirs.close()
    with ours:
        yield ours
    process.join()


STARTS = {"one server": fork, "a server each pair": None, "fresh interpreters": spawn}
NOBODY = tuple(Server(name, socket.socket(), Path("/dev/null")) for name in ("base", "head"))


def main(count: int) -> None:
    plan = local.call(Target.MAKE_PLAN, suite.load("ci"), "cpu")
    cells = [c for c in plan.cells if c.measure == TIMED and c.model.name in MODELS]
    by_kind: dict[tuple[str, str], list[float]] = {}
    took: dict[str, list[float]] = {}
    rng, log = random.Random(), scratch.folder() / "log.txt"
    for number in range(count):
        for kind in rng.sample([*STARTS], 3):
            start = STARTS[kind]
            for cell in cells:
                begin = time.monotonic()
                sides = ab.both(PATHS, log, 120) if start is None else nullcontext(NOBODY)
                with (
                    sides as (base, head),
                    patch.object(interpreters, "process", start or interpreters.process),
                ):
                    pair = pairs.measure(cell, base, head, rng)
                by_kind.setdefault((cell.model.name, kind), []).append(pair.log_ratio)
                took.setdefault(kind, []).append(time.monotonic() - begin)
        print(f"{number + 1} of {count}", file=sys.stderr, flush=True)
    for (name, kind), ratios in sorted(by_kind.items()):
        spread = statistics.stdev(ratios)
        error = spread / math.sqrt(2 * (len(ratios) - 1))
        middle = statistics.median(ratios)
        robust = 1.4826 * statistics.median(abs(ratio - middle) for ratio in ratios)
        print(
            f"{name:24} {kind:20} sd of a pair {100 * spread:.2f} ± {100 * error:.2f} %, by the "
            f"median deviation {100 * robust:.2f} %, mean {100 * statistics.fmean(ratios):+.2f} %, "
            f"{statistics.fmean(took[kind]):.1f} s a pair"
        )


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["30"])[0]))
