"""The files of users' models, and a file that became another."""

from __future__ import annotations

from dataclasses import replace

from cmx_bench.models.importing import Origin
from cmx_bench.results import origins

from ..report.synthetic import PAPER, make_records, make_run

FIRST: Origin = {"file": "net.py", "sha256": "1" * 64}
OTHER: Origin = {"file": "old/net.py", "sha256": "2" * 64}


def test_each_model_that_says_its_file_has_an_origin() -> None:
    record, other, *_ = make_records(make_run(PAPER[:2]))
    with_origin = replace(record, details={"origin": FIRST})
    assert origins.of([with_origin, replace(other, details={"origin": {}})]) == {
        record.model: FIRST
    }


def test_another_content_is_told_against_the_first() -> None:
    known: dict[str, Origin] = {}
    assert origins.other_before("net", FIRST, known) is None
    moved: Origin = {"file": "elsewhere/net.py", "sha256": FIRST["sha256"]}
    assert origins.other_before("net", moved, known) is None  # the content is what counts
    assert origins.other_before("net", OTHER, known) == FIRST
    assert origins.other_before("mixer", OTHER, known) is None
    assert origins.other_before("net", {}, known) is None
    assert known == {"net": FIRST, "mixer": OTHER}


def test_a_file_is_named_with_the_beginning_of_its_hash() -> None:
    assert origins.describe(FIRST) == "net.py (111111111111)"
