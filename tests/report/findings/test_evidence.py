"""Accuracy, the paper, claims and doubts in words."""

from __future__ import annotations

import dataclasses

import pytest

from cmx_bench.results.reading import summarise

from ..synthetic import make_records, make_run, watched
from ..tables.test_fairness import make_report as in_three_settings
from .runs import CLAIMS, DEIT, MIXER, RESNET, evaluated, find_all, measured, rounds, say


def test_the_most_accurate_is_named_with_its_lead_on_the_same_images() -> None:
    report = evaluated({MIXER: [300], RESNET: [360], DEIT: [320]})
    assert say(report, "Accuracy") == (
        "Most accurate by top-1 on 400 images of digits is ResNet-152 (90 %), 10 points "
        "(7.0 to 13) ahead of DeiT-B. ConvMixer-1536/20 is 15 points (11 to 18) behind ResNet-152."
    )
    assert "behind" not in say(evaluated({MIXER: [300], RESNET: [360]}), "Accuracy")


def test_accuracies_that_the_images_cannot_tell_apart_are_ties() -> None:
    assert say(evaluated({MIXER: [300], RESNET: [360], DEIT: [359]}), "Accuracy") == (
        "Most accurate are ResNet-152 (90 %) and DeiT-B (90 %), which top-1 on 400 images of "
        "digits cannot tell apart. ConvMixer-1536/20 is 15 points (11 to 18) behind ResNet-152."
    )
    assert say(evaluated({MIXER: [360], RESNET: [359]}), "Accuracy") == (
        "The 2 models cannot be told apart by top-1 on 400 images of digits: 90 %."
    )
    assert say(evaluated({MIXER: [360]}), "Accuracy") == (
        "ConvMixer-1536/20 has a top-1 of 90 % on 400 images of digits."
    )


def test_several_trainings_have_a_mean() -> None:
    trained = {"train": {"name": "short"}, "seeds": [0, 1, 2]}
    report = evaluated({MIXER: [200, 202, 201], RESNET: [360, 361, 362]}, **trained)
    text = say(report, "Accuracy")
    assert text.startswith("Most accurate by top-1 on 400 images of digits (mean of 3 trainings) is"
                           " ResNet-152 (90 %), 40 points (")  # fmt: skip


def test_published_accuracies_are_counted_where_they_are_of_these_images() -> None:
    # Of 400 images 81.5 and 50 %; published are 81.37 and 79.64 %.
    right = {MIXER: [326], RESNET: [200]}
    assert say(evaluated(right, dataset="imagenet-val"), "Paper") == (
        "1 of 2 published top-1† is within the 95 % interval of the measured one."
    )
    assert say(evaluated(right), "Paper") == ""


def test_the_paper_is_compared_by_order_and_ratios() -> None:
    # In the paper 134, 828 and 792: the last two stand the other way round here.
    report = measured({MIXER: rounds(134, 0.01), RESNET: rounds(820), DEIT: rounds(900)})
    [finding] = [finding for finding in find_all(report).items if finding.topic == "Paper"]
    assert finding.text == (
        "2 of 3 pairs of models stand in the paper's order by throughput, 1 in the opposite "
        "order (Spearman's ρ 0.50). 1 of 2 throughput ratios to ConvMixer-1536/20 agrees with the "
        "paper's† within the interval (RTX 8000)."
    )
    assert finding.table == "order"
    two = measured({MIXER: rounds(134, 0.01), RESNET: rounds(400)})
    assert say(two, "Paper").startswith("0 of 1 throughput ratio to ConvMixer-1536/20 agrees with")


def test_claims_are_counted_and_the_first_that_fails_is_named() -> None:
    speeds = {MIXER: rounds(50, 0.01), RESNET: rounds(100)}
    [finding] = [finding for finding in find_all(measured(speeds, claims=CLAIMS)).items
                 if finding.topic == "Claims"]  # fmt: skip
    assert finding.text == (
        "Of 3 claims 1 holds, 1 fails and 1 is undecided. What fails: “ConvMixer is faster”."
    )
    assert finding.row == ("ConvMixer\nis faster", "paper")
    assert say(measured(speeds, claims=CLAIMS[:1]), "Claims") == "Of 1 claim 1 holds."
    assert say(measured(speeds), "Claims") == ""


def test_claims_in_several_settings_are_so_many_verdicts() -> None:
    report = in_three_settings()
    report = summarise(dataclasses.replace(report.run, claims=CLAIMS[:2]), report.records)
    assert say(report, "Claims") == (
        "Of 6 verdicts (2 claims in 3 settings) 3 hold and 3 fail. What fails: "
        "“ConvMixer is faster” (in 3 of 3 settings: eager, nhwc and compiled)."
    )


def test_wide_intervals_are_a_finding_where_no_warning_tells_of_them() -> None:
    speeds = {MIXER: rounds(50, 0.08), RESNET: rounds(100, 0.01), DEIT: rounds(90, 0.05)}
    assert say(measured(speeds), "Trust") == (
        "Speed is uncertain by more than ± 10 % for 2 of 3 models: ConvMixer-1536/20 (± 22 %) and "
        "DeiT-B (± 13 %)."
    )
    assert say(measured(speeds, precision=0.03), "Trust") == ""
    assert say(measured({MIXER: rounds(50, 0.01), RESNET: rounds(100)}), "Trust") == ""


@pytest.mark.parametrize(("many", "count"), [(0, 0), (5, 0), (6, 6), (55, 55)])
def test_a_machine_that_was_never_quiet_is_a_finding(many: int, count: int) -> None:
    run = make_run()
    timed = [record for record in make_records(run) if record.measure == "throughput"]
    others = [record for record in make_records(run) if record.measure != "throughput"]
    some = [
        watched(record, "xd.dd." if place < many else "......")
        for place, record in enumerate(timed)
    ]
    text = say(summarise(run, [*others, *some]), "Trust")
    assert text.startswith(f"{count} of 55 processes stayed disturbed; such" if count else "")
    assert bool(text) is bool(count)
