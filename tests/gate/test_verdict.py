"""What a whole verdict comes to, from the states of its comparisons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cmx_bench.gate.verdict import Comparison, Contrast, State, Verdict
from cmx_bench.metrics import METRICS


def verdict(*states: State, metric: str = "throughput") -> Verdict:
    comparisons = tuple(
        Comparison(f"m{place}", "M", "cpu", METRICS[metric], "base", state)
        for place, state in enumerate(states)
    )
    return Verdict("title", 0.05, (), comparisons)


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        (("PASS", "INCONCLUSIVE", "FAIL", "NEW"), "FAIL"),
        (("PASS", "INCONCLUSIVE", "INCOMPARABLE"), "INCONCLUSIVE"),
        (("PASS", "NEW"), "PASS"),
        (("NEW", "INCOMPARABLE"), "NOTHING COMPARED"),
        ((), "NOTHING COMPARED"),
    ],
)
def test_the_worst_state_is_the_outcome(states: tuple[State, ...], outcome: str) -> None:
    assert verdict(*states).state == outcome
    assert verdict(*states).counts.total() == len(states)


def test_only_an_undecided_verdict_is_let_through_and_only_by_its_policy() -> None:
    undecided = verdict("INCONCLUSIVE", "PASS")
    assert not undecided.let_through
    assert replace(undecided, policy="warn").let_through
    assert replace(undecided, policy="pass").let_through
    assert not replace(verdict("FAIL", "INCONCLUSIVE"), policy="pass").let_through


@pytest.mark.parametrize(
    ("state", "metric", "outcome"),
    [
        ("INCOMPARABLE", "throughput", "INCONCLUSIVE"),
        ("NEW", "throughput", "PASS"),
        ("INCOMPARABLE", "idle_power", "PASS"),  # of which nothing is judged anywhere
    ],
)
def test_exact_metrics_do_not_pass_for_timings_that_could_not_be_compared(
    state: State, metric: str, outcome: str
) -> None:
    parts = (verdict("PASS", metric="params"), verdict(state, metric=metric))
    both = tuple(comparison for part in parts for comparison in part.comparisons)
    whole = replace(verdict(), comparisons=both)
    assert whole.state == outcome
    assert whole.is_bare is bool(whole.untimed) is (outcome == "INCONCLUSIVE")


def test_a_timing_that_passed_passes_whatever_else_could_not_be_compared() -> None:
    timed = verdict("PASS", "INCOMPARABLE")
    assert (timed.state, timed.untimed, timed.is_bare) == ("PASS", (), False)
    assert verdict().is_bare


def test_a_contrast_is_empty_where_all_models_ran_the_same_code() -> None:
    assert Contrast("base", ("a", "b"), ("a", "b")).is_empty
    assert not Contrast("base", ("a", "b"), ("a",)).is_empty
    assert not Contrast("base", (), ()).is_empty
