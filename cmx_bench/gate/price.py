"""What deciding the undecided would cost, by the wall."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate

from cmx_bench.gate.verdict import Comparison


def add_prices(
    comparisons: Sequence[Comparison], seconds: Callable[[Comparison], float], start: float,
    spent: float | None = None,
) -> list[Comparison]:  # fmt: skip
    """`comparisons`, the undecided with the seconds of measuring that would decide them.

    Whatever is still undecided in a round shares the interpreters that the round begins with, and
    the metrics of one cell share its processes: the sum over all is the time that all take.

    Args:
        seconds: of one more pair, or of one more process on each side, of a comparison's cell.
        start: seconds of starting the interpreters of a round.
        spent: the seconds of a budget that are used up: the undecided get the budget that would
            have decided them. None where there is no budget.
    """
    undecided = [comparison for comparison in comparisons if comparison.more]
    seconds_of = {_cell(comparison): seconds(comparison) for comparison in undecided}
    longest = max((comparison.more or 0 for comparison in undecided), default=0)
    rounds = [Counter[tuple[str, ...]]() for _ in range(longest)]
    for comparison in undecided:
        for there in rounds[: comparison.more]:
            there[_cell(comparison)] += 1
    starts = [start / there.total() for there in rounds]
    ends = [*accumulate(start + sum(seconds_of[cell] for cell in there) for there in rounds)]

    def with_price(comparison: Comparison) -> Comparison:
        if not comparison.more:
            return comparison
        cell = _cell(comparison)
        shares = (seconds_of[cell] / there[cell] for there in rounds[: comparison.more])
        return replace(
            comparison,
            seconds_more=sum(starts[: comparison.more]) + sum(shares),
            budget=None if spent is None else spent + ends[comparison.more - 1],
        )

    return [with_price(comparison) for comparison in comparisons]


def _cell(comparison: Comparison) -> tuple[str, ...]:
    measure = comparison.metric.measure
    return (comparison.against, comparison.model, comparison.setting, measure)
