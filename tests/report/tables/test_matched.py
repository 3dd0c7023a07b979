"""Models made to order: a report says to what, and changed from what."""

from __future__ import annotations

import dataclasses

from cmx_bench.designs import matches, search
from cmx_bench.report.tables import tables
from cmx_bench.report.tables.matched import table
from cmx_bench.results.reading import summarise

from ..synthetic import FP32, PAPER, make_run


def test_a_row_says_what_a_model_is_matched_to() -> None:
    target = search.Target({"params": 21_110_248})
    found = matches.tell(search.find("deit", target), "convmixer_768_32")
    made = dataclasses.replace(PAPER[3], matched=found)
    [row] = table(summarise(make_run((PAPER[1], made), (FP32,), ("params",)), [])).rows
    assert [entry.flat for entry in row] == [
        "DeiT-B (deit_base_patch16_224)",
        "convmixer_768_32 (21,110,248 parameters)",
        "−0.091 %",
        "deit_small_patch16_224: MLP ratio 4.00 → 3.73",
        "deit_small_patch16_224 (+4.5 %)",
    ]


def test_models_as_published_have_no_table() -> None:
    report = summarise(make_run(PAPER[:2], (FP32,), ("params",)), [])
    assert "matched" not in [one.key for one in tables(report)]
