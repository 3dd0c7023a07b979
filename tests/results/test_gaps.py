"""What was not measured, and what measures it."""

from __future__ import annotations

from dataclasses import replace

from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..report.synthetic import make_records
from .test_reading import KEY, THROUGHPUT


def test_a_cell_without_records_is_missing(run: Run, found: list[Record]) -> None:
    report = summarise(run, [one for one in found if one.cell != THROUGHPUT])
    assert report.results["convmixer_1536_20", KEY, "throughput"].status == "not measured"
    gap = report.gaps[0]
    assert (gap.what, gap.models) == (f"throughput/{KEY}", ("convmixer_1536_20",))
    assert gap.remedy == "python -m cmx_bench run suites/paper.yaml"
    assert (report.progress.ok, report.progress.missing) == (43, 1)


def test_what_a_budget_cut_off_is_a_gap(run: Run, found: list[Record]) -> None:
    """Apart from what was not measured at all, and with what measures it."""
    few = [one for one in found if one.cell != THROUGHPUT or one.replicate < 2]
    cut = replace(run, budget=40.0, cut_off={THROUGHPUT: 3})
    [gap] = [one for one in summarise(cut, few).gaps if "budget" in one.reason]
    assert (gap.what, gap.models) == (f"throughput/{KEY}", ("convmixer_1536_20",))
    assert gap.reason == "the budget of 40 s was spent before 3 more processes"
    assert gap.remedy.endswith("paper.yaml --out FOLDER-OF-THIS-RUN, with a longer --budget")
    named = replace(cut, command=f"{cut.command} --out here")
    [gap] = [gap for gap in summarise(named, few).gaps if "budget" in gap.reason]
    assert gap.remedy.endswith("paper.yaml --out here, with a longer --budget")
    assert not any("budget" in one.reason for one in summarise(run, few).gaps)


def test_what_only_leaves_out_is_named(run: Run) -> None:
    run = replace(
        run, only=("*/params/*",), cells=tuple(key for key in run.cells if "/params/" in key)
    )
    gaps = {gap.what: gap for gap in summarise(run, make_records(run)).gaps}
    assert len(gaps[f"throughput/{KEY}"].models) == 11
    assert gaps[f"throughput/{KEY}"].remedy == (
        f"python -m cmx_bench run suites/paper.yaml --device cuda:0 --only '*/throughput/{KEY}'"
    )
    assert gaps["setting cpu/cpu"].remedy.endswith("--device cpu")
    assert "latency" in gaps
