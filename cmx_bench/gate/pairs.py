"""A pair: one fresh process of each side, timed so that both meet what happens to the machine.

Side by side, on cores of their own that they swap with every turn, both meet it at the same time.
In turns on one core, both meet what happens to that core. Which of the two is sharper depends on
the machine and the minute. So a pair runs side by side first and, if those blocks disagree, in
turns too: see tests/bench/README.md.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import MISSING, asdict, dataclass, field, fields
from functools import partial
from itertools import chain, count
from multiprocessing.connection import Connection
from typing import Any, Literal, TypeVar

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.errors import CmxError
from cmx_bench.execute import interpreters
from cmx_bench.execute.interpreters import Server
from cmx_bench.gate import blocks, cores
from cmx_bench.gate.blocks import Block
from cmx_bench.gate.cores import Cores, PairCores
from cmx_bench.measures import conditions
from cmx_bench.results import origins
from cmx_bench.results.records import Environment
from cmx_bench.worker.job import LOOK
from cmx_bench.worker.local import ProcessError
from cmx_bench.worker.targets import Target

# A turn is at least this long, by kind of device; a GPU's clock and launches need longer ones.
TURN_SECONDS = {"cpu": 0.02, "cuda": 0.1}
# The seconds for which blocks are taken, and the fewest of them: fewer blocks agree by chance. A
# block in turns lasts twice as long as one side by side, so that half as many take the same time.
TOGETHER_SECONDS, FEWEST_TOGETHER = 0.7, 6
TURNS_SECONDS, FEWEST_IN_TURNS = 2.0, 3
# Where the median of the blocks side by side has a smaller standard error, no turns follow: fresh
# processes of one model differ by as much.
SHARP = 0.005
_Answer = TypeVar("_Answer")
# Conditions that count head as a foreign process, because base's process watches them.
_OF_HEAD = ("foreign_load", "idle_cores", "gpu_foreign_processes")


@dataclass(frozen=True, slots=True)
class Pair:
    """What one pair of processes gave. `passes` is the number of forward passes of a turn.

    `cores` are those on which both have their turns, None if these are all; `environments` are
    those of base and head, `elapsed` the seconds of the pair. `covariates` are the conditions of
    the whole pair, without `_OF_HEAD`. They discard nothing: both sides share what happens in
    turns so short, and the median leaves out the blocks in which they did not. `origins` name the
    files of each side's model, and are empty for models of timm and of this package. `base_first`
    says which process was begun first.
    """

    cell: str
    passes: int
    cores: Cores | None
    blocks: tuple[Block, ...]
    environments: tuple[Environment, Environment]
    elapsed: float
    covariates: Mapping[str, float] = field(default_factory=dict)
    origins: tuple[str, str] = ("", "")
    base_first: bool = True

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


def describe(cell: Cell) -> dict[str, Any]:
    """A cell's model and setting as a worker's order names them, without what they have none of: a
    version of this package that does not know the field has none of it either."""
    return {"model": _without_defaults(cell.model), "setting": _without_defaults(cell.setting)}


def _without_defaults(noun: Model | Setting) -> dict[str, Any]:
    defaults = {
        each.name: each.default if each.default_factory is MISSING else each.default_factory()
        for each in fields(noun)
    }
    values = asdict(noun)
    return {name: value for name, value in values.items() if value or value != defaults[name]}


def measure(
    cell: Cell, base: Server, head: Server, rng: random.Random, extra_layers: int = 0
) -> Pair:
    """Times one pair of fresh processes, after both have warmed up.

    Args:
        extra_layers: makes head slower, for self-tests.

    Raises:
        PairError: a side failed.
    """
    begin = time.monotonic()
    with _begin(cell, base, head, rng, extra_layers) as sides:
        before = ask(sides.base, LOOK)
        timed = tuple(_blocks(sides))
        [watched] = conditions.covariates([before, ask(sides.base, LOOK)])
        covariates = {name: value for name, value in watched.items() if name not in _OF_HEAD}
    old, new = sides.ready[base.name], sides.ready[head.name]
    return Pair(
        cell.key, sides.passes, sides.places.shared, timed,
        environments=(old["environment"], new["environment"]),
        elapsed=time.monotonic() - begin,
        covariates=covariates,
        origins=(_origin(cell, old), _origin(cell, new)),
        base_first=next(iter(sides.ready)) == base.name,
    )  # fmt: skip


def _origin(cell: Cell, answer: Mapping[str, Any]) -> str:
    """`ours from mynet.py (1f0a…)`; empty where the model is nobody's own."""
    origin = answer["origin"]
    return f"{cell.model.name} from {origins.describe(origin)}" if origin else ""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process of a side, and our end of its pipe."""

    side: Server
    pipe: Connection


def ask(worker: Worker, order: object) -> Any:
    """A worker's answer to an order.

    Raises:
        PairError: it failed, died, or took too long.
    """
    [answer] = ask_at_once([(worker, order)])
    return answer


def ask_at_once(orders: Sequence[tuple[Worker, object]]) -> list[Any]:
    """The answers of several workers that carry their orders out at the same time.

    Raises:
        PairError: one or more failed; of all of them.
    """
    for worker, order in orders:
        with suppress(BrokenPipeError):  # of a worker that died: `_receive` says how
            worker.pipe.send(order)
    return gather(partial(_receive, worker) for worker, _ in orders)


def ask_once(side: Server, order: object) -> Any:
    """The answer of a fresh process of a side, which ends with that. One that died or hung has a
    second try.

    Raises:
        PairError: as `ask`.
    """

    def answer() -> Any:
        with interpreters.process(side, Target.TIME_IN_TURNS) as pipe:
            return ask(Worker(side, pipe), order)

    try:
        return answer()
    except PairError as error:
        if not error.lost:
            raise
    return answer()


def gather(questions: Iterable[Callable[[], _Answer]]) -> list[_Answer]:
    """What each gives; all are asked before any failure is told.

    Raises:
        PairError: one or more failed; of all of them.
    """
    given, failures = list[_Answer](), list[PairError]()
    for question in questions:
        try:
            given.append(question())
        except PairError as error:
            failures.append(error)
    if failures:
        reasons = {side: why for error in failures for side, why in error.reasons.items()}
        raise PairError(
            dict(sorted(reasons.items())),
            lost=all(error.lost for error in failures),
            blameless=any(error.blameless for error in failures),
        )
    return given


def _receive(worker: Worker) -> Any:
    try:
        answer = interpreters.receive(worker.side, worker.pipe, worker.side.timeout)
    except ProcessError as error:
        reasons = {worker.side.name: f"the process {error}"}
        raise PairError(reasons, lost=True, blameless=error.blameless) from None
    if isinstance(answer, dict) and "reason" in answer:
        raise PairError({worker.side.name: answer["reason"]})
    return answer


@dataclass(frozen=True, slots=True)
class _Sides:
    """The workers of a pair, ready to be timed. A turn has `passes` forward passes. `ready` has the
    first answers of the workers by their sides, the one that was begun first in front."""

    base: Worker
    head: Worker
    places: PairCores
    rng: random.Random
    ready: Mapping[str, Any]
    passes: int


@contextmanager
def _begin(
    cell: Cell, base: Server, head: Server, rng: random.Random, extra_layers: int
) -> Iterator[_Sides]:
    """Fresh processes of both sides that have made the model and warmed up, each on its own cores,
    or on those that both share."""
    places = cores.draw(cell.setting, rng)
    workers: dict[str, Worker] = {}
    orders = list[tuple[Worker, object]]()
    with ExitStack() as ending:
        for side in rng.sample((base, head), 2):  # a coin says which is begun and made first
            pipe = ending.enter_context(interpreters.process(side, Target.TIME_IN_TURNS))
            worker = workers[side.name] = Worker(side, pipe)
            own = places.shared if places.apart is None else places.apart[side is head]
            more = {"cores": own, "extra_layers": extra_layers if side is head else 0}
            orders.append((worker, describe(cell) | more))
        # On the same core one after the other: they would disturb each other's warm-up.
        groups = [[order] for order in orders] if places.apart is None else [orders]
        answers = chain.from_iterable(gather(partial(ask_at_once, group) for group in groups))
        ready = dict(zip(workers, answers, strict=True))
        seconds = ready[base.name]["pass_seconds"]
        passes = max(1, round(TURN_SECONDS[cell.setting.kind] / seconds))
        yield _Sides(workers[base.name], workers[head.name], places, rng, ready, passes)


def _blocks(sides: _Sides) -> Iterator[Block]:
    """Blocks side by side where there are enough cores, then turns where these are not sharp."""
    if sides.places.apart is not None:
        timed = list(_repeat(_together, sides, TOGETHER_SECONDS, FEWEST_TOGETHER))
        yield from timed
        if blocks.error(timed) < SHARP:
            return
        shared = {"cores": sides.places.shared}
        ask_at_once([(worker, shared) for worker in (sides.base, sides.head)])
    yield from _repeat(_in_turns, sides, TURNS_SECONDS, FEWEST_IN_TURNS)


def _repeat(
    block: Callable[[_Sides], Block], sides: _Sides, seconds: float, fewest: int
) -> Iterator[Block]:
    begin = time.monotonic()
    for number in count():
        if number >= fewest and time.monotonic() - begin > seconds:
            return
        yield block(sides)


def _in_turns(sides: _Sides) -> Block:
    base_first = sides.rng.random() < 0.5
    first, second = (sides.base, sides.head) if base_first else (sides.head, sides.base)
    times = [_time(sides, worker)[0] for worker in (first, second, second, first)]
    outer, inner = (times[0], times[3]), (times[1], times[2])
    return Block(base_first, *((outer, inner) if base_first else (inner, outer)))


def _together(sides: _Sides) -> Block:
    assert sides.places.apart is not None
    base_first, apart = sides.rng.random() < 0.5, sides.places.apart
    times: list[list[float]] = []
    for swapped in (not base_first, base_first):
        own = {"cores": apart[swapped]}, {"cores": apart[not swapped]}
        ask_at_once([(sides.base, own[0]), (sides.head, own[1])])
        times.append(_time(sides, sides.base, sides.head))
    (base_then, head_then), (base_now, head_now) = times
    return Block(base_first, (base_then, base_now), (head_then, head_now), together=True)


def _time(sides: _Sides, *workers: Worker) -> list[float]:
    """The seconds of a pass of each of these workers, which have a turn at the same time."""
    seconds = ask_at_once([(worker, sides.passes) for worker in workers])
    return [float(each) / sides.passes for each in seconds]
