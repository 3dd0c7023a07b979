"""What failed, counts for nothing, or was not measured."""

from __future__ import annotations

import dataclasses

from cmx_bench.present.content import Table
from cmx_bench.report.tables import absences
from cmx_bench.results.gaps import Gap
from cmx_bench.results.nouns import Failure, LeftOut
from cmx_bench.results.reading import summarise

from ..synthetic import PAPER, make_run

REPORT = summarise(make_run(PAPER[:1], measures=("params",)), [])


def texts(table: Table) -> list[list[str]]:
    return [[entry.text for entry in row] for row in table.rows]


def test_a_contradiction_is_of_all_processes() -> None:
    failures = (Failure("a/params/r224", None, "came out differently"), Failure("b/x/y", 3, "boom"))
    report = dataclasses.replace(REPORT, failures=failures)
    assert texts(absences.failures(report)) == [
        ["a/params/r224", "all", "came out differently"], ["b/x/y", "3", "boom"],
    ]  # fmt: skip


def test_what_is_left_out_names_each_field_that_differs() -> None:
    record = LeftOut("a/x/y", 2, "e2", "other environment",
                     {"threads": (4, 8), "driver": ("580.2", "570.1")})  # fmt: skip
    [row] = texts(absences.left_out(dataclasses.replace(REPORT, left_out=(record,))))
    assert row == ["a/x/y", "2", "e2", "other environment",
                   "threads: 4 here, 8 elsewhere; driver: 580.2 here, 570.1 elsewhere"]  # fmt: skip


def test_gaps_name_twelve_models_at_most() -> None:
    many = tuple(f"m{place}" for place in range(14))
    gaps = (Gap("latency", (), "why", "how"), Gap("throughput/s", many, "why", "how"))
    rows = texts(absences.gaps(dataclasses.replace(REPORT, gaps=gaps)))
    assert rows[0] == ["latency", "all", "why", "how"]
    assert rows[1][1].endswith("m11 and 2 more")
