"""Which models a run's findings are about, and how they put sizes into words."""

from __future__ import annotations

import pytest

from cmx_bench.report.findings.view import more_or_fewer, times
from cmx_bench.report.tables.quantities import Span
from cmx_bench.results.reading import summarise
from cmx_bench.spec.claims import Claim

from ..synthetic import PAPER, make_records, make_run
from .runs import DEIT, MIXER, MODELS, RESMLP, RESNET, find_all, measured, rounds, say


@pytest.mark.parametrize(
    ("check", "rival"),
    [
        ("params(convmixer_1536_20) < params(resmlp_24_224)", "ResNet-152"),  # nearest in size
        ("throughput(resnet152) < throughput(resmlp_24_224)", "ResNet-152"),  # not of ConvMixer
        ("train_throughput(convmixer_1536_20) < throughput(resmlp_24_224)", "ResNet-152"),
        ("throughput(convmixer_1536_20) < throughput( resmlp_24_224 )", "ResMLP-S24"),
        ("throughput(convmixer_1536_20) / throughput(deit_base_patch16_224) > 2", "DeiT-B"),
    ],
)
def test_the_rival_is_whom_a_claim_names_or_who_is_nearest_in_size(check: str, rival: str) -> None:
    speeds = {RESMLP: rounds(300), DEIT: rounds(200), RESNET: rounds(100), MIXER: rounds(50, 0.01)}
    report = measured(speeds, claims=(Claim("So it is", check),))
    assert f"slower than {rival} here" in say(report, "Speed")


def test_without_another_family_the_rival_is_of_the_same() -> None:
    text = say(measured({MIXER: rounds(50, 0.01), PAPER[1].name: rounds(100)}), "Speed")
    assert "slower than ConvMixer-768/32 here" in text and "2.4 times the parameters" in text


def test_without_a_convmixer_the_first_model_is_looked_at() -> None:
    text = say(measured({DEIT: rounds(50, 0.01), RESNET: rounds(100)}), "Speed")
    assert text.startswith("DeiT-B is 2.00 times slower than ResNet-152 here (1.95 to 2.05), with")


def test_without_a_speed_sizes_are_compared() -> None:
    run = make_run((MODELS[MIXER], MODELS[RESNET]), measures=("params", "macs"))
    report = summarise(run, make_records(run))
    [only] = find_all(report).items
    assert (only.topic, only.text) == (
        "Size", "Against ResNet-152, ConvMixer-1536/20 has 14 % fewer parameters and 14 % fewer "
        "MACs. No speed was measured.",
    )  # fmt: skip


def test_an_interval_that_does_not_touch_1_does_not_read_so() -> None:
    assert times(Span(1.00004, 1.00002, 1.00006)) == ("1.00004", "1.00002 to 1.00006")
    assert times(Span(4.04, 3.46, 4.62)) == ("4.0", "3.5 to 4.6")


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.86, "14 % fewer parameters"),
        (4.4, "4.4 times the parameters"),
        (0.0114, "99 % fewer parameters"),
        (0.0011, "less than 1 % of the parameters"),
        (1.0, "as many parameters"),
        (1.0000013, "nearly as many parameters"),
        (0.997, "nearly as many parameters"),
    ],
)
def test_sizes_are_equal_only_where_they_are(ratio: float, text: str) -> None:
    assert more_or_fewer(ratio, "parameters") == text
