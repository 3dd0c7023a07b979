"""What stands above the tables, and what warns."""

from __future__ import annotations

import dataclasses

from cmx_bench.present.content import Fact
from cmx_bench.report import headline
from cmx_bench.report.headline import cut_off, origins, status, too_wide, warnings
from cmx_bench.results.neighbours import Neighbours
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from .synthetic import BF16, FP16, PAPER, failed, make_records, make_run, watched


def fact(report: Report, term: str) -> Fact | None:
    return next((fact for fact in origins(report) if fact.term == term), None)


def test_blocks_that_nobody_watched_are_not_counted(run: Run, run_records: list[Record]) -> None:
    """As in runs of the first schema."""
    assert fact(summarise(run, run_records), "Blocks") is None


def test_discarded_blocks_are_counted(run: Run, run_records: list[Record]) -> None:
    some = [
        watched(record, ".x..x..") if record.measure == "throughput" else record
        for record in run_records
    ]
    assert fact(summarise(run, some), "Blocks") == Fact(
        "Blocks",
        "110 of 385 discarded for disturbed conditions "
        "(a GPU held back: 110, foreign GPU processes: 110)",
    )


def test_processes_that_stayed_disturbed_are_a_warning(run: Run, run_records: list[Record]) -> None:
    some = [
        watched(record, "xd.dd.") if record.measure == "throughput" else record
        for record in run_records
    ]
    blocks = fact(summarise(run, some), "Blocks")
    assert blocks is not None and blocks.warning
    assert blocks.text.endswith("; 55 of 55 processes stayed disturbed")


def test_reasons_are_those_of_each_discarded_block(run: Run, run_records: list[Record]) -> None:
    """A disturbed block that was kept, or a reason of another block, counts for nothing."""
    conditions = {
        "steal": [0.5, 0.0, 0.5, 0.0],
        "core_speed": [1.0, 0.5, 0.5, 0.5],
        "gpu_clock_reasons": [0.0] * 4,
        "disturbed": [1.0] * 4,
        "discarded": [1.0, 1.0, 1.0, 0.0],
    }
    timed = next(record for record in run_records if record.measure == "throughput")
    some = [dataclasses.replace(timed, covariates=conditions)]
    assert summarise(run, some).blocks.reasons == {"steal": 2, "a slowed core": 2}


def test_a_gpu_that_nobody_watched_is_a_warning(run: Run, run_records: list[Record]) -> None:
    def without(record: Record) -> Record:
        covariates = dict(watched(record, "....").covariates)
        del covariates["gpu_clock_reasons"]
        return dataclasses.replace(record, covariates=covariates)

    some = [without(record) if record.measure == "throughput" else record for record in run_records]
    beware = Fact("Beware", "what held the GPU back, and its other processes, were not watched "
                            "(install cmx-bench[nvidia])", warning=True)  # fmt: skip
    assert beware in warnings(summarise(run, some))
    cpu = make_run(settings=(dataclasses.replace(FP16, device="cpu"),))
    others = [
        without(record) if record.measure == "throughput" else record
        for record in make_records(cpu)
    ]
    on_a_cpu = summarise(cpu, others)
    assert beware not in warnings(on_a_cpu)
    blocks = Fact("Blocks", "0 of 220 discarded for disturbed conditions")
    assert fact(on_a_cpu, "Blocks") == blocks


def test_a_line_says_where_it_was_measured_and_how_far_it_came(
    run: Run, run_records: list[Record]
) -> None:
    where = "Synthetic GPU 1 (cuda:0), torch 2.15.0, timm 1.0.31, cuda 12.8"
    line = f"{where} · 44 of 44 cells measured · {FP16.key}"
    assert status(summarise(run, run_records)) == Fact("Run", line)
    begun = dataclasses.replace(run, finished="", settings=(FP16, BF16))
    rest = [record for record in run_records[1:] if record.cell != run_records[-1].cell]
    some = [failed(run_records[0], "out of memory"), *rest]
    assert status(summarise(begun, some)) == Fact(
        "Run",
        f"{where} · 42 of 44 cells measured, 1 failed, 1 missing · 2 settings · not finished",
        warning=True,
    )


def test_what_must_be_known_is_not_among_what_is_folded_away(
    run: Run, run_records: list[Record]
) -> None:
    report = summarise(run, [failed(run_records[0], "out of memory"), *run_records[1:]])
    beware = Fact("Beware", "1 failure, with reasons below", warning=True)
    assert warnings(report) == [beware]
    terms = [fact.term for fact in origins(report)]
    assert terms == ["Device", "Cells", "Measuring time", "Begun", "Code", "Suite", "Command",
                     "Content"]  # fmt: skip


def test_a_quick_run_says_what_it_cannot_show(run: Run, run_records: list[Record]) -> None:
    assert headline.quick(summarise(run, run_records)) == ""
    quick = dataclasses.replace(run, quick=True, replicates=2)
    trained = dataclasses.replace(quick, accuracy={"train": {"name": "digits"}, "seeds": [0]})
    for shortened, words in (
        (quick, "timings; measure without --quick"),
        (trained, "to be trained; "),
    ):
        text = headline.quick(summarise(shortened, run_records))
        assert text.startswith("this is a quick run, of 2 rounds within a minute: it shows no ")
        assert words in text
        assert Fact("Beware", text, warning=True) in warnings(summarise(shortened, run_records))


def test_what_is_disturbed_in_a_quick_run_is_measured_in_full(run: Run) -> None:
    command = "python -m cmx_bench run paper --quick --out here"
    quick = dataclasses.replace(run, quick=True, command=command)
    again = "run again when the machine is calm, or for longer than a quick run: "
    assert headline.calmer(quick) == (f"{again}python -m cmx_bench run paper --fresh")
    whole = dataclasses.replace(quick, quick=False)
    assert headline.calmer(whole).startswith("run again when the machine is calm: python")
    part = dataclasses.replace(whole, replicate=0)
    assert headline.calmer(part).startswith("remove this part, and measure it again")
    limited = headline.calmer(dataclasses.replace(whole, budget=60.0))
    assert limited.startswith("run again when the machine is calm, or with a longer --budget: ")


def test_cells_that_stayed_wide_are_a_warning(run: Run, run_records: list[Record]) -> None:
    key = f"resnet50/throughput/{FP16.key}"
    noisy = [
        dataclasses.replace(record, values={"throughput": [100.0 + 5 * record.replicate]})
        if record.cell == key
        else record
        for record in run_records
    ]
    report = summarise(dataclasses.replace(run, precision=0.03), noisy)
    text = "1 cell stayed too wide (wanted ± 3.0 %): throughput of ResNet-50 ± 9.4 %"
    assert too_wide(report) == text
    assert Fact("Beware", text, warning=True) in warnings(report)
    assert too_wide(summarise(run, noisy)) == ""


def test_two_processes_far_apart_are_over_a_thousand_percent(
    run: Run, run_records: list[Record]
) -> None:
    cell = f"resnet152/throughput/{FP16.key}"
    two = [
        dataclasses.replace(record, values={"throughput": [100.0 * 3**record.replicate]})
        for record in run_records
        if record.cell == cell and record.replicate < 2
    ]
    cut = dataclasses.replace(run, budget=40.0, cut_off={cell: 3})
    assert "throughput of ResNet-152 ± over 1,000 % (n = 2)" in cut_off(summarise(cut, two))


def test_what_a_budget_cut_off_is_named_the_widest_first(
    run: Run, run_records: list[Record]
) -> None:
    """One cell has a single process, one two that differ by a tenth; the others have all."""
    first, two = f"resnet50/throughput/{FP16.key}", f"resnet152/throughput/{FP16.key}"
    few = [
        dataclasses.replace(record, values={"throughput": [100.0 * 1.1**record.replicate]})
        if record.cell == two
        else record
        for record in run_records
        if record.replicate < {first: 1, two: 2}.get(record.cell, 5)
    ]
    cut = dataclasses.replace(run, budget=40.0, cut_off={two: 3, first: 4})
    report = summarise(cut, few)
    text = (
        "the budget of 40 s was spent before 2 cells had as many processes as wanted: throughput "
        "of ResNet-50 without an interval (n = 1), throughput of ResNet-152 ± 83 % (n = 2)"
    )
    assert cut_off(report) == text
    assert Fact("Beware", text, warning=True) in warnings(report)
    texts = {fact.term: fact.text for fact in origins(report)}
    assert ", with a budget of 40 s; " in texts["Measuring time"]
    assert cut_off(summarise(dataclasses.replace(run, budget=40.0), run_records)) == ""


def test_what_others_did_before_is_told(run: Run, run_records: list[Record]) -> None:
    for busy, warning in ((0.04, False), (1.3, True)):
        load = Neighbours(5.0, 2, 2, busy, 0.0)
        report = summarise(dataclasses.replace(run, neighbours=load), run_records)
        assert Fact("Load before", str(load), warning=warning) in origins(report)


def test_of_several_settings_a_cell_is_named_with_its_own() -> None:
    run = make_run(PAPER[:1], (FP16, BF16), ("throughput",), replicates=1)
    text = too_wide(summarise(dataclasses.replace(run, precision=0.03), make_records(run)))
    label = f"throughput of {PAPER[0].label}"
    assert text.endswith(
        f": {label} in {FP16.name} without an interval, {label} in {BF16.name} without an interval"
    )


def test_many_cells_that_stayed_wide_stay_one_line(run: Run, run_records: list[Record]) -> None:
    few = [record for record in run_records if record.replicate == 0]
    text = too_wide(summarise(dataclasses.replace(run, precision=0.03), few))
    assert text.startswith("11 cells stayed too wide (wanted ± 3.0 %): throughput of ConvMixer-15")
    assert text.count("throughput of") == text.count("without an interval") == 1
    assert text.endswith(" and 6 more without an interval")


def test_one_replicate_is_no_run(run: Run, run_records: list[Record]) -> None:
    assert headline.part(summarise(run, run_records)) == ""
    part = dataclasses.replace(run, replicate=3)
    assert headline.part(summarise(part, run_records)).startswith(
        "this is replicate 3 alone, a part of "
    )
