"""One metric of both sides, by the medians of its processes, or image by image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.gate import check, deciding
from cmx_bench.gate.outputs.sentences import because, headline
from cmx_bench.gate.verdict import Comparison
from cmx_bench.metrics import METRICS
from cmx_bench.results.reading import summarise

from ..report.synthetic import PAPER, make_records, make_run
from . import accuracies
from .accuracies import COUNT

RUN = make_run(PAPER[:1])
KEY = (PAPER[0].name, RUN.settings[0].key, "throughput")
RESULT = summarise(RUN, make_records(RUN)).results[KEY]
FIVE = (98.0, 99.0, 100.0, 101.0, 102.0)


def judge(
    base: Sequence[float], head: Sequence[float], metric: str = "throughput",
    of_base: dict[str, Any] | None = None, **of_head: Any,
) -> Comparison:  # fmt: skip
    """What is said of the medians of processes of both sides, with a threshold of 5 %."""
    measure = METRICS[metric].measure
    old, new = (
        RESULT._replace(
            measure=measure, metric=metric, medians=dict(enumerate(medians)), **(other or {})
        )
        for medians, other in ((base, of_base), (head, of_head))
    )
    empty = Comparison("a", "A", "s", METRICS[metric], "baseline", "PASS")
    return deciding.judge_processes(empty, old, new, 0.05)


def scale(factor: float) -> list[float]:
    return [factor * median for median in FIVE]


def test_the_columns_say_what_is_judged() -> None:
    """Top-1 over seeds is shown as a plain mean, by which these sides are equal; what is judged are
    ratios, by which they are not."""
    compared = judge([0.5, 0.5, 0.5], [0.3, 0.5, 0.7], "top1")
    assert compared.base is not None and compared.head is not None
    assert compared.slowdown is not None
    assert compared.base / compared.head == pytest.approx(1 + compared.slowdown)
    assert compared.slowdown == pytest.approx(0.5 / (0.3 * 0.5 * 0.7) ** (1 / 3) - 1)


def test_values_that_are_worlds_apart_have_no_interval() -> None:
    compared = judge(FIVE, [1e-100, 1e100, 1e-100, 1e100, 1.0])
    assert compared.state == "INCONCLUSIVE"
    assert because(compared).startswith("the values of one side are so far apart")


@pytest.mark.parametrize(
    ("base", "head", "factor", "state"),
    [
        (False, False, 0.5, "FAIL"),
        (False, True, 0.5, "INCONCLUSIVE"),  # a neighbour may have slowed the run
        (True, False, 0.5, "FAIL"),  # and even the slowed baseline was faster
        (False, False, 1.0, "PASS"),
        (False, True, 1.0, "PASS"),  # as fast although a neighbour slowed it
        (True, False, 1.0, "INCONCLUSIVE"),  # a neighbour may hide that it was faster
        (True, True, 2.0, "INCONCLUSIVE"),
    ],
)
def test_what_disturbed_a_side_decides_nothing(
    base: bool, head: bool, factor: float, state: str
) -> None:
    compared = judge(FIVE, scale(factor), of_base={"disturbed": base}, disturbed=head)
    assert compared.state == state
    sides = ["the baseline"] * base + ["the run"] * head
    said = f"the value of {' and of '.join(sides)} is disturbed: measure again when calm"
    assert because(compared) == (said if sides else "")


def test_more_processes_do_not_undo_what_disturbed_a_side() -> None:
    head = [60.0, 140.0, 90.0]
    assert judge(FIVE, head).more
    compared = judge(FIVE, head, disturbed=True)
    assert (compared.state, compared.more) == ("INCONCLUSIVE", None)
    assert because(compared).endswith("measure again when calm")


@pytest.mark.parametrize(
    ("metric", "base", "head", "state"),
    [
        ("top1", [0.5, 0.6, 0.7], [0.0, 0.0, 0.0], "FAIL"),
        ("top1", [0.5, 0.6, 0.7], [0.0, 0.6, 0.7], "INCONCLUSIVE"),
        ("top1", [0.0, 0.0, 0.1], [0.1, 0.2, 0.1], "PASS"),
        ("peak_memory", [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], "PASS"),
        ("peak_memory", [0.0, 0.0, 0.0], [8.0, 8.0, 8.0], "FAIL"),
        ("peak_memory", [0.0, 8.0, 8.0], [8.0, 8.0, 8.0], "INCONCLUSIVE"),
        ("peak_memory", [8.0, 8.0, 9.0], [0.0, 8.0, 8.0], "PASS"),
    ],
)
def test_zeros_have_no_ratio(
    metric: str, base: Sequence[float], head: Sequence[float], state: str
) -> None:
    compared = judge(base, head, metric)
    assert (compared.state, compared.reason) == (state, "values of zero have no ratio")


@pytest.mark.parametrize(
    ("metric", "planned", "state", "more"),
    [
        ("throughput", 5, "INCONCLUSIVE", 1),  # a budget cut the others off
        ("throughput", 2, "INCOMPARABLE", None),  # nobody asked for more
        ("compile_time", 5, "INCOMPARABLE", None),  # of the first process alone
    ],
)
def test_too_few_processes(metric: str, planned: int, state: str, more: int | None) -> None:
    for base, head in ((FIVE, FIVE[:2]), (FIVE[:2], FIVE)):
        compared = judge(base, head, metric, {"planned": planned}, planned=planned)
        assert (compared.state, compared.more) == (state, more)
        assert compared.reason == "fewer than 3 processes on a side show no spread"
    three = judge(FIVE[1:4], FIVE[1:4], metric)
    assert three.reason == "" and three.state in ("PASS", "INCONCLUSIVE")


# --- by its images --------------------------------------------------------------------------------


def test_what_a_model_lost_fails(tmp_path: Path) -> None:
    """Of 360 images that were right 40 are wrong now, and 4 others right."""
    verdict = accuracies.judge(tmp_path, range(40), range(4, 80))
    [comparison] = verdict.comparisons
    assert (comparison.state, verdict.state, comparison.more) == ("FAIL", "FAIL", None)
    assert comparison.n == (COUNT, COUNT)
    assert comparison.base == 0.9 and comparison.head == 0.81
    assert comparison.slowdown == pytest.approx(360 / 324 - 1)
    error = math.sqrt(44 / (360 * 324))
    assert comparison.low == pytest.approx(math.exp(math.log(360 / 324) - 1.959964 * error) - 1)
    assert "top-1: 10 % lower, 95 % interval" in headline(verdict)


def test_top_5_is_judged_by_its_own_images(tmp_path: Path) -> None:
    """The same images are wrong; of them 40 had the right class among five, and none has now."""
    base = accuracies.write(tmp_path / "base", range(40), second=range(40))
    head = accuracies.write(tmp_path / "head", range(40), second=())
    top1, top5 = check.verdict(head, {"baseline": base}, 0.05)[1].comparisons
    assert (top1.metric.name, top1.state, top1.slowdown) == ("top1", "PASS", 0)
    assert (top5.metric.name, top5.state, top5.n) == ("top5", "FAIL", (COUNT, COUNT))
    assert (top5.base, top5.head) == (1.0, 0.9)
    assert top5.slowdown == pytest.approx(400 / 360 - 1)


def test_the_same_predictions_pass(tmp_path: Path) -> None:
    [comparison] = accuracies.judge(tmp_path, range(40), range(40)).comparisons
    assert comparison.state == "PASS"
    assert (comparison.slowdown, comparison.low, comparison.high) == (0, 0, 0)


def test_as_many_other_images_wrong_are_no_change_but_doubt(tmp_path: Path) -> None:
    """Half of all images changed sides: nobody can tell that this is within 5 %."""
    [comparison] = accuracies.judge(tmp_path, range(200), range(200, 400)).comparisons
    assert (comparison.state, comparison.slowdown, comparison.more) == ("INCONCLUSIVE", 0, None)


@pytest.mark.parametrize(
    ("right", "state"), [(360, "FAIL"), (9, "FAIL"), (8, "INCONCLUSIVE"), (1, "INCONCLUSIVE")]
)
def test_a_model_that_has_nothing_right_any_more(tmp_path: Path, right: int, state: str) -> None:
    """By McNemar's exact test: 2⁻⁹ is below the level of a failure, 2⁻⁸ above."""
    [comparison] = accuracies.judge(tmp_path, range(COUNT - right), range(COUNT)).comparisons
    assert (comparison.state, comparison.base, comparison.head) == (state, right / COUNT, 0)


def test_eight_images_that_a_model_lost_decide_nothing(tmp_path: Path) -> None:
    """2⁻⁸ by the exact test, although the share is 2.8 standard errors lower."""
    [comparison] = accuracies.judge(tmp_path, range(330), range(338)).comparisons
    assert comparison.state == "INCONCLUSIVE"
