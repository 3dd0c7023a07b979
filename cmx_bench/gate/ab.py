"""Compares two interpreters or checkouts on this machine, pair by pair.

Rounds follow one another until every model is decided or the time is out. Each begins with two
fresh interpreters, which fork a fresh process a model: processes forked from one server share what
a new interpreter draws at random (addresses, hash seeds), and a constant difference between two
servers would pass for a change; see tests/bench/README.md.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import cmx_bench
from cmx_bench import units
from cmx_bench.cell import Cell
from cmx_bench.execute import interpreters
from cmx_bench.execute.interpreters import Server
from cmx_bench.gate import code, comparing, pairs, price, rule
from cmx_bench.gate.code import RanBySide
from cmx_bench.gate.comparing import TIMED
from cmx_bench.gate.outputs import sentences
from cmx_bench.gate.pairs import Pair, PairError
from cmx_bench.gate.verdict import Comparison, Contrast, Verdict
from cmx_bench.measures import compiled, conditions
from cmx_bench.models import importing
from cmx_bench.plan import Plan
from cmx_bench.worker import local, lookup, scratch
from cmx_bench.worker.local import Call

SECONDS_A_MODEL = 120.0  # of measuring, before an undecided model is left inconclusive

# Called with each pair as soon as it is measured, and the comparison of its cell so far.
Watch: TypeAlias = Callable[[Pair, Comparison], None]


@dataclass(frozen=True, slots=True)
class Gate:
    """The question that the gate answers, and how it measures.

    `threshold` is the slowdown that must not pass, as a share. `budget` is the time for each base
    in seconds, None for `SECONDS_A_MODEL` a timed cell. With `expect_equal` both sides may run the
    same code.
    """

    threshold: float
    budget: float | None = None
    expect_equal: bool = False


def verdict(
    plan: Plan, bases: Mapping[str, str], head: str, gate: Gate, log: Path, watch: Watch
) -> Verdict:
    """Compares head with each base in turn.

    Args:
        bases: paths by what they are to head: "base", "anchor".
        head, gate, log, watch: as for `compare`, once for each base.

    Raises:
        CmxError: a side cannot be started.
    """
    compared = [
        compare(plan, {name: path, "head": head}, gate, log, watch) for name, path in bases.items()
    ]
    measured = [pair for each in compared for pair in each.all_pairs()]
    sides = {name: text for each in compared for name, text in each.sides().items()}
    device = str(plan.machine["device_name"])
    named = {name: code.name_side(path) for name, path in {"head": head, **bases}.items()}
    return Verdict(
        sentences.title(plan.suite_file.suite.name, named, device, gate.threshold),
        gate.threshold,
        tuple(sides.items()),
        tuple(chain.from_iterable(each.comparisons() for each in compared)),
        (_disturbances(measured),) if measured else (),
        contrasts=tuple(each.contrast for each in compared if each.contrast is not None),
    )


def seconds_a_model(plan: Plan, budget: float | None) -> float:
    """How long a timed cell is measured at the most: its share of a budget, if there is one."""
    timed = sum(cell.measure == TIMED for cell in plan.cells)
    return SECONDS_A_MODEL if budget is None or not timed else budget / timed


def compare(plan: Plan, paths: Mapping[str, str], gate: Gate, log: Path, watch: Watch) -> Rounds:
    """Measures until every cell of `plan` is decided, or the budget is spent.

    Args:
        paths: of the two sides by their names, head last: interpreters, virtual environments or
            checkouts.
        log: the file for what processes print.

    Raises:
        CmxError: a side cannot be started.
    """
    timed = [cell for cell in plan.cells if cell.measure == TIMED]
    allowed = seconds_a_model(plan, gate.budget) * len(timed)
    rounds = Rounds(plan, paths, gate, watch, timed)
    with compiled.folder(scratch.folder()) as shared:
        while not rounds.is_finished(allowed):
            rounds.measure_a_round(log, shared)
    return rounds


@dataclass(slots=True)
class Rounds:
    """What is compared and how (see `compare`), and the results of the rounds so far, by the keys
    of cells.

    `waiting` are the timed cells of the next round. `lost` are those whose process died or hung
    once, `again` those of them that still get their second try. `by_side` is the code that each
    side ran, `contrast` what differs in it. `seconds` is the time spent on timed cells.
    """

    plan: Plan
    paths: Mapping[str, str]
    gate: Gate
    watch: Watch
    waiting: list[Cell]
    by_side: RanBySide = field(default_factory=dict)
    contrast: Contrast | None = None
    untimed: dict[str, list[Comparison]] = field(default_factory=dict)
    timed: dict[str, Comparison] = field(default_factory=dict)
    pairs: dict[str, list[Pair]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    again: list[Cell] = field(default_factory=list)
    rounds: int = 0
    seconds: float = 0.0

    @property
    def against(self) -> str:
        """The name of the side with which head is compared."""
        return next(iter(self.paths))

    def is_finished(self, allowed: float) -> bool:
        """Whether no round follows. What was lost is tried again, whatever the budget."""
        if self.rounds == 0 or self.again or (self.rounds == 1 and self._untimed_left()):
            return False
        return not self.waiting or self.seconds > allowed

    def _untimed_left(self) -> list[Cell]:
        """The cells that are not timed and were not measured yet, or lost with a server."""

        def is_left(cell: Cell) -> bool:
            compared = self.untimed.get(cell.key)
            return compared is None or any(each.state == "INCONCLUSIVE" for each in compared)

        return [cell for cell in self.plan.cells if cell.measure != TIMED and is_left(cell)]

    def measure_a_round(self, log: Path, shared: Path) -> None:
        """Fresh interpreters of both sides: the untimed cells that are left and, where the code of
        the sides differs, a pair of each timed cell that waits, in random order."""
        begin = time.monotonic()
        timeout = self.plan.suite_file.suite.timeout
        with both(self.paths, log, timeout, shared) as (base, head):
            before = time.monotonic()
            self._measure_untimed(base, head)
            begin += time.monotonic() - before
            rng = random.Random()
            order = rng.sample(self.waiting, len(self.waiting))
            self.again = [c for c in order if not self._measure_a_pair(c, base, head, rng)]
        self.waiting = [
            cell for cell in self.waiting
            if cell in self.again
            or (self.timed[cell.key].state == "INCONCLUSIVE"
                and len(self.pairs.get(cell.key, ())) < rule.LOOKS[-1])
        ]  # fmt: skip
        self.seconds += time.monotonic() - begin
        self.rounds += 1

    def _measure_untimed(self, base: Server, head: Server) -> None:
        """The untimed cells that are left; in the first round also what code is compared."""
        for cell in self._untimed_left():
            self.untimed[cell.key] = [*comparing.judge_untimed(cell, base, head, self.by_side)]
        if self.contrast is None:
            first = {
                (cell.model.name, cell.setting.runtime): cell for cell in reversed(self.waiting)
            }
            for cell in first.values():
                code.trace(cell, base, head, self.by_side)
            models = {cell.model.name: cell.model.label for cell in self.plan.cells}
            self.contrast = code.contrast(self.by_side, self.paths, models)
            if self.is_needless():
                self.waiting = []

    def is_needless(self) -> bool:
        """Whether both sides run the same code. Where an exact metric differs nevertheless, its
        cause is one that nobody sees: then the verdict has to show it."""
        every = chain.from_iterable(self.untimed.values())
        failed = any(comparison.state == "FAIL" for comparison in every)
        is_same = self.contrast is not None and self.contrast.is_empty
        return is_same and not failed and not self.gate.expect_equal

    def all_pairs(self) -> list[Pair]:
        return [*chain.from_iterable(self.pairs.values())]

    def sides(self) -> dict[str, str]:
        """What each side is, by its name."""
        lines, measured = {}, self.all_pairs()
        for place, (side, path) in enumerate(self.paths.items()):
            ran = [*self.by_side.get(side, {}).values()]
            machines = [*(pair.environments[place] for pair in measured),
                        *(each.environment for each in ran)]  # fmt: skip
            files = dict.fromkeys(filter(None, (pair.origins[place] for pair in measured)))
            lines[side] = ", ".join([code.describe(path, ran, next(iter(machines), {})), *files])
        return lines

    def _measure_a_pair(self, cell: Cell, base: Server, head: Server, rng: random.Random) -> bool:
        """Whether that came to an end: what was lost for the first time gets a second try."""
        try:
            pair = pairs.measure(cell, base, head, rng)
        except PairError as error:
            self.timed[cell.key] = comparing.judge_failure(cell, error, self.against)
            is_new = error.lost and cell.key not in self.lost
            self.lost |= {cell.key} if error.lost else set()
            return not is_new
        measured = self.pairs.setdefault(cell.key, [])
        measured.append(pair)
        self.timed[cell.key] = comparing.judge(cell, measured, self.gate.threshold, self.against)
        self.watch(pair, self.timed[cell.key])
        return True

    def comparisons(self) -> list[Comparison]:
        """One for each metric, the undecided with the seconds that would decide them; none where
        both sides run the same code. A last time the undecided are judged by the pairs that there
        are, wherever these stand."""
        if self.is_needless():
            return []
        for cell in self.waiting:
            measured = self.pairs.get(cell.key)
            if measured and self.timed[cell.key].state == "INCONCLUSIVE":
                self.timed[cell.key] = comparing.judge(
                    cell, measured, self.gate.threshold, self.against, last=True
                )
        pairs_of = {(each.model, each.setting): self.pairs.get(key, [])
                    for key, each in self.timed.items()}  # fmt: skip
        measuring = sum(pair.elapsed for pair in self.all_pairs())
        start = max(0.0, self.seconds - measuring) / self.rounds

        def seconds(comparison: Comparison) -> float:
            group = pairs_of[comparison.model, comparison.setting]
            return statistics.fmean(pair.elapsed for pair in group)

        timed = price.add_prices([*self.timed.values()], seconds, start, self.seconds)
        return [*chain.from_iterable(self.untimed.values()), *timed]


@contextmanager
def planning(head: str, package: Path) -> Iterator[Call]:
    """Calls functions that make a plan, where head finds its modules: what models a suite names and
    how large they are is a matter of its code.

    Args:
        package: head's copy of this package. Where it is another, this Python is asked instead: it
            looks for modules in the folder of that copy too, but last.
    """
    variables = _variables(None, "head")
    if not interpreters.is_this(package):
        ours = str(Path(cmx_bench.__file__).parent.parent)
        folders = [ours, *lookup.import_path(), str(package.parent)]
        head, variables = sys.executable, {**variables, **lookup.variables(folders)}
    with interpreters.calling("head", head, scratch.folder() / "plan.txt", variables) as call:
        yield call


@contextmanager
def both(
    paths: Mapping[str, str], log: Path, timeout: float, shared: Path | None = None
) -> Iterator[tuple[Server, Server]]:
    """Fresh servers of both sides, begun in random order; they load torch at the same time. Where
    one dies of that, both are begun once more.

    Args:
        timeout: the longest that an answer of a process may take, in seconds.
        shared: a folder in which each side keeps what it compiles for its next round.
    """
    with ExitStack() as closing:

        def begin() -> tuple[Server, Server]:
            closing.close()
            servers: dict[str, Server] = {}
            for name in random.sample([*paths], 2):
                servers[name] = closing.enter_context(interpreters.opening(
                    name, paths[name], log, _variables(shared, name), timeout
                ))  # fmt: skip
            for server in servers.values():
                interpreters.await_ready(server)
            base, head = (servers[name] for name in paths)
            return base, head

        yield local.twice(begin)


def _variables(shared: Path | None, side: str) -> Mapping[str, str]:
    """The working folder may be the other side's checkout: modules are looked for there last."""
    return {importing.LAST: "1", **compiled.variables(shared, side)}


def _disturbances(measured: Sequence[Pair]) -> str:
    """In how many pairs there was something that would discard a block of `run`."""
    reasons = [conditions.reasons(pair.covariates) for pair in measured]
    counts = Counter(chain.from_iterable(reasons))
    listed = ", ".join(f"{reason} in {times}" for reason, times in counts.most_common())
    of_all = units.tally(len(measured), "pair")
    if not counts:
        return f"no cause of disturbance in {of_all}"
    disturbed = sum(map(bool, reasons))
    return f"causes of disturbance in {disturbed} of {of_all} ({listed}); all pairs count"
