"""Curves: settings and models that differ in one number, and the points along it."""

from __future__ import annotations

import dataclasses

import pytest
from pandas import DataFrame

from cmx_bench.report.figures import curves
from cmx_bench.report.figures.cost import THROUGHPUT
from cmx_bench.report.figures.selection import selections
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Run

from ..synthetic import FP16, PAPER, make_records, make_run

NET = dataclasses.replace(PAPER[0], source="convmixer", target="", weights=None)


def samples_of(run: Run) -> DataFrame:
    return summarise(run, make_records(run)).samples


def settings_run(*changes: dict[str, int]) -> Run:
    settings = [
        dataclasses.replace(FP16, name=f"s{place}", **change)  # type: ignore[arg-type]
        for place, change in enumerate(changes)
    ]
    return make_run(PAPER[:1], tuple(settings), ("throughput",), replicates=1)


def models_run(**labels: int) -> Run:
    """Models that differ in their kernel, by label."""
    models = [
        dataclasses.replace(NET, name=f"m{place}", label=label, args={"kernel_size": kernel})
        for place, (label, kernel) in enumerate(labels.items())
    ]
    return make_run(tuple(models), (FP16,), ("params", "throughput"), replicates=1)


@pytest.mark.parametrize(
    ("name", "key", "number"),
    [
        ("batch_size", "cuda-fp16-nchw-eager-b64-r224", 64),
        ("image_size", "cuda-fp16-nchw-eager-b64-r224", 224),
        ("image_size", "r96", 96),
        ("threads", "cpu-fp32-nchw-eager-b1-r224-t8", 8),
        ("threads", "cuda-fp16-nchw-eager-b64-r224", None),
        ("batch_size", "r224", None),
    ],
)
def test_a_settings_key_tells_its_numbers(name: str, key: str, number: int | None) -> None:
    assert curves.number(name, key) == number


def test_three_batch_sizes_make_a_curve_and_two_do_not() -> None:
    three = samples_of(settings_run({"batch_size": 1}, {"batch_size": 8}, {"batch_size": 64}))
    [(shared, keys)] = curves.each_batch_sweep(three).items()
    assert shared == "batch_size:cuda-fp16-nchw-eager-r224"
    assert [curves.number("batch_size", key) for key in keys] == [1, 8, 64]
    two = samples_of(settings_run({"batch_size": 1}, {"batch_size": 8}))
    assert curves.each_batch_sweep(two) == {}


def test_image_sizes_make_a_curve_whose_batches_follow() -> None:
    """As with `batch_size: auto`, which is smaller for larger images."""
    changes = [{"image_size": 96, "batch_size": 64}, {"image_size": 160, "batch_size": 32},
               {"image_size": 224, "batch_size": 16}]  # fmt: skip
    sweeps = curves.each_sweep(samples_of(settings_run(*changes)))
    assert list(sweeps) == ["image_size:cuda-fp16-nchw-eager"]


def test_models_that_differ_in_one_argument_are_on_a_line_with_what_their_labels_share() -> None:
    run = models_run(**{"Small k3": 3, "Small k5": 5, "Small k7": 7})
    report = summarise(run, make_records(run))
    over = f"arg_kernel_size:{FP16.key}"
    assert list(curves.each_sweep(report.samples)) == [over]
    assert curves.each_argument(report.samples) == {"arg_kernel_size:": ["r224"]}
    [chosen] = selections(report, curves.each_sweep(report.samples))
    points = curves.points("arg_kernel_size", THROUGHPUT, chosen)
    assert points["x"].tolist() == [3, 5, 7]
    assert points["label"].tolist() == ["", "", "Small"]
    assert points["tick"].tolist() == ["Kernel size 3", "Kernel size 5", "Kernel size 7"]
    assert curves.list_shown("arg_kernel_size", points, chosen) == {"m0", "m1", "m2"}


def test_labels_with_nothing_in_common_have_their_familys() -> None:
    run = models_run(A=3, B=5, C=7)
    report = summarise(run, make_records(run))
    [chosen] = selections(report, curves.each_sweep(report.samples))
    assert curves.points("arg_kernel_size", THROUGHPUT, chosen)["label"].iloc[-1] == "ConvMixer"


def test_what_was_swept_is_called_as_in_a_suite_and_in_words() -> None:
    assert (curves.name_argument("arg_kernel_size"), curves.word_argument("arg_kernel_size")) == (
        "kernel_size", "kernel size",
    )  # fmt: skip
    assert curves.of_settings("threads") and not curves.of_settings("arg_depth")
