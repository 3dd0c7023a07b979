"""Two interpreters or checkouts held against each other on this machine, pair by pair.

Rounds follow one another until every model is decided or the time is out. Each begins with two
fresh interpreters, which fork a fresh process a model: processes forked from one server share what
a new interpreter draws at random (addresses, hash seeds), and a constant difference between two
servers would pass for a change; see tests/bench/README.md.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import TypeAlias

from cmx_bench import units
from cmx_bench.cell import Cell
from cmx_bench.execute import interpreters
from cmx_bench.execute.interpreters import Server
from cmx_bench.gate import check, pairs, price, rule
from cmx_bench.gate.pairs import Pair, PairError, Worker
from cmx_bench.gate.verdict import Comparison, Verdict
from cmx_bench.measures import compiled, conditions
from cmx_bench.metrics import METRICS, Metric, first_of
from cmx_bench.models import importing
from cmx_bench.plan import Plan
from cmx_bench.results import environment, stats
from cmx_bench.results.records import Environment
from cmx_bench.worker import local, scratch
from cmx_bench.worker.targets import Target

TIMED = "throughput"
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
    every: list[Pair] = []

    def keep(pair: Pair, so_far: Comparison) -> None:
        every.append(pair)
        watch(pair, so_far)

    for name, path in bases.items():
        paths = {name: path, "head": head}
        before = len(every)
        found, seen = compare(plan, paths, threshold, log, keep, budget)
        comparisons += found
        for place, (side, one) in enumerate(seen.items()):
            files = {pair.origins[place]: None for pair in every[before:] if any(pair.origins)}
            described = ", ".join([environment.described(one), *filter(None, files)])
            sides[side] = f"{paths[side]}: {described}"
    title = f"{plan.suite_file.suite.name}: head against {' and '.join(bases)}"
    return Verdict(
        title, threshold, tuple(sides.items()), tuple(comparisons), (_disturbances(every),)
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
    against = next(iter(paths))
    timed = [cell for cell in plan.cells if cell.measure == TIMED]
    allowed = seconds_a_model(plan, budget) * len(timed)
    timeout = plan.suite_file.suite.timeout
    exact: dict[str, list[Comparison]] = {}
    found: dict[str, Comparison] = {}
    lost: set[str] = set()
    measured: dict[str, list[Pair]] = {cell.key: [] for cell in timed}
    spent = 0.0  # by the wall, but for the exact metrics
    rng = random.Random()
    waiting = timed
    with compiled.folder(scratch.folder()) as shared:
        for number in count(1):
            begin = time.monotonic()
            with both(paths, log, shared) as sides:
                begin -= time.monotonic()
                for cell in _undecided(plan.cells, exact):
                    exact[cell.key] = list(_untimed(cell, *sides, timeout))
                begin += time.monotonic()
                again: list[Cell] = []
                for cell, got in _round(waiting, *sides, rng, timeout, extra_layers):
                    if isinstance(got, Pair):
                        measured[cell.key].append(got)
                        found[cell.key] = judge(cell, measured[cell.key], threshold, against)
                        watch(got, found[cell.key])
                        continue
                    found[cell.key] = _failed(_empty(cell, METRICS[TIMED], against), got)
                    if got.lost and cell.key not in lost:  # a second try in the next round
                        lost.add(cell.key)
                        again.append(cell)
            waiting = [
                cell
                for cell in timed
                if cell in again
                or (found[cell.key].state == "INCONCLUSIVE"
                    and len(measured[cell.key]) < rule.LOOKS[-1])
            ]  # fmt: skip
            spent += time.monotonic() - begin
            if number == 1 and _undecided(plan.cells, exact):
                continue
            if not waiting or spent > allowed:
                break
    for cell in waiting:  # a last look, wherever it stands
        if found[cell.key].state == "INCONCLUSIVE" and measured[cell.key]:
            found[cell.key] = judge(cell, measured[cell.key], threshold, against, last=True)
    pairs_of = {(one.model, one.setting): measured[key] for key, one in found.items()}
    every = [pair for group in measured.values() for pair in group]
    start = max(0.0, spent - sum(pair.elapsed for pair in every)) / number

    def seconds(comparison: Comparison) -> float:
        group = pairs_of[comparison.model, comparison.setting]
        return statistics.fmean(pair.elapsed for pair in group)

    environments = dict(zip(paths, every[-1].environments, strict=True)) if every else {}
    untimed = chain.from_iterable(exact.values())
    return [*untimed, *price.priced([*found.values()], seconds, start)], environments


def _undecided(cells: Sequence[Cell], exact: Mapping[str, Sequence[Comparison]]) -> list[Cell]:
    """The cells that are not timed and were not measured yet, or lost with a server."""
    return [
        cell for cell in cells
        if cell.measure != TIMED
        and (cell.key not in exact or any(one.state == "INCONCLUSIVE" for one in exact[cell.key]))
    ]  # fmt: skip


def _round(
    cells: Sequence[Cell], base: Server, head: Server, rng: random.Random, timeout: float,
    extra_layers: Mapping[str, int],
) -> Iterator[tuple[Cell, Pair | PairError]]:  # fmt: skip
    """A pair of each cell, or why there is none, in random order."""
    for cell in rng.sample(cells, len(cells)):
        layers = extra_layers.get(cell.model.name, 0)
        try:
            yield cell, pairs.measure(cell, base, head, rng, timeout, layers)
        except PairError as error:
            yield cell, error


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


def _untimed(cell: Cell, base: Server, head: Server, timeout: float) -> Iterator[Comparison]:
    """What is said of a cell without timing it: nothing of a throughput."""
    if cell.measure == TIMED:
        return
    metrics = [one for one in METRICS.values() if one.measure == cell.measure]
    if all(one.exact for one in metrics):
        yield from _exact(cell, base, head, timeout)
        return
    reason = f"ab times {TIMED} only; `run` and `check` judge the rest"
    empty = _empty(cell, metrics[0], base.name)
    yield replace(empty, state="INCOMPARABLE", reason=reason)


def _exact(cell: Cell, base: Server, head: Server, timeout: float) -> Iterator[Comparison]:
    """Measures a cell once a side; every metric of it must be equal."""
    order = {"measure": cell.measure, **pairs.described(cell)}
    found: dict[str, dict[str, list[float]]] = {}
    reasons: dict[str, str] = {}
    blameless = False
    for side in (base, head):
        with interpreters.process(side, Target.TIME_IN_TURNS) as pipe:
            try:
                found[side.name] = pairs.ask(Worker(side, pipe, timeout), order)["values"]
            except PairError as error:
                reasons |= error.reasons
                blameless |= error.blameless
    if reasons:
        metric = METRICS[first_of(cell.measure)]
        failure = PairError(reasons, blameless=blameless)
        yield _failed(_empty(cell, metric, base.name), failure)
        return
    old, new = found[base.name], found[head.name]
    for name in dict.fromkeys((*old, *new)):
        if name not in METRICS:
            unknown = Metric(name, cell.measure, name, "", "lower", "none", "")
            reason = "a metric that this version of cmx-bench does not know"
            yield replace(_empty(cell, unknown, base.name), state="INCOMPARABLE", reason=reason)
            continue
        empty = replace(_empty(cell, METRICS[name], base.name), n=(1, 1))
        if name not in old:
            yield replace(empty, state="NEW", reason=f"not measured in the {base.name}")
        elif name not in new:
            yield replace(empty, state="FAIL", reason="not measured")
        else:
            [then], [now] = old[name], new[name]
            yield check.exact(replace(empty, base=then, head=now), then, now)


def judge(
    cell: Cell, measured: Sequence[Pair], threshold: float, against: str = "base",
    last: bool = False,
) -> Comparison:  # fmt: skip
    """What the pairs of a cell say so far; decided at one of `rule.LOOKS`, or at the `last`.

    What is judged are ratios within pairs, and the columns must not say otherwise: both sides'
    typical time gives their level, the ratio how far each of them is from it.
    """
    n, ratio = len(measured), statistics.fmean(pair.log_ratio for pair in measured)
    level = statistics.fmean(
        math.log(pair.seconds(side)) for pair in measured for side in ("base", "head")
    )
    base, head = (cell.setting.batch_size / math.exp(level + one * ratio / 2) for one in (-1, 1))
    empty = replace(_empty(cell, METRICS[TIMED], against), base=base, head=head, n=(n, n))
    more = next((look for look in rule.LOOKS if look > n), n) - n
    if n < rule.LOOKS[0]:
        reason = f"fewer than {rule.LOOKS[0]} pairs"
        return replace(empty, state="INCONCLUSIVE", reason=reason, more=more)
    change = stats.paired([pair.log_ratio for pair in measured])
    seen = check.judged(empty, change, threshold, n)
    if n in rule.LOOKS or last or seen.state == "INCONCLUSIVE":
        return seen
    return replace(seen, state="INCONCLUSIVE", more=more)


def _disturbances(seen: Sequence[Pair]) -> str:
    """In how many pairs there was something that would discard a block of `run`."""
    found = Counter(reason for pair in seen for reason in conditions.reasons(pair.covariates))
    told = ", ".join(f"{reason} in {times}" for reason, times in found.most_common())
    pairs_seen = units.counted(len(seen), "pair")
    return f"of {pairs_seen} {told or 'none was disturbed'}; none is discarded for that"


def _empty(cell: Cell, metric: Metric, against: str) -> Comparison:
    model = cell.model
    return Comparison(model.name, model.label, cell.setting_key, metric, against, "PASS")


def _failed(empty: Comparison, error: PairError) -> Comparison:
    """What fails on both sides, or on base alone, is no regression; nor is what no side did."""
    reason = "; ".join(f"{side}: {why}" for side, why in error.reasons.items())
    if error.blameless:
        return replace(empty, state="INCONCLUSIVE", reason=reason)
    newly = empty.against not in error.reasons
    return replace(empty, state="FAIL" if newly else "INCOMPARABLE", reason=reason)
