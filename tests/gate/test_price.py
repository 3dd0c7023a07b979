"""What deciding would cost, by hand."""

from __future__ import annotations

import pytest

from cmx_bench.gate.price import add_prices
from cmx_bench.gate.verdict import Comparison
from cmx_bench.metrics import METRICS


def undecided(model: str, more: int | None, metric: str = "throughput") -> Comparison:
    about = METRICS[metric]
    return Comparison(model, model, "s", about, "base", "INCONCLUSIVE", more=more)


def test_rounds_are_shared_by_what_is_left() -> None:
    """Two rounds of both models, then two of one alone, which has the interpreters to itself."""
    seconds = {"a": 3.0, "b": 5.0}
    priced = add_prices(
        [undecided("a", 2), undecided("b", 4)], lambda comparison: seconds[comparison.model], 10.0
    )
    seconds_more = [comparison.seconds_more for comparison in priced]
    assert seconds_more == [2 * (3 + 5), 2 * (5 + 5) + 2 * (5 + 10)]
    assert [comparison.budget for comparison in priced] == [None, None]


def test_a_budget_lasts_until_the_last_round_of_a_comparison() -> None:
    """Rounds of 10 + 3 + 5 s with both models, of 10 + 5 s with one; both metrics of that one share
    its processes. 100 s are spent."""
    seconds = {"a": 3.0, "b": 5.0}
    asked = [undecided("a", 2), undecided("b", 4), undecided("b", 3, "latency_p50")]
    asked += [undecided("b", 4, "latency_p90")]
    priced = add_prices(asked[:2], lambda comparison: seconds[comparison.model], 10.0, 100.0)
    assert [comparison.budget for comparison in priced] == [100 + 2 * 18, 100 + 2 * 18 + 2 * 15]
    priced = add_prices(asked[2:], lambda comparison: seconds[comparison.model], 10.0, 100.0)
    assert [comparison.budget for comparison in priced] == [100 + 3 * 15, 100 + 4 * 15]


def test_metrics_of_a_cell_share_its_processes() -> None:
    names = ("latency_p50", "latency_p90", "latency_p99")
    priced = add_prices([undecided("a", 2, name) for name in names], lambda _: 6.0, 3.0)
    assert [comparison.seconds_more for comparison in priced] == pytest.approx(
        [2 * (6 + 3) / 3] * 3
    )


def test_what_nothing_would_decide_costs_nothing() -> None:
    priced = add_prices([undecided("a", None), undecided("b", 1)], lambda _: 2.0, 10.0)
    assert [comparison.seconds_more for comparison in priced] == [None, 12.0]
    priced = add_prices([undecided("a", None), undecided("b", 1)], lambda _: 2.0, 10.0, 100.0)
    assert [comparison.budget for comparison in priced] == [None, 112.0]


def test_many_undecided_comparisons_are_priced_at_once() -> None:
    """Each cell is asked once for its seconds, not once a round."""
    asked: list[str] = []

    def seconds(comparison: Comparison) -> float:
        asked.append(comparison.model)
        return 1.0

    names = [f"m{place}" for place in range(200)]
    priced = add_prices([undecided(name, 900) for name in names], seconds, 10.0)
    assert asked == names
    assert sum(comparison.seconds_more or 0 for comparison in priced) == pytest.approx(
        900 * (10 + 200)
    )
