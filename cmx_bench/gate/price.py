"""What deciding the undecided would cost, by the wall."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from cmx_bench.gate.verdict import Comparison


def priced(
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

    def share(comparison: Comparison, number: int) -> float:
        """Of the round of this number, counted from 1."""
        there = [_cell(other) for other in comparisons if (other.more or 0) >= number]
        return start / len(there) + seconds(comparison) / there.count(_cell(comparison))

    def whole(number: int) -> float:
        """All of that round."""
        there = {_cell(other): other for other in comparisons if (other.more or 0) >= number}
        return start + sum(map(seconds, there.values()))

    def with_price(comparison: Comparison) -> Comparison:
        if not comparison.more:
            return comparison
        rounds = range(1, comparison.more + 1)
        return replace(
            comparison,
            seconds_more=sum(share(comparison, number) for number in rounds),
            budget=None if spent is None else spent + sum(map(whole, rounds)),
        )

    return [with_price(comparison) for comparison in comparisons]


def _cell(comparison: Comparison) -> tuple[str, ...]:
    measure = comparison.metric.measure
    return (comparison.against, comparison.model, comparison.setting, measure)
