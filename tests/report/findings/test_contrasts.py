"""Runs side by side in words."""

from __future__ import annotations

import dataclasses

from cmx_bench.present.content import Finding, Findings
from cmx_bench.report.findings.contrasts import contrasts
from cmx_bench.results.reading import summarise

from ..synthetic import PAPER
from ..tables.test_side_by_side import CPU, NEWER, beside
from ..tables.test_side_by_side import make_report as a_run


def test_runs_side_by_side_are_held_against_the_first() -> None:
    sides = beside(a_run(), a_run(NEWER, times=2)).sides
    assert contrasts(sides) == Findings(
        (
            Finding(
                "Speed",
                "Against Synthetic GPU 1, ConvMixer-1536/20 is 2.00 times as fast (1.95 to 2.05) "
                "on Synthetic GPU 2; of 3 models 3 are faster there.",
                "runs-throughput",
                ("ConvMixer-1536/20",),
            ),
        ),
        "Ranges in brackets are 95 % intervals.",
    )
    [slower] = contrasts(sides[::-1]).items
    assert "is 2.00 times slower (1.95 to 2.05) on Synthetic GPU 1; of 3 models 3 are slower" in (
        slower.text
    )
    [alike] = contrasts(beside(a_run(), a_run(created="2026-02-01T00:00:00")).sides).items
    assert "is equally fast, as far as these runs can tell (at most 2.3 % apart)," in alike.text


def test_runs_of_other_settings_or_models_are_not_held_against_each_other() -> None:
    assert contrasts(beside(a_run(), a_run(NEWER, settings=(CPU,))).sides) == Findings(())
    other = dataclasses.replace(PAPER[0], args={"depth": 3})
    [only] = contrasts(beside(a_run(), a_run(NEWER, models=(other, *PAPER[1:3]))).sides).items
    assert only.text.startswith("Against Synthetic GPU 1, ConvMixer-768/32 is")


def test_a_throughput_of_nothing_has_no_quotient() -> None:
    broken = a_run(NEWER)
    records = [
        dataclasses.replace(record, values={"throughput": [0.0]})
        if (record.model, record.measure) == (PAPER[0].name, "throughput") else record
        for record in broken.records
    ]  # fmt: skip
    [only] = contrasts(beside(a_run(), summarise(broken.run, records)).sides).items
    assert only.text.startswith("Against Synthetic GPU 1, ConvMixer-768/32 is")
