"""What differs between two runs beside the values, and what a check says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.gate import check, differences
from cmx_bench.gate.differences import Sides
from cmx_bench.gate.outputs.sentences import headline
from cmx_bench.gate.verdict import Verdict
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record

from ..report.synthetic import (
    BF16,
    ENVIRONMENT,
    FP16,
    FP32,
    PAPER,
    make_records,
    make_run,
    write_folder,
)
from . import accuracies
from .test_check import NAMES, RECORDS, RUN, judge, of, scale

__all__ = ["judge"]


def pair(base: tuple[object, ...], head: tuple[object, ...]) -> dict[tuple[str, str], str]:
    """What is said of each pair of settings in which a run of each has params and throughput."""
    reports = []
    for settings in (base, head):
        run = make_run(PAPER[:1], settings, ("params", "throughput"))  # type: ignore[arg-type]
        reports.append(summarise(run, make_records(run)))
    return {
        (both.old.setting if both.old else "", both.new.setting if both.new else ""): both.moved
        for both in differences.pair_results(*reports)
    }


def test_a_setting_is_the_same_by_its_key_whatever_its_name() -> None:
    renamed = replace(FP16, name="other")
    assert pair((FP16,), (renamed,)) == {("r224", "r224"): "", (FP16.key, FP16.key): ""}


def test_a_setting_with_other_values_is_the_same_by_its_name() -> None:
    other = replace(FP16, layout="nhwc", image_size=192)
    sentence = "the setting paper differs: layout nchw, now nhwc, image_size 224, now 192"
    assert pair((FP16,), (other,)) == {("r224", "r192"): sentence, (FP16.key, other.key): sentence}


def test_names_that_change_places_move_nothing() -> None:
    swapped = replace(FP16, name="fp32"), replace(FP32, name="paper")
    assert set(pair((FP16, FP32), swapped).values()) == {""}


def test_a_size_that_another_setting_still_has_is_not_moved() -> None:
    smaller = replace(FP16, image_size=192)
    reasons = pair((FP16, FP32), (smaller, FP32))
    assert reasons["r224", "r224"] == "" and reasons["", "r192"] == ""
    assert reasons[FP16.key, smaller.key].endswith("image_size 224, now 192")


def test_what_has_another_name_is_gone_and_new() -> None:
    assert pair((FP32,), (BF16,)) == {
        ("r224", "r224"): "", (FP32.key, ""): "", ("", BF16.key): "",
    }  # fmt: skip


def test_differences_are_told_at_any_depth() -> None:
    old = {"a": {"b": 1, "c": [1]}, "d": None, "same": 2}
    new = {"a": {"b": 2, "c": [1]}, "d": "x", "same": 2, "e": False}
    assert differences.tell(old, new) == "a.b 1, now 2, d none, now x, e none, now False"
    many = {str(number): number for number in range(9)}
    assert differences.tell({}, many).endswith("5 none, now 5 and 3 more")


def test_what_environments_lack_is_unknown_or_not_set() -> None:
    new = ENVIRONMENT | {"mkldnn": True, "OMP_NUM_THREADS": "1"}
    assert differences.tell_environments(ENVIRONMENT, new) == (
        "mkldnn unknown, now True, OMP_NUM_THREADS not set, now 1"
    )


def by_word(by: str, macs: float) -> list[Record]:
    """RECORDS with the MACs of the first model counted by a word of the user's."""
    details = {"given": {"aten::asin": {"by": by, "macs": 0}}}
    return [
        replace(record, details=details, values={"macs": [macs], "activations": [1]})
        if record.cell == f"{NAMES[0]}/macs/r224"
        else record
        for record in RECORDS
    ]


def test_macs_by_another_word_are_not_compared(judge: Callable[..., Verdict]) -> None:
    comparison = of(judge(by_word("zero", 5), base=by_word("own:count", 5)), NAMES[0], "macs")
    assert comparison.state == "INCOMPARABLE"
    assert comparison.reason == "counted by other words: aten::asin own:count, now zero"
    assert of(judge(by_word("zero", 5)), NAMES[0], "macs").state == "INCOMPARABLE"
    same = judge(by_word("zero", 5), base=by_word("zero", 5))
    assert of(same, NAMES[0], "macs").state == "PASS"


def test_kernels_chosen_by_the_environment_are_not_compared(judge: Callable[..., Verdict]) -> None:
    chosen = {"cpu_capability": "DEFAULT", "KMP_AFFINITY": "compact"}
    other = replace(RUN, environments={"e1": ENVIRONMENT | chosen})
    timed = of(judge(run=other), NAMES[0], "throughput")
    assert (timed.state, timed.reason) == (
        "INCOMPARABLE",
        "measured elsewhere: cpu_capability unknown, now DEFAULT, "
        "KMP_AFFINITY not set, now compact",
    )


@pytest.mark.parametrize("field", ["device_uuid", "cmx_bench"])
def test_what_else_must_be_equal(judge: Callable[..., Verdict], field: str) -> None:
    """Two GPUs of one model, and two versions of what measures."""
    other = replace(RUN, environments={"e1": ENVIRONMENT | {field: "another"}})
    timed = of(judge(run=other), NAMES[0], "throughput")
    assert timed.state == "INCOMPARABLE"
    assert field in timed.reason


def test_a_setting_that_followed_the_machine_is_incomparable(judge: Callable[..., Verdict]) -> None:
    """`batch_size: auto` follows the cores: the baseline's setting is not there any more."""
    machine = ENVIRONMENT | {"cores": 16, "threads": 16}
    batch = replace(RUN.settings[0], batch_size=128)
    wide = replace(make_run(PAPER[:3], (batch,)), machine=machine, environments={"e1": machine})
    verdict = judge(make_records(wide), wide)
    timed = of(verdict, NAMES[0], "throughput")
    assert (timed.state, timed.setting) == ("INCOMPARABLE", batch.key)
    assert timed.reason == (
        "the setting paper differs: batch_size 64, now 128 (`batch_size: auto` follows the "
        "heaviest model and the cores; what changed: cores 8, now 16, threads 8, now 16); write a "
        "number, or take a new baseline"
    )
    assert set(verdict.counts) == {"PASS", "INCOMPARABLE"}


def test_a_new_model_that_changed_the_batch_is_named(judge: Callable[..., Verdict]) -> None:
    """`batch_size: auto` follows the heaviest model of a suite."""
    fewer = make_run(PAPER[:2])
    small = make_run(PAPER[:3], (replace(RUN.settings[0], batch_size=16),))
    verdict = judge(make_records(small), small, make_records(fewer), fewer)
    timed, new = (of(verdict, NAMES[place], "throughput") for place in (0, 2))
    assert (timed.state, new.state, new.reason) == (
        "INCOMPARABLE", "NEW", f"the baseline has no model {NAMES[2]}",
    )  # fmt: skip
    assert timed.reason.startswith("the setting paper differs: batch_size 64, now 16 (")
    assert "what changed: new model ResNet-152); write a number" in timed.reason
    assert of(verdict, NAMES[0], "params").state == "PASS"
    assert verdict.counts["FAIL"] == 0
    assert f"NO TIMING COULD BE JUDGED ({timed.reason})" in headline(verdict)


def test_a_setting_with_another_name_is_gone(judge: Callable[..., Verdict]) -> None:
    renamed = make_run(PAPER[:3], (replace(RUN.settings[0], name="new", batch_size=16),))
    timed = of(judge(make_records(renamed), renamed), NAMES[0], "throughput", RUN.settings[0].key)
    assert (timed.state, timed.reason) == (
        "FAIL",
        f"the run has no setting {RUN.settings[0].key}; one with a new name needs a new baseline",
    )


def test_what_fails_names_what_else_differs(judge: Callable[..., Verdict]) -> None:
    wider = replace(RUN.models[0], args={"dim": 512}, kernel_size=3)
    moved = RUN.machine | {"torchvision": "0.30", "git_commit": "ab"}
    run = replace(RUN, models=(wider, *RUN.models[1:]), machine=moved)
    verdict = judge(scale(NAMES[0], "throughput", 0.5), run)
    assert of(verdict, NAMES[0], "throughput").reason == (
        "the model differs: args.dim none, now 512; measured with other software: torchvision "
        "unknown, now 0.30"
    )
    assert of(verdict, NAMES[0], "params").reason == ""


def test_memory_is_compared_where_it_counts_from_the_same(judge: Callable[..., Verdict]) -> None:
    head = [
        replace(record, details={"peak_since": "the start of the process"})
        if record.measure == "memory"
        else record
        for record in RECORDS
    ]
    memory = of(judge(head), NAMES[0], "peak_memory")
    assert memory.state == "INCOMPARABLE"
    assert memory.reason == (
        "a peak since the pass in the baseline, since the start of the process in the run"
    )


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (
            {"keys": ("new.png", *accuracies.KEYS[1:])},
            "other images or labels: the first is new.png",
        ),
        ({"label": 1}, "other images or labels: the first is 0.png"),
    ],
)
def test_other_images_are_not_compared(tmp_path: Path, other: dict[str, Any], reason: str) -> None:
    verdict = accuracies.judge(tmp_path, range(40), range(40), **other)
    assert verdict.state == "NOTHING COMPARED"
    assert verdict.comparisons[0].reason == f"evaluated on {reason}"


def test_images_that_are_prepared_otherwise_are_not_compared(tmp_path: Path) -> None:
    """What is judged is a model, and this is none of it."""
    geometry = {**accuracies.PREPROCESSING["geometry"], "crop_pct": 0.9}  # type: ignore[dict-item]
    other = {**accuracies.PREPROCESSING, "geometry": geometry, "mean": [0.25]}
    [comparison] = accuracies.judge(
        tmp_path, range(40), range(200), preprocessing=other
    ).comparisons
    assert (comparison.state, comparison.reason) == (
        "INCOMPARABLE",
        "evaluated otherwise: geometry.crop_pct 1.0, now 0.9, mean [0.5], now [0.25]",
    )


def test_weights_that_differ_are_judged_and_named(tmp_path: Path) -> None:
    [comparison] = accuracies.judge(
        tmp_path, range(40), range(200), weights_sha256="cd"
    ).comparisons
    assert (comparison.state, comparison.reason) == (
        "FAIL",
        "the model differs: weights_sha256 ab, now cd",
    )


def test_other_classes_to_choose_among_are_not_compared(tmp_path: Path) -> None:
    [comparison] = accuracies.judge(
        tmp_path, range(40), range(40), valid_labels_sha256="ab"
    ).comparisons
    assert comparison.state == "INCOMPARABLE"
    assert comparison.reason == "evaluated among other classes: valid_labels differ"


def test_weights_resampled_from_other_sizes_are_not_compared(tmp_path: Path) -> None:
    [comparison] = accuracies.judge(
        tmp_path, range(40), range(40), resampled={"image_size": 160}
    ).comparisons
    assert (comparison.state, comparison.reason) == (
        "INCOMPARABLE",
        "weights were resampled from no other size in the baseline, from 160 px in the run",
    )


@pytest.mark.parametrize(
    ("of_base", "of_head", "reason"),
    [
        ({}, {}, "predictions of a side are missing"),
        (
            {},
            {"dataset": "cifar10"},
            "evaluated on 400 images of digits in the baseline, on 400 images of cifar10 in the "
            "run",
        ),
        # Two trainings differ by chance, and of one each nobody knows by how much.
        ({"training": {}}, {"training": {}}, "fewer than 3 processes on a side show no spread"),
        (
            {"training": {}},
            {"training": {"images": 9}},
            "evaluated otherwise: train.images none, now 9",
        ),
        (
            {"training": {"images": 9}},
            {},
            "evaluated otherwise: weights trained, now given, train.name short, now none, "
            "train.epochs 3, now none, train.images 9, now none",
        ),
    ],
)
def test_without_predictions_or_a_second_training_nothing_is_judged(
    tmp_path: Path, of_base: dict[str, Any], of_head: dict[str, Any], reason: str
) -> None:
    recipe = {"name": "short", "about": "one", "epochs": 3}
    run = replace(accuracies.RUN, accuracy={"dataset": "digits", "train": recipe, "seeds": [0]})
    reports, key = [], accuracies.KEY
    for name, details in (("base", of_base), ("head", of_head)):
        (tmp_path / name).mkdir()
        report = check._read(write_folder(tmp_path / name, run, [accuracies.evaluated(range(40))]))
        result = report.results[key]
        altered = result._replace(details={**result.details, **details})
        reports.append(replace(report, results={key: altered}))
    base, head = reports
    sides = Sides(base.results[key], head.results[key])
    comparison = check._compare(base, head, sides, 0.05, "baseline")
    assert (comparison.state, comparison.reason) == ("INCOMPARABLE", reason)
