"""A verdict in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cmx_bench.gate.outputs.sentences import describe_change, explain, headline, title, why
from cmx_bench.gate.verdict import Comparison
from cmx_bench.metrics import METRICS

from ..test_outputs import even, make_comparison, slower, unsure, verdict


@pytest.mark.parametrize(
    ("comparisons", "expected"),
    [
        (
            [slower(), *(even(f"m{place}") for place in range(19))],
            "FAIL: 1 of 20 comparisons slower (ResNet-18 throughput: 7.2 % slower, "
            "95 % interval 5.1 to 9.3 %, threshold 5 %)",
        ),
        (
            [unsure(), even("deit")],
            "INCONCLUSIVE: 1 of 2 comparisons undecided (Mixer throughput: 3.0 % slower, 95 % "
            "interval −2.0 to 8.0 %, threshold 5 %); about 40 s more measuring would decide",
        ),
        (
            [unsure(), unsure("deit", seconds_more=None, slowdown=0.01)],
            "INCONCLUSIVE: 2 of 2 comparisons undecided (worst: Mixer throughput: 3.0 % slower, "
            "95 % interval −2.0 to 8.0 %, threshold 5 %); about 40 s more measuring would decide "
            "1 of them",
        ),
        (
            [*(even(f"m{place}") for place in range(19)), even("deit", detectable=0.031)],
            "PASS: 20 comparisons, none slower by 5 %; smallest detectable change 3.1 %",
        ),
        ([even("deit")], "PASS: 1 comparison, not slower by 5 %; smallest detectable change 2.8 %"),
        (
            [even("deit", slowdown=-0.081, low=-0.09, high=-0.07), even("mixer")],
            "PASS: 2 comparisons, none slower by 5 %; 1 better (Deit throughput: 8.1 % faster, "
            "95 % interval 7.0 to 9.0 %); smallest detectable change 2.8 %",
        ),
        (
            [make_comparison(f"m{place}", "INCOMPARABLE") for place in range(20)],
            "NOTHING COMPARED: no metric of any model can be judged (20 incomparable)",
        ),
        ([], "NOTHING COMPARED: neither side has any values"),
        (
            [
                make_comparison("deit", "FAIL", "params", base=10.0, head=11.0, slowdown=0.1),
                unsure(),
            ],
            "FAIL: 1 of 2 comparisons worse (Deit parameters: 10 → 11, 10 % higher); "
            "1 inconclusive",
        ),
    ],
)
def test_headline(comparisons: list[Comparison], expected: str) -> None:
    assert headline(verdict(*comparisons)) == expected


def test_the_title_says_what_was_compared_on_what_and_by_which_threshold() -> None:
    sides = {"head": ".", "base": "../base", "anchor": "../old\n"}
    assert title("ci", sides, "AMD EPYC", 0.05) == (
        "ci: head . against base ../base and anchor ../old on AMD EPYC, threshold 5 %"
    )


def test_what_was_not_judged_is_counted_in_the_headline() -> None:
    judged = verdict(
        even("deit"), make_comparison("new", "NEW"), make_comparison("gone", "INCOMPARABLE")
    )
    assert headline(judged).endswith("; not judged: 1 incomparable, 1 new")


@pytest.mark.parametrize(
    ("slowdown", "metric", "expected"),
    [
        (0.05, "throughput", "5.0 % slower"),
        (-0.05, "latency_p50", "5.0 % faster"),
        (0.05, "peak_memory", "5.0 % higher"),
        (-0.05, "params", "5.0 % lower"),
        (1.0, "top1", "50 % lower"),  # 0.8 is 100 % more than 0.4
        (-0.5, "mac_rate", "100 % higher"),
        (0.0, "params", "unchanged"),
    ],
)
def test_a_change_in_the_words_of_its_metric(slowdown: float, metric: str, expected: str) -> None:
    assert describe_change(slowdown, METRICS[metric]) == expected


def test_no_evidence_is_a_result() -> None:
    assert why(even("deit")) == "no evidence of a change"
    assert why(even("deit", low=0.001)) == "slower, but by less than the threshold"
    assert why(unsure(seconds_more=None)) == "no reasonable amount of measuring would decide"


def test_what_would_decide_is_said_once() -> None:
    early = unsure(slowdown=None, low=None, high=None, reason="fewer than 4 pairs", budget=130.0)
    assert headline(verdict(early)).count("more measuring would decide, as --budget 3m") == 1


@pytest.mark.parametrize(
    ("slowdown", "low", "high", "expected"),
    [
        (2.8, 0.2, 10.0, "threshold 5 %; its 99.5 % interval reaches 0"),
        (0.01, -0.01, 0.049, "threshold 5 %; its 98 % interval reaches the threshold"),
        (0.02, 0.001, 0.06, "threshold 5 %"),
    ],
)
def test_what_95_percent_seem_to_decide_is_explained(
    slowdown: float, low: float, high: float, expected: str
) -> None:
    text = explain(unsure(slowdown=slowdown, low=low, high=high), 0.05)
    assert text.endswith(f"{expected}; about 40 s more measuring would decide")


def test_the_threshold_is_shown_as_it_was_given() -> None:
    assert "threshold 12.5 %" in headline(replace(verdict(slower()), threshold=0.125))


def test_an_interval_is_said_in_the_words_of_the_change() -> None:
    """0.8 and then 0.4 (0.32 to 0.5) is 50 % lower, by 38 to 60 %."""
    halved = make_comparison("deit", "FAIL", "top1", slowdown=1.0, low=0.6, high=1.5)
    assert "top-1: 50 % lower, 95 % interval 38 to 60 %" in headline(verdict(halved))
    doubled = replace(halved, state="PASS", slowdown=-0.5, low=-0.6, high=-0.375)
    assert "top-1: 100 % higher, 95 % interval 60 to 150 %" in headline(verdict(doubled))
