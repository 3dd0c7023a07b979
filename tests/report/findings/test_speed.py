"""Speed in words: against the rival and the families, the best, between settings."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from cmx_bench.results.reading import summarise

from ..synthetic import PAPER, failed, make_records, make_run
from ..tables.test_fairness import EAGER, NHWC, SPEEDS
from ..tables.test_fairness import make_report as in_three_settings
from .runs import DEIT, MIXER, MODELS, RESMLP, RESNET, find_all, measured, rounds, say

# Half a 95 % interval over three rounds whose logarithms are -1, 0 and 1: Student's t / √3.
HALF = 4.302652729696142 / math.sqrt(3)


@pytest.mark.parametrize(
    ("ratio", "spread", "text"),
    [
        # exp(± 0.05 HALF) is 1.132; exp(0.5 HALF) is 3.46.
        (1 / 4, 0.05, "is 4.0 times slower than ResNet-152 here (3.5 to 4.5)"),
        (4, 0.05, "is 4.0 times as fast as ResNet-152 here (3.5 to 4.5)"),
        (1, 0.05, "cannot be told from ResNet-152 in speed here (at most 13 % apart)"),
        (0.95, 0.05, "cannot be told from ResNet-152 in speed here (at most 19 % apart)"),
        (1, 0.5, "cannot be told from ResNet-152 in speed here (at most 3.5 times apart)"),
        # The lower end shows that it is no 1.
        (1.02, 0.007, "is 1.020 times as fast as ResNet-152 here (1.002 to 1.038)"),
        (1 / 1.02, 0.007, "is 1.020 times slower than ResNet-152 here (1.002 to 1.038)"),
        (3, 0, "is 3.00 times as fast as ResNet-152 here (to all digits shown)"),
    ],
)
def test_the_first_convmixer_against_its_rival(ratio: float, spread: float, text: str) -> None:
    report = measured({RESNET: rounds(100), MIXER: rounds(100 * ratio, spread)})
    assert say(report, "Speed").startswith(f"ConvMixer-1536/20 {text}, with 14 % fewer parameters.")


@pytest.mark.parametrize("ratio", [0.5, 0.8, 0.9, 0.97, 1.03, 1.1, 1.3, 2])
@pytest.mark.parametrize("spread", [0.001, 0.02, 0.1, 0.4])
def test_a_direction_is_said_only_where_the_interval_has_one(ratio: float, spread: float) -> None:
    text = say(measured({MIXER: rounds(100 * ratio, spread), RESNET: rounds(100)}), "Speed")
    least, most = (ratio * math.exp(side * HALF * spread) for side in (-1, 1))
    assert ("times slower than" in text) is (most < 1)
    assert ("times as fast as" in text) is (least > 1)
    assert ("cannot be told" in text) is (least <= 1 <= most)


def test_the_paper_has_its_say() -> None:
    report = measured({MIXER: rounds(400, 0.01), RESNET: rounds(100)})
    assert say(report, "Speed").endswith(
        " In the paper it is 6.2† times slower, on an RTX 8000."  # 828 / 134
    )
    assert "† marks what rests on published figures" in find_all(report).note
    mine = dataclasses.replace(MODELS[RESNET], target="resnet99", name="mine", label="Mine")
    speeds = {MIXER: rounds(400, 0.01), "mine": rounds(100)}
    text = say(measured(speeds, models=MODELS | {"mine": mine}), "Speed")
    assert "times as fast as Mine" in text and "paper" not in text


def test_a_latency_is_the_other_way_round() -> None:
    report = measured({MIXER: rounds(0.4, 0.05), RESNET: rounds(0.1)}, "latency")
    assert say(report, "Speed") == (
        "ConvMixer-1536/20 is 4.0 times slower than ResNet-152 here by median latency (3.5 to 4.5),"
        " with 14 % fewer parameters."
    )
    assert say(report, "Best").startswith("The fastest is ResNet-152 (100.00 ms), ahead of")
    single = measured({MIXER: [0.4], RESNET: [0.1]}, "latency")
    assert "is 4.0 times slower than ResNet-152 here by median latency" in say(single, "Speed")


def test_single_processes_have_no_interval_and_are_no_ground_to_stand_on() -> None:
    report = measured({MIXER: [25.0], RESNET: [100.0], DEIT: [50.0]})
    assert (
        "is 4.0 times slower than ResNet-152 here (of single processes, without an interval)"
        in (say(report, "Speed"))
    )
    assert say(report, "Trust").startswith("Each speed is of a single process")
    assert say(report, "Other families") == say(report, "Best") == say(report, "Paper") == ""


def test_the_other_families_are_told_in_a_sentence() -> None:
    speeds = {MIXER: rounds(100, 0.05), RESNET: rounds(100), DEIT: rounds(400), RESMLP: rounds(25)}
    report = measured(speeds | {PAPER[9].name: rounds(100)})
    assert say(report, "Speed").startswith("ConvMixer-1536/20 cannot be told from Mixer-B/16")
    assert say(report, "Other families") == (
        "ConvMixer-1536/20 is slower than DeiT-B (4.0 times, 3.5 to 4.5), is faster than "
        "ResMLP-S24 (4.0 times, 3.5 to 4.5) and cannot be told from ResNet-152 "
        "(at most 13 % apart)."
    )
    assert "DeiT-S" not in say(measured(speeds | {PAPER[7].name: rounds(90)}), "Other families")


def test_a_model_of_which_a_process_failed_is_no_rival() -> None:
    report = measured({MIXER: rounds(50, 0.01), RESNET: rounds(100), RESMLP: rounds(25)})
    records = [
        failed(record, "out of memory")
        if record.model == RESNET and record.replicate == 1
        else record
        for record in report.records
    ]
    assert "as fast as ResMLP-S24" in say(summarise(report.run, records), "Speed")


def test_one_model_has_nobody_to_be_held_against() -> None:
    report = measured({MIXER: rounds(100, 0.01)})
    assert [finding.topic for finding in find_all(report).items] == ["Speed"]
    assert say(report, "Speed") == (
        "Throughput of ConvMixer-1536/20 is 100 images/s (± 2.5 %, n = 3); no other was measured."
    )


@pytest.mark.parametrize(
    ("speeds", "text"),
    [
        ((100, 200, 300), "The fastest is DeiT-B (300 images/s), ahead of ResNet-152 (200 images"),
        ((100, 299, 300), "The fastest are DeiT-B (300 images/s) and ResNet-152 (299 images/s), "
                          "which cannot be told apart."),
        ((299, 300, 300), "No model is the fastest beyond doubt: all 3 may be as fast."),
    ],
)  # fmt: skip
def test_the_fastest_are_named_ties_as_ties(speeds: tuple[float, ...], text: str) -> None:
    models = (MIXER, RESNET, DEIT)
    report = measured(
        {model: rounds(speed, 0.003) for model, speed in zip(models, speeds, strict=True)}
    )
    assert say(report, "Best").startswith(text)


def test_a_model_that_may_be_faster_is_not_passed_over_for_a_failure() -> None:
    report = measured({MIXER: rounds(100, 0.01), RESNET: rounds(200, 0.01), DEIT: rounds(90, 0.01)})
    records = [
        failed(record, "out of memory")
        if record.model == RESNET and record.replicate == 1
        else record
        for record in report.records
    ]
    assert "The fastest is ConvMixer" not in say(summarise(report.run, records), "Best")


def test_the_least_memory_is_planned_where_one_process_measured_it() -> None:
    run = make_run((MODELS[MIXER], MODELS[RESNET]), measures=("memory", "planned_memory"))
    first = [record for record in make_records(run) if record.replicate == 0]
    assert say(summarise(run, first), "Best") == (
        "ConvMixer-1536/20 (197 MiB) needs the least memory by plan."
    )


def test_who_is_fastest_at_the_published_accuracy() -> None:
    speeds = {MIXER: rounds(100, 0.01), RESNET: rounds(900, 0.01), DEIT: rounds(200, 0.01)}
    assert say(measured(speeds), "Best").endswith(
        "Of the models with the published top-1 of ConvMixer-1536/20 (81.37 %) or more, DeiT-B† is "
        "the fastest."
    )
    alone = {MIXER: rounds(100, 0.01), RESNET: rounds(900, 0.01)}
    assert say(measured(alone), "Best").endswith(
        "No other model has a published top-1 as high as ConvMixer-1536/20 (81.37 %)."
    )
    unfinished = measured(speeds)  # DeiT-B comes after the others
    timed = [record for record in unfinished.records if record.model != DEIT]
    assert "published top-1" not in say(summarise(unfinished.run, timed), "Best")
    tied = {MIXER: rounds(100, 0.01), DEIT: rounds(101, 0.01), RESNET: rounds(900, 0.01)}
    assert say(measured(tied), "Best").endswith("DeiT-B† and ConvMixer-1536/20 are the fastest.")


def test_what_another_setting_changes() -> None:
    report = in_three_settings()
    assert say(report, "Settings") == (
        "ConvMixer-1536/20 is 3.00 times as fast in nhwc as in eager (to all digits shown). "
        "1 pair changes its order with the setting: ConvMixer-1536/20 is ahead of ConvMixer-768/32 "
        "in nhwc and behind it in eager."
    )
    assert find_all(report).note.startswith("Speeds are those of the setting eager (cuda-fp16-nchw")
    alike = in_three_settings(dict.fromkeys(report.run.settings, (100, 200, 400)))
    assert say(alike, "Settings") == (
        "No other setting makes ConvMixer-1536/20 faster beyond doubt than eager does. "
        "No two models change their order beyond doubt."
    )


def test_smaller_images_make_no_model_faster() -> None:
    """Settings of other sizes stand in tables of their own, and in no sentence about these."""
    small = [dataclasses.replace(each, image_size=112) for each in (EAGER, NHWC)]
    sizes = {EAGER: SPEEDS[EAGER], small[0]: (900, 1800, 3600), small[1]: (900, 1800, 3600)}
    assert say(in_three_settings(sizes), "Settings") == ""
    both = say(in_three_settings({**sizes, NHWC: SPEEDS[NHWC]}), "Settings")
    assert both.startswith("ConvMixer-1536/20 is 3.00 times as fast in nhwc as in eager (")


def test_a_batch_of_one_is_no_faster_setting_than_one_of_64() -> None:
    single = dataclasses.replace(EAGER, name="one", batch_size=1)
    report = in_three_settings({EAGER: (64, 128, 256), single: (1, 2, 4)}, measure="latency")
    assert say(report, "Settings") == ""
    report = in_three_settings({EAGER: (64, 128, 256), single: (64, 128, 256)})
    assert say(report, "Settings").startswith("No other setting makes ConvMixer-1536/20 faster")


def test_single_processes_say_nothing_of_settings() -> None:
    report = in_three_settings(dict.fromkeys((EAGER, NHWC), (100, 200, 400)))
    alone = [record for record in report.records if record.replicate == 0]
    assert say(report, "Settings") and not say(summarise(report.run, alone), "Settings")


@pytest.mark.parametrize(
    ("changes", "depends"),
    [
        ({"layout": "nchw", "runtime": "onnxruntime"}, True),
        ({"layout": "nchw", "runtime": "onnxruntime", "precision": "bf16"}, False),
    ],
)
def test_whether_the_ranking_survives_the_runtime(changes: dict[str, Any], depends: bool) -> None:
    exported = dataclasses.replace(NHWC, name="exported", **changes)
    text = say(in_three_settings({EAGER: SPEEDS[EAGER], exported: SPEEDS[NHWC]}), "Settings")
    assert ("The ranking depends on the runtime: 1 pair changes" in text) is depends
    assert text.endswith("in exported and behind it in eager.")
    alike = say(in_three_settings(dict.fromkeys((EAGER, exported), (100, 200, 400))), "Settings")
    assert alike.endswith(
        "The ranking survives every runtime: no two models change their order beyond doubt."
    )
    for other in (
        (199, 200.1, 400),
        (200, 199.9, 400),
    ):  # values change order, and no interval does
        close = {EAGER: (200, 199, 400), exported: other}
        assert ("survives" in say(in_three_settings(close), "Settings")) is (other[0] > other[1])
