"""Judges one cell of both sides: by pairs, by one process for each side, or by its failure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from cmx_bench.cell import Cell
from cmx_bench.execute.interpreters import Server
from cmx_bench.gate import code, deciding, differences, pairs, rule
from cmx_bench.gate.code import RanBySide
from cmx_bench.gate.pairs import Pair, PairError
from cmx_bench.gate.verdict import Comparison
from cmx_bench.metrics import METRICS, Metric, first_of
from cmx_bench.results import stats

TIMED = "throughput"


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
    base, head = (cell.setting.batch_size / math.exp(level + sign * ratio / 2) for sign in (-1, 1))
    slowdowns = tuple(math.expm1(pair.log_ratio) for pair in measured)
    empty = replace(
        _empty(cell, METRICS[TIMED], against), base=base, head=head, n=(n, n),
        slowdowns=slowdowns, each="pair",
    )  # fmt: skip
    more = next((look for look in rule.LOOKS if look > n), n) - n
    if n < rule.LOOKS[0]:
        reason = f"fewer than {rule.LOOKS[0]} pairs"
        return replace(empty, state="INCONCLUSIVE", reason=reason, more=more)
    change = stats.compare_pairs([pair.log_ratio for pair in measured])
    judged = deciding.judge_change(empty, change, threshold, n)
    if judged.more is not None and n + judged.more > rule.LOOKS[-1]:
        return replace(judged, more=None)  # no budget would: so many pairs are never measured
    if n in rule.LOOKS or last or judged.state == "INCONCLUSIVE":
        return judged
    return replace(judged, state="INCONCLUSIVE", more=more)


def judge_failure(cell: Cell, error: PairError, against: str) -> Comparison:
    """A failure on both sides, or only on base, is no regression. Neither is a cell that no side
    executed."""
    empty = _empty(cell, METRICS[first_of(cell.measure)], against)
    reason = "; ".join(f"{side}: {why}" for side, why in error.reasons.items())
    if error.blameless:
        return replace(empty, state="INCONCLUSIVE", reason=reason)
    newly = against not in error.reasons
    return replace(empty, state="FAIL" if newly else "INCOMPARABLE", reason=reason)


def judge_untimed(
    cell: Cell, base: Server, head: Server, by_side: RanBySide
) -> Iterator[Comparison]:
    """What is said of a cell of another measure than throughput: its metrics are exact, or judged
    by other commands.

    Args:
        by_side: is filled with the code that each side ran for this cell.
    """
    metrics = [metric for metric in METRICS.values() if metric.measure == cell.measure]
    if not all(metric.exact for metric in metrics):
        reason = f"ab times {TIMED} only; `run` and `check` judge the rest"
        empty = _empty(cell, metrics[0], base.name)
        yield replace(empty, state="INCOMPARABLE", reason=reason)
        return
    order = {"measure": cell.measure, "trace": True, **pairs.describe(cell)}

    def answer(side: Server) -> Mapping[str, Any]:
        outcome: Mapping[str, Any] = pairs.ask_once(side, order)
        code.keep(by_side, side.name, cell, outcome)
        return outcome

    try:
        answers = pairs.gather(partial(answer, side) for side in (base, head))
    except PairError as error:
        yield judge_failure(cell, error, base.name)
        return
    old, new = (each["values"] for each in answers)
    why = differences.other_words(*(each["details"] for each in answers))
    for name in dict.fromkeys((*old, *new)):
        compared = _judge_exact(cell, name, old.get(name), new.get(name), base.name)
        unlike = replace(compared, state="INCOMPARABLE", slowdown=None, reason=why)
        yield unlike if why else compared


def _judge_exact(
    cell: Cell, name: str, old: list[float] | None, new: list[float] | None, against: str
) -> Comparison:
    """One metric, which must be equal, of the samples that each side has of it."""
    if name not in METRICS:
        unknown = Metric(name, cell.measure, name, "", "none", "none", "")
        reason = "a metric that this version of cmx-bench does not know"
        return replace(_empty(cell, unknown, against), state="INCOMPARABLE", reason=reason)
    empty = replace(_empty(cell, METRICS[name], against), n=(1, 1))
    if old is None:
        return replace(empty, state="NEW", reason=f"not measured in the {against}")
    if new is None:
        return replace(empty, state="FAIL", reason="not measured")
    [then], [now] = old, new
    compared = replace(empty, base=then, head=now)
    if why := differences.no_direction(empty.metric):
        return replace(compared, state="INCOMPARABLE", reason=why)
    return deciding.judge_exact(compared, then, now)


def _empty(cell: Cell, metric: Metric, against: str) -> Comparison:
    model = cell.model
    return Comparison(model.name, model.label, cell.setting_key, metric, against, "PASS")
