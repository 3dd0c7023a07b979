"""What was not measured, and what measures it."""

from __future__ import annotations

from dataclasses import replace

from cmx_bench.results import gaps
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from ..report.synthetic import make_records, make_run
from .test_reading import KEY, THROUGHPUT


def test_a_cell_without_records_is_missing(run: Run, run_records: list[Record]) -> None:
    report = summarise(run, [record for record in run_records if record.cell != THROUGHPUT])
    assert report.results["convmixer_1536_20", KEY, "throughput"].status == "not measured"
    gap = report.gaps[0]
    assert (gap.what, gap.models) == (f"throughput/{KEY}", ("convmixer_1536_20",))
    assert gap.remedy == "python -m cmx_bench run suites/paper.yaml"
    assert (report.progress.ok, report.progress.missing) == (43, 1)


def test_what_a_budget_cut_off_is_a_gap(run: Run, run_records: list[Record]) -> None:
    """Apart from what was not measured at all, and with what measures it."""
    few = [record for record in run_records if record.cell != THROUGHPUT or record.replicate < 2]
    cut = replace(run, budget=40.0, cut_off={THROUGHPUT: 3})
    [gap] = [gap for gap in summarise(cut, few).gaps if "budget" in gap.reason]
    assert (gap.what, gap.models) == (f"throughput/{KEY}", ("convmixer_1536_20",))
    assert gap.reason == "the budget of 40 s was spent before 3 more processes"
    assert gap.remedy.endswith("paper.yaml --out FOLDER-OF-THIS-RUN, with a longer --budget")
    named = replace(cut, command=f"{cut.command} --out here")
    [gap] = [gap for gap in summarise(named, few).gaps if "budget" in gap.reason]
    assert gap.remedy.endswith("paper.yaml --out here, with a longer --budget")
    assert not any("budget" in gap.reason for gap in summarise(run, few).gaps)


def test_the_numbers_that_processes_may_have() -> None:
    """A precise cell is repeated for those that stayed disturbed, or up to the precision."""
    measures = ("params", "throughput", "load_time", "layers")
    cells = {name: f"resnet50/{name}/{KEY}" for name in measures}
    run = replace(make_run(measures=measures[:3]), measures=measures, cells=tuple(cells.values()))
    most = [len(numbers) for numbers in list(gaps.replicates(run).values())[:3]]
    assert most == [1, 10, 5]
    assert gaps.replicates(run)[cells["layers"]] == range(2**63)  # nobody here knows
    assert gaps.replicates(replace(run, precision=0.02))[cells["throughput"]] == range(40)
    of_one = gaps.replicates(replace(run, replicate=3))
    assert set(of_one.values()) == {range(3, 4)}
    trained = {"dataset": "digits", "train": {"name": "short"}, "seeds": [0, 7]}
    cell = f"resnet50/accuracy/{KEY}"
    run = replace(run, measures=("accuracy",), cells=(cell,), accuracy=trained)
    assert gaps.replicates(run) == {cell: range(2)}


def test_what_only_leaves_out_is_named(run: Run) -> None:
    run = replace(
        run, only=("*/params/*",), cells=tuple(key for key in run.cells if "/params/" in key)
    )
    gap_of = {gap.what: gap for gap in summarise(run, make_records(run)).gaps}
    assert len(gap_of[f"throughput/{KEY}"].models) == 11
    assert gap_of[f"throughput/{KEY}"].remedy == (
        f"python -m cmx_bench run suites/paper.yaml --device cuda:0 --only '*/throughput/{KEY}'"
    )
    assert gap_of["setting cpu/cpu"].remedy.endswith("--device cpu")
    assert "latency" in gap_of
