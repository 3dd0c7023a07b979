"""Two interpreters or checkouts held against each other on this machine, pair by pair.

Rounds follow one another until every model is decided or the time is out. Each begins with two
fresh interpreters, which fork a fresh process a model: processes forked from one server share what
a new interpreter draws at random (addresses, hash seeds), and a constant difference between two
servers would pass for a change; see tests/bench/README.md.
"""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from cmx_bench import units
from cmx_bench.cell import Cell
from cmx_bench.execute import interpreters
from cmx_bench.execute.interpreters import Server
from cmx_bench.gate import cells, pairs, price, rule
from cmx_bench.gate.cells import TIMED
from cmx_bench.gate.outputs import sentences
from cmx_bench.gate.pairs import Pair, PairError
from cmx_bench.gate.verdict import Comparison, Verdict
from cmx_bench.measures import compiled, conditions
from cmx_bench.models import importing
from cmx_bench.plan import Plan
from cmx_bench.results import environment
from cmx_bench.results.records import Environment
from cmx_bench.worker import local, scratch

SECONDS_A_MODEL = 120.0  # of measuring, before an undecided model is left inconclusive
NO_LAYERS: Mapping[str, int] = {}

# Called with each pair as soon as it is measured, and the comparison of its cell so far.
Watch: TypeAlias = Callable[[Pair, Comparison], None]


def verdict(
    plan: Plan, bases: Mapping[str, str], head: str, threshold: float, log: Path, watch: Watch,
    budget: float | None = None,
) -> Verdict:  # fmt: skip
    """Compares head with each base in turn.

    Args:
        bases: paths by what they are to head: "base", "anchor".
        head, threshold, log, watch, budget: as for `compare`, once for each base.

    Raises:
        ServerError: a side cannot be started.
    """
    comparisons: list[Comparison] = []
    sides: dict[str, str] = {}
    measured: list[Pair] = []

    def keep(pair: Pair, so_far: Comparison) -> None:
        measured.append(pair)
        watch(pair, so_far)

    for name, path in bases.items():
        paths = {name: path, "head": head}
        before = len(measured)
        compared, environments = compare(plan, paths, threshold, log, keep, budget)
        comparisons += compared
        for place, (side, machine) in enumerate(environments.items()):
            files = {pair.origins[place]: None for pair in measured[before:] if any(pair.origins)}
            described = ", ".join([environment.described(machine), *filter(None, files)])
            sides[side] = f"{paths[side]}: {described}"
    device = str(plan.machine["device_name"])
    title = sentences.title(plan.suite_file.suite.name, {"head": head, **bases}, device, threshold)
    return Verdict(
        title, threshold, tuple(sides.items()), tuple(comparisons), (_disturbances(measured),)
    )


def seconds_a_model(plan: Plan, budget: float | None) -> float:
    """How long a timed cell is measured at the most: its share of a budget, if there is one."""
    timed = sum(cell.measure == TIMED for cell in plan.cells)
    return SECONDS_A_MODEL if budget is None or not timed else budget / timed


def compare(
    plan: Plan, paths: Mapping[str, str], threshold: float, log: Path, watch: Watch,
    budget: float | None = None, extra_layers: Mapping[str, int] = NO_LAYERS,
) -> tuple[list[Comparison], dict[str, Environment]]:  # fmt: skip
    """Measures until every cell of `plan` is decided, or `budget` seconds are spent.

    Returns a comparison for each metric, and the environment of each side by its name.

    Args:
        paths: of the two sides by their names, head last: interpreters, virtual environments or
            checkouts.
        threshold: the slowdown that must not pass, as a share.
        budget: None for `SECONDS_A_MODEL` a timed cell.
        extra_layers: makes head's models slower, by their names, to test the gate itself.

    Raises:
        ServerError: a side cannot be started.
    """
    asked = _Asked(plan, next(iter(paths)), threshold, extra_layers, watch)
    allowed = seconds_a_model(plan, budget) * len(asked.timed)
    known = _Known(waiting=asked.timed)
    with compiled.folder(scratch.folder()) as shared:
        while not _is_finished(asked, known, allowed):
            _measure_a_round(asked, known, paths, log, shared)
    _look_a_last_time(asked, known)
    every = [pair for group in known.pairs.values() for pair in group]
    environments = dict(zip(paths, every[-1].environments, strict=True)) if every else {}
    return [*chain.from_iterable(known.untimed.values()), *_priced(known)], environments


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be compared, and how: see `compare`. `against` is the other side's name."""

    plan: Plan
    against: str
    threshold: float
    extra_layers: Mapping[str, int]
    watch: Watch

    @property
    def timed(self) -> list[Cell]:
        return [cell for cell in self.plan.cells if cell.measure == TIMED]

    @property
    def timeout(self) -> float:
        return self.plan.suite_file.suite.timeout


@dataclass(slots=True)
class _Known:
    """What the rounds so far have shown, by the keys of cells; each round adds to it.

    `waiting` are the timed cells of the next round, `lost` those whose process died or hung once.
    `seconds` are those of the wall, but for the untimed cells.
    """

    waiting: list[Cell]
    untimed: dict[str, list[Comparison]] = field(default_factory=dict)
    timed: dict[str, Comparison] = field(default_factory=dict)
    pairs: dict[str, list[Pair]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    rounds: int = 0
    seconds: float = 0.0


def _is_finished(asked: _Asked, known: _Known, allowed: float) -> bool:
    """Whether no round follows: an untimed cell that was lost in the first one has a second."""
    if known.rounds == 0 or (known.rounds == 1 and _untimed_left(asked, known)):
        return False
    return not known.waiting or known.seconds > allowed


def _untimed_left(asked: _Asked, known: _Known) -> list[Cell]:
    """The cells that are not timed and were not measured yet, or lost with a server."""

    def is_left(cell: Cell) -> bool:
        compared = known.untimed.get(cell.key)
        return compared is None or any(one.state == "INCONCLUSIVE" for one in compared)

    return [cell for cell in asked.plan.cells if cell.measure != TIMED and is_left(cell)]


def _measure_a_round(
    asked: _Asked, known: _Known, paths: Mapping[str, str], log: Path, shared: Path
) -> None:
    """Fresh interpreters of both sides: the untimed cells that are left, then a pair of each timed
    one that waits, in random order."""
    begin = time.monotonic()
    with both(paths, log, shared) as (base, head):
        before = time.monotonic()
        for cell in _untimed_left(asked, known):
            known.untimed[cell.key] = list(cells.untimed(cell, base, head, asked.timeout))
        begin += time.monotonic() - before
        rng = random.Random()
        order = rng.sample(known.waiting, len(known.waiting))
        again = [cell for cell in order if not _measure_a_pair(asked, known, cell, base, head, rng)]
    known.waiting = [
        cell for cell in asked.timed
        if cell in again
        or (known.timed[cell.key].state == "INCONCLUSIVE"
            and len(known.pairs.get(cell.key, ())) < rule.LOOKS[-1])
    ]  # fmt: skip
    known.seconds += time.monotonic() - begin
    known.rounds += 1


def _measure_a_pair(
    asked: _Asked, known: _Known, cell: Cell, base: Server, head: Server, rng: random.Random
) -> bool:
    """Whether that came to an end: what was lost for the first time gets a second try."""
    layers = asked.extra_layers.get(cell.model.name, 0)
    try:
        pair = pairs.measure(cell, base, head, rng, asked.timeout, layers)
    except PairError as error:
        known.timed[cell.key] = cells.failed(cell, error, asked.against)
        is_new = error.lost and cell.key not in known.lost
        known.lost |= {cell.key} if error.lost else set()
        return not is_new
    measured = known.pairs.setdefault(cell.key, [])
    measured.append(pair)
    known.timed[cell.key] = cells.judge(cell, measured, asked.threshold, asked.against)
    asked.watch(pair, known.timed[cell.key])
    return True


def _look_a_last_time(asked: _Asked, known: _Known) -> None:
    """Judges the undecided by the pairs that there are, wherever these stand."""
    for cell in known.waiting:
        measured = known.pairs.get(cell.key)
        if measured and known.timed[cell.key].state == "INCONCLUSIVE":
            known.timed[cell.key] = cells.judge(
                cell, measured, asked.threshold, asked.against, last=True
            )


def _priced(known: _Known) -> list[Comparison]:
    """The timed comparisons, the undecided with the seconds that would decide them."""
    pairs_of = {
        (comparison.model, comparison.setting): known.pairs.get(key, [])
        for key, comparison in known.timed.items()
    }
    measuring = sum(pair.elapsed for pair in chain.from_iterable(known.pairs.values()))
    start = max(0.0, known.seconds - measuring) / known.rounds

    def seconds(comparison: Comparison) -> float:
        group = pairs_of[comparison.model, comparison.setting]
        return statistics.fmean(pair.elapsed for pair in group)

    return price.priced([*known.timed.values()], seconds, start, known.seconds)


@contextmanager
def both(
    paths: Mapping[str, str], log: Path, shared: Path | None = None
) -> Iterator[tuple[Server, Server]]:
    """Fresh servers of both sides; they load torch at the same time. Where one dies of that, both
    are begun once more.

    Args:
        shared: a folder in which each side keeps what it compiles for its next round.
    """
    with ExitStack() as closing:

        def begin() -> tuple[Server, Server]:
            closing.close()
            one, other = (
                closing.enter_context(
                    interpreters.opened(name, path, log, _variables(shared, name))
                )
                for name, path in paths.items()
            )
            interpreters.await_ready(one)
            interpreters.await_ready(other)
            return one, other

        yield local.twice(begin)


def _variables(shared: Path | None, side: str) -> Mapping[str, str]:
    """The working folder may be the other side's checkout: modules are looked for there last."""
    return {importing.LAST: "1", **compiled.variables(shared, side)}


def _disturbances(measured: Sequence[Pair]) -> str:
    """In how many pairs there was something that would discard a block of `run`."""
    counts = Counter(reason for pair in measured for reason in conditions.reasons(pair.covariates))
    listed = ", ".join(f"{reason} in {times}" for reason, times in counts.most_common())
    of_all = units.counted(len(measured), "pair")
    return f"of {of_all} {listed or 'none was disturbed'}; none is discarded for that"
