"""Published figures of exactly the published models."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cmx_bench.results.reading import summarise

from ..report.synthetic import PAPER, make_run, model


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
    run = make_run(models=(model("resnet152", "ResNet-152", "resnet", "a1h_in1k"),))
    assert summarise(run, []).published["resnet152"].timm["top1"].printed == "82.818"
