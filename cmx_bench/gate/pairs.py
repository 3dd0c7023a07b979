"""A pair: one fresh process of each side, timed in turns on the same cores.

What a shared machine does to a process comes and goes within tenths of a second (a neighbour on
the other half of a core slows it by a third) and differs from core to core, so that turns are as
short as the model allows and both processes are held on the same cores; see tests/bench/README.md.
"""

from __future__ import annotations

import dataclasses
import math
import os
import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, dataclass, field
from itertools import chain, count
from multiprocessing.connection import Connection
from typing import Any, Literal

from cmx_bench.cell import Cell, Setting
from cmx_bench.errors import CmxError
from cmx_bench.execute import interpreters
from cmx_bench.execute.interpreters import Server
from cmx_bench.measures import conditions
from cmx_bench.results import origins
from cmx_bench.results.records import Environment
from cmx_bench.worker.job import LOOK
from cmx_bench.worker.local import LostError, ProcessError
from cmx_bench.worker.targets import Target

# A turn is at least this long, by kind of device; a GPU's clock and launches need longer ones.
TURN_SECONDS = {"cpu": 0.02, "cuda": 0.1}
PAIR_SECONDS = 2.0
FEWEST_BLOCKS = 3
_OF_HEAD = ("foreign_load", "idle_cores", "gpu_foreign_processes")  # what it is to base


@dataclass(frozen=True, slots=True)
class Block:
    """Four turns, ABBA or BAAB: drift that is steady over a block cancels out.

    `base` and `head` are the seconds of one forward pass in each of the two turns of a side.
    """

    base_first: bool
    base: tuple[float, float]
    head: tuple[float, float]

    @property
    def log_ratio(self) -> float:
        """How much longer head takes, as a logarithm."""
        return statistics.fmean(map(math.log, self.head)) - statistics.fmean(
            map(math.log, self.base)
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """What one pair of processes gave. `passes` is the number of forward passes of a turn.

    `cores` are those that both were held on, None where they had all; `environments` are those of
    base and head; `elapsed` the seconds that it all took. `covariates` are the conditions of the
    whole pair, but for the load of others, of which head is one to base. They discard nothing:
    turns so short share what happens, and the median leaves out the blocks that did not. `origins`
    say which files each side's model is from; they are empty where it is nobody's own.
    """

    cell: str
    passes: int
    cores: list[int] | None
    blocks: tuple[Block, ...]
    environments: tuple[Environment, Environment]
    elapsed: float
    covariates: Mapping[str, float] = field(default_factory=dict)
    origins: tuple[str, str] = ("", "")

    @property
    def log_ratio(self) -> float:
        """How much longer head takes, as a logarithm: the median of the blocks."""
        return statistics.median(block.log_ratio for block in self.blocks)

    def seconds(self, side: Literal["base", "head"]) -> float:
        """The typical time of a forward pass on one side."""
        turns = (block.base if side == "base" else block.head for block in self.blocks)
        return statistics.median(chain.from_iterable(turns))


class PairError(CmxError):
    """A cell that failed on one side or both; `reasons` says why, by the name of the side.

    `lost` says that a process died or hung, which need not happen again; what a model raised does.
    `blameless` that a server died, for which neither side is to blame.
    """

    def __init__(
        self, reasons: Mapping[str, str], lost: bool = False, blameless: bool = False
    ) -> None:
        super().__init__("; ".join(f"{side}: {reason}" for side, reason in reasons.items()))
        self.reasons = reasons
        self.lost = lost
        self.blameless = blameless


def joined(errors: Sequence[PairError]) -> PairError:
    """The error of a cell that failed so on each side that failed."""
    reasons = {side: why for error in errors for side, why in error.reasons.items()}
    return PairError(
        dict(sorted(reasons.items())),
        lost=all(error.lost for error in errors),
        blameless=any(error.blameless for error in errors),
    )


def described(cell: Cell) -> dict[str, Any]:
    """A cell's model and setting as a worker's order names them, without what the model has none
    of: a version of this package that does not know the field has none of it either."""
    optional = {
        one.name for one in dataclasses.fields(cell.model)
        if one.default is not MISSING or one.default_factory is not MISSING
    }  # fmt: skip
    model = dataclasses.asdict(cell.model)
    return {
        "model": {name: value for name, value in model.items() if value or name not in optional},
        "setting": dataclasses.asdict(cell.setting),
    }


def measure(
    cell: Cell, base: Server, head: Server, rng: random.Random, timeout: float,
    extra_layers: int = 0,
) -> Pair:  # fmt: skip
    """Times one pair of fresh processes for about `PAIR_SECONDS`, after both have warmed up.

    Args:
        timeout: the longest that any answer may take, in seconds.
        extra_layers: makes head slower, for self-tests.

    Raises:
        PairError: a side failed.
    """
    begin = time.monotonic()
    cores = _cores(cell.setting, rng)
    order = {**described(cell), "cores": cores}
    with (
        interpreters.process(base, Target.TIME_IN_TURNS) as base_pipe,
        interpreters.process(head, Target.TIME_IN_TURNS) as head_pipe,
    ):
        one, other = Worker(base, base_pipe, timeout), Worker(head, head_pipe, timeout)
        orders = [
            (one, order | {"extra_layers": 0}),
            (other, order | {"extra_layers": extra_layers}),
        ]
        # Which is made first is drawn: the first was 1 % slower all its life (MLP-Mixer, 23 pairs).
        ready = _prepared(rng.sample(orders, 2))
        seconds = ready[base.name]["pass_seconds"]
        passes = max(1, round(TURN_SECONDS[cell.setting.kind] / seconds))
        before = ask(one, LOOK)
        blocks = tuple(_blocks(one, other, passes, rng))
        [found] = conditions.covariates([before, ask(one, LOOK)])
        seen = {name: value for name, value in found.items() if name not in _OF_HEAD}
    environments = (ready[base.name]["environment"], ready[head.name]["environment"])
    built_from = (_origin(cell, ready[base.name]), _origin(cell, ready[head.name]))
    took = time.monotonic() - begin
    return Pair(cell.key, passes, cores, blocks, environments, took, seen, built_from)


def _origin(cell: Cell, answer: Mapping[str, Any]) -> str:
    """`ours from mynet.py (1f0a…)`; an older version of this package does not say it."""
    origin = answer.get("origin")
    return f"{cell.model.name} from {origins.describe(origin)}" if origin else ""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process of a side, our end of its pipe, and the seconds that an answer may take."""

    side: Server
    pipe: Connection
    timeout: float


def ask(worker: Worker, order: object) -> Any:
    """A worker's answer to an order.

    Raises:
        PairError: it failed, died, or took too long.
    """
    with suppress(BrokenPipeError):  # of a worker that died: `receive` says how
        worker.pipe.send(order)
    try:
        found = interpreters.receive(worker.side, worker.pipe, worker.timeout)
    except ProcessError as error:
        reasons = {worker.side.name: f"the process {error}"}
        raise PairError(reasons, lost=True, blameless=isinstance(error, LostError)) from None
    if isinstance(found, dict) and "reason" in found:
        raise PairError({worker.side.name: found["reason"]})
    return found


def _prepared(orders: Sequence[tuple[Worker, object]]) -> dict[str, Any]:
    """The first answer of each worker by its side, one after the other: on one core they would
    disturb each other's warm-up."""
    found: dict[str, Any] = {}
    failures: list[PairError] = []
    for worker, order in orders:
        try:
            found[worker.side.name] = ask(worker, order)
        except PairError as error:
            failures.append(error)
    if failures:
        raise joined(failures)
    return found


def _blocks(base: Worker, head: Worker, passes: int, rng: random.Random) -> Iterator[Block]:
    begin = time.monotonic()
    for number in count():
        if number >= FEWEST_BLOCKS and time.monotonic() - begin > PAIR_SECONDS:
            return
        base_first = rng.random() < 0.5
        first, second = (base, head) if base_first else (head, base)
        times = [float(ask(one, passes)) / passes for one in (first, second, second, first)]
        outer, inner = (times[0], times[3]), (times[1], times[2])
        yield Block(base_first, *((outer, inner) if base_first else (inner, outer)))


def _cores(setting: Setting, rng: random.Random) -> list[int] | None:
    """Cores for both processes of a pair, drawn anew for each; None where all are needed."""
    if setting.threads is None or not hasattr(os, "sched_getaffinity"):
        return None
    usable = sorted(os.sched_getaffinity(0))
    return rng.sample(usable, setting.threads) if setting.threads < len(usable) else None
