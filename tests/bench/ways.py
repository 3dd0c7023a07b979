"""How sharp a pair of processes is, by the way in which its turns are timed.

``python tests/bench/ways.py SECONDS [NEIGHBOUR]`` begins pairs of processes of the models of
suites/ci.yaml, the same on both sides, beside nobody or beside a neighbour of a kind of
disturbance.py, and times each pair in every way for a while, in random order: the ways share the
processes. It prints the standard deviation over pairs of a pair's log-ratio, which truly is 0.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

from disturbance import neighbours

from cmx_bench.cell import Cell
from cmx_bench.execute.interpreters import Server
from cmx_bench.gate import ab, pairs
from cmx_bench.gate.blocks import Block
from cmx_bench.gate.comparing import TIMED
from cmx_bench.spec import suite
from cmx_bench.worker import local, scratch
from cmx_bench.worker.targets import Target

PATHS = {"base": sys.executable, "head": sys.executable}
WAY_SECONDS = 1.5
LONGER = 7  # times 20 ms


def time_ways(cell: Cell, base: Server, head: Server, rng: random.Random) -> dict[str, float]:
    """The log-ratio of one pair of processes in each way."""
    with pairs._begin(cell, base, head, rng, 0) as sides:
        ways = dict(all_ways(sides))
        return {
            name: statistics.median(block.log_ratio for block in ways[name]())
            for name in rng.sample([*ways], len(ways))
        }


def all_ways(sides: pairs._Sides) -> Iterator[tuple[str, Callable[[], Iterator[Block]]]]:
    assert sides.places.apart is not None, "this needs two cores"
    by_wall = replace(sides, turn=sides.passes)
    passes = LONGER * sides.passes
    longer = replace(sides, passes=passes, turn={"passes": passes})
    shared = [(worker, {"cores": sides.places.shared}) for worker in (sides.base, sides.head)]

    def in_turns(timing: pairs._Sides) -> Iterator[Block]:
        pairs.ask_at_once(shared)
        return pairs._repeat(pairs._in_turns, timing, WAY_SECONDS, 3)

    def together(timing: pairs._Sides) -> Iterator[Block]:
        return pairs._repeat(pairs._together, timing, WAY_SECONDS, 3)

    for about, timing in (("by the wall", by_wall), ("less waiting", sides)):
        yield f"in turns, {about}", partial(in_turns, timing)
        yield f"side by side, {about}", partial(together, timing)
    yield f"side by side, less waiting, turns {LONGER} times as long", partial(together, longer)
    yield "as a pair is timed", partial(pairs._blocks, sides)


def main(seconds: float, kinds: list[str]) -> None:
    plan = local.call(Target.MAKE_PLAN, suite.load("ci"), "cpu")
    cells = [cell for cell in plan.cells if cell.measure == TIMED]
    by_way: dict[str, list[float]] = {}
    rng, begin = random.Random(), time.monotonic()
    with neighbours(1, kinds[0]) if kinds else nullcontext():
        while time.monotonic() - begin < seconds:
            with ab.both(PATHS, scratch.folder() / "log.txt", 120) as (base, head):
                for cell in rng.sample(cells, len(cells)):
                    for name, ratio in time_ways(cell, base, head, rng).items():
                        by_way.setdefault(name, []).append(ratio)
            print(f"{time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    for name, ratios in sorted(by_way.items()):
        middle, spread = statistics.median(ratios), statistics.stdev(ratios)
        robust = 1.4826 * statistics.median(abs(ratio - middle) for ratio in ratios)
        print(
            f"{name:52} sd of a pair {100 * spread:.2f} %, by the median deviation "
            f"{100 * robust:.2f} %, mean {100 * statistics.fmean(ratios):+.2f} "
            f"± {100 * spread / len(ratios) ** 0.5:.2f} %, {len(ratios)} pairs"
        )


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
