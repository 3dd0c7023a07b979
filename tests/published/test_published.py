"""The carried-over figures: what a report must not get wrong about them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from cmx_bench import published
from cmx_bench.results.reading import summarise

from ..report import synthetic
from ..report.synthetic import PAPER, make_run


def test_every_figure_has_a_known_grade_and_a_source() -> None:
    assert len(published.figures()) == 287
    assert {figure.grade for figure in published.figures()} == set(published.GRADES)
    assert all(figure.source and figure.printed for figure in published.figures())


def test_no_lookup_is_ambiguous() -> None:
    keys = Counter(
        (figure.model, figure.tag, figure.variant, figure.quantity, figure.image_size)
        for figure in published.figures()
    )
    assert [key for key, count in keys.items() if count > 1] == []


@pytest.mark.parametrize(
    ("model", "quantity", "tag", "printed", "value", "grade"),
    [
        ("convmixer_1536_20", "params", "", "51.6", 51_600_000.0, "C"),
        ("convmixer_1536_20", "throughput", "", "134", 134.0, "C"),
        ("convmixer_1536_20", "top1", "", "81.37", 0.8137, "A"),
        ("convmixer_768_32", "throughput", "", "206", 206.0, "M"),
        ("convmixer_768_32", "activation", "", "ReLU", None, "C"),
        ("convmixer_768_32", "kernel_size", "", "7", 7.0, "C"),
        ("convmixer_1536_20", "kernel_size", "", "9", 9.0, "C"),
        ("resnet152", "top1", "", "79.64", 0.7964, "C"),
        ("resnet152", "top1", "gluon_in1k", "79.712", 0.79712, "T"),
        ("resnet152", "top1", "a1h_in1k", "82.818", 0.82818, "T"),
        ("resnet50", "top1", "", "76.32", 0.7632, "F"),
        ("deit_base_patch16_224", "top1", "", "81.8", 0.818, "C"),
        ("deit_base_patch16_224", "top1", "fb_in1k", "81.980", 0.8198, "T"),
        ("resmlp_big_24_224", "patch_size", "", "8", 8.0, "C"),
        ("resmlp_big_24_224", "params", "", "129", 129_000_000.0, "C"),
        ("resmlp_big_24_224", "top1", "fb_in1k", "81.034", 0.81034, "T"),
        ("mixer_b16_224", "top1", "goog_in21k_ft_in1k", "76.616", 0.76616, "T"),
        ("vit_base_patch16_224", "top1", "augreg2_in21k_ft_in1k", "85.108", 0.85108, "T"),
        ("convmixer_256_8_ks9_p1", "top1", "", "95.88", 0.9588, "C"),
    ],
)
def test_figures(
    model: str, quantity: str, tag: str, printed: str, value: float | None, grade: str
) -> None:
    figure = published.find(model, quantity, tag)
    assert figure is not None
    assert (figure.printed, figure.value, figure.grade) == (printed, value, grade)


def test_another_image_size_is_another_figure() -> None:
    larger = published.find("resnet152", "top1", "a1h_in1k", image_size=288)
    assert larger is not None and larger.printed == "83.494"
    assert published.find("resnet152", "top1", "a1h_in1k", image_size=320) is None


@pytest.mark.parametrize(
    ("model", "error", "printed", "value", "true"),
    [
        ("convmixer_1536_20", "leaves out padding='same' convolutions", "48.68", 48.68e9,
         51_099_168_768),
        ("convmixer_768_32", "leaves out padding='same' convolutions", "19.55", 19.55e9,
         20_676_851_712),
        ("deit_base_patch16_224", "leaves out fused attention", "16.87", 16.87e9, 17_563_828_224),
        ("deit_base_patch16_224", "counts norms", "17.58", 17.58e9, 17_563_828_224),
        ("resnet50", "counts norms", "4.11", 4.11e9, 4_089_184_256),
    ],
)  # fmt: skip
def test_published_macs_name_what_they_get_wrong(
    model: str, error: str, printed: str, value: float, true: int
) -> None:
    """The true counts are those of closed formulas, from hooks, and of two counters."""
    counts = {figure.variant: figure for figure in published.of(model) if figure.quantity == "macs"}
    figure = counts[error]
    assert (figure.printed, figure.value, figure.unit) == (printed, value, "MAC")
    least, most = published.COUNTING_ERRORS[error]
    assert least <= true / value - 1 <= most
    assert published.find(model, "macs") is None  # a raw count is nobody's figure of the model


def test_what_is_unknown_stays_unknown() -> None:
    assert published.find("resnet152", "patch_size") is None
    assert published.find("resmlp_24_224", "throughput") is None
    assert {figure.quantity for figure in published.of("mixer_s16_224")} == {"macs"}
    assert published.of("no_such_model") == ()


def test_an_ablation_is_not_the_model_itself() -> None:
    assert published.find("convmixer_256_8_ks9_p1", "top1_delta") is None
    deltas = [figure for figure in published.of("convmixer_256_8_ks9_p1") if figure.variant]
    assert len(deltas) == 6
    assert {figure.variant: figure.value for figure in deltas}["without random scaling"] == -0.0964


def test_what_nobody_checked_is_doubtful() -> None:
    doubtful = {figure.grade for figure in published.figures() if figure.doubtful}
    assert doubtful == {"C", "F", "M"}


def test_the_reference_tags_exist() -> None:
    for model, tag in published.REFERENCE_TAGS.items():
        assert published.find(model, "top1", tag) is not None, model


def test_the_nearest_resnet_is_the_reference() -> None:
    """timm's default tag for resnet152 beats ConvMixer-1536/20; it is another recipe."""
    assert published.REFERENCE_TAGS["resnet152"] == "gluon_in1k"
    assert published.REFERENCE_TAGS["resmlp_big_24_224"] == "fb_in1k"


@pytest.mark.parametrize(
    ("tag", "more"),
    [("in1k", False), ("gluon_in1k", False), ("goog_in21k_ft_in1k", True),
     ("fb_distilled_in1k", True), ("fb_in22k_ft_in1k", True)],
)  # fmt: skip
def test_extra_training_is_seen_in_the_tag(tag: str, more: bool) -> None:
    assert published.extra_training(tag) is more


@pytest.mark.parametrize(
    ("tag", "data", "teacher"),
    [
        ("in1k", False, False),
        ("a1h_in1k", False, False),
        ("gluon_in1k", False, False),
        ("fb_in1k", False, False),
        ("goog_in21k_ft_in1k", True, False),
        ("fb_in22k_ft_in1k", True, False),
        ("sw_in12k_ft_in1k", True, False),
        ("fb_swsl_ig1b_ft_in1k", True, False),
        ("clip_laion2b_ft_in1k", True, False),
        ("ns_jft_in1k", True, True),
        ("fb_distilled_in1k", False, True),
        ("fb_dist_in1k", False, True),
        ("dist_in22k_ft_in1k", True, True),
        ("ssld_in1k", False, True),
        ("c2ns_in1k", False, False),
        ("swag_ft_in1k", True, False),
    ],
)
def test_timms_tags_say_what_weights_have_seen(tag: str, data: bool, teacher: bool) -> None:
    assert published.extra_data(tag) is data
    assert published.is_distilled(tag) is teacher
    assert published.extra_training(tag) is (data or teacher)


def test_some_architectures_always_had_a_teacher() -> None:
    assert published.is_distilled("fb_in1k", "deit_small_distilled_patch16_224")
    assert not published.is_distilled("fb_in1k", "deit_small_patch16_224")


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({}, True),
        ({"args": {"drop_rate": 0.1}}, False),
        ({"num_classes": 10}, False),
        ({"source": "python", "target": "mine:build"}, False),
        ({"name": "my_name"}, True),  # the target says what it is
        ({"source": "convmixer", "args": {"dim": 1536, "depth": 20, "kernel_size": 9}}, True),
        ({"source": "convmixer", "args": {"dim": 1536, "depth": 20, "kernel_size": 5}}, False),
        ({"source": "convmixer", "args": {"dim": 64, "depth": 2}}, False),
    ],
)
def test_only_the_published_model_has_published_figures(
    changes: dict[str, object], known: bool
) -> None:
    variation = replace(PAPER[0], **changes)  # type: ignore[arg-type]
    report = summarise(make_run(models=(variation,)), [])
    assert ("top1" in report.published[variation.name].paper) is known


def test_timms_figure_follows_the_weights() -> None:
    run = make_run(models=(synthetic.model("resnet152", "ResNet-152", "resnet", "a1h_in1k"),))
    assert summarise(run, []).published["resnet152"].timm["top1"].printed == "82.818"
