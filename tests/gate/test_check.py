"""Two synthetic runs held against each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.errors import RecordsError
from cmx_bench.gate import check
from cmx_bench.gate.outputs import OUTPUTS, console
from cmx_bench.gate.outputs.comparisons import table
from cmx_bench.gate.outputs.sentences import headline, processes
from cmx_bench.gate.verdict import Comparison, Verdict
from cmx_bench.plan import INTERPRETER_SECONDS
from cmx_bench.results.records import Record, Run

from ..report.synthetic import (
    ENVIRONMENT,
    PAPER,
    failed,
    make_records,
    make_run,
    watched,
    write_folder,
)

RUN = make_run(PAPER[:3])
RECORDS = make_records(RUN)
NAMES = [model.name for model in RUN.models]


@pytest.fixture
def judge(tmp_path: Path) -> Callable[..., Verdict]:
    """The verdict on a run, by default RUN against the same of the day before."""

    def judged(
        head: list[Record] = RECORDS, run: Run = RUN, base: list[Record] = RECORDS,
        base_run: Run = RUN, threshold: float = 0.05,
    ) -> Verdict:  # fmt: skip
        folders = {"head": write_folder_anew(tmp_path / "head", run, head)}
        folders["baseline"] = write_folder_anew(tmp_path / "base", earlier(base_run), base)
        others = {"baseline": folders["baseline"]}
        return check.verdict(folders["head"], others, threshold)[1]

    return judged


def earlier(run: Run) -> Run:
    """The same, of the day before."""
    return replace(run, created="2025-12-31T00:00:00+00:00")


def write_folder_anew(folder: Path, run: Run, lines: list[Record]) -> Path:
    folder.mkdir(exist_ok=True)
    return write_folder(folder, run, lines)


def scale(name: str, metric: str, factor: float) -> list[Record]:
    """RECORDS with the samples of one metric of one model multiplied."""
    return [
        replace(
            record,
            values={**record.values, metric: [factor * each for each in record.values[metric]]},
        )
        if record.model == name and metric in record.values
        else record
        for record in RECORDS
    ]


def of(verdict: Verdict, name: str, metric: str, setting: str = "") -> Comparison:
    [comparison] = [
        comparison
        for comparison in verdict.comparisons
        if (comparison.model, comparison.metric.name) == (name, metric)
        and setting in ("", comparison.setting)
    ]
    return comparison


def test_a_copy_of_the_run_is_no_baseline(tmp_path: Path) -> None:
    runs = [write_folder_anew(tmp_path / name, RUN, RECORDS) for name in ("run", "copy")]
    with pytest.raises(RecordsError, match="copy: is the run itself, which says nothing; give an"):
        check.verdict(runs[0], {"baseline": runs[1]}, 0.05)


def test_a_run_that_measured_the_same_passes(judge: Callable[..., Verdict]) -> None:
    verdict = judge()
    assert verdict.state == "PASS"
    timed = of(verdict, NAMES[0], "throughput")
    assert timed.slowdown == 0
    assert (timed.n, timed.left_out) == ((5, 5), (0, 0))
    assert not any("left out" in remark or "4 of 10" in remark for remark in table(verdict).remarks)
    assert timed.detectable is not None
    assert timed.detectable == pytest.approx(0.062, abs=0.001)


@pytest.mark.parametrize(
    ("factor", "state", "slowdown"), [(1 / 1.1, "FAIL", 0.1), (1.3, "PASS", 1 / 1.3 - 1)]
)
def test_throughput_counts_by_the_time_it_takes(
    judge: Callable[..., Verdict], factor: float, state: str, slowdown: float
) -> None:
    verdict = judge(scale(NAMES[1], "throughput", factor))
    timed = of(verdict, NAMES[1], "throughput")
    assert (timed.state, verdict.state) == (state, state)
    assert timed.slowdown == pytest.approx(slowdown)
    assert of(verdict, NAMES[0], "throughput").state == "PASS"


def test_between_is_inconclusive_and_says_what_would_decide(judge: Callable[..., Verdict]) -> None:
    verdict = judge(scale(NAMES[1], "throughput", 1 / 1.03))
    timed = of(verdict, NAMES[1], "throughput")
    assert (timed.state, verdict.state) == ("INCONCLUSIVE", "INCONCLUSIVE")
    # Five processes of 2 s a run have the spread of one per cent that `values` gives them.
    assert timed.more is not None
    assert 1 <= timed.more <= 15
    assert timed.seconds_more == pytest.approx(timed.more * 2 * (2 + INTERPRETER_SECONDS))


@pytest.mark.parametrize("factor", [1.01, 0.99])
def test_an_exact_metric_must_be_equal(judge: Callable[..., Verdict], factor: float) -> None:
    verdict = judge(scale(NAMES[2], "macs", factor))
    comparison = of(verdict, NAMES[2], "macs")
    assert (comparison.state, verdict.state) == ("FAIL", "FAIL")
    assert comparison.reason == "an exact metric changed"


def test_a_metric_without_a_better_direction_is_not_judged(judge: Callable[..., Verdict]) -> None:
    run = make_run(PAPER[:3], measures=("roofline",))
    base, head = make_records(run), make_records(run)
    head = [replace(record, values={**record.values, "compute_peak": [1.0]})
            for record in head]  # fmt: skip
    comparison = of(judge(head, run, base, run), NAMES[0], "compute_peak")
    assert comparison.state == "INCOMPARABLE" and comparison.head == 1.0
    assert comparison.reason.startswith("neither higher nor lower is better, so it")
    fewer = make_run(PAPER[:2], measures=("roofline",))
    gone = judge(make_records(fewer), fewer, base, run)
    assert of(gone, NAMES[2], "compute_peak").state == "INCOMPARABLE"
    assert of(gone, NAMES[2], "mac_rate").state == "FAIL"


def test_other_machines_compare_exact_metrics_only(judge: Callable[..., Verdict]) -> None:
    elsewhere = ENVIRONMENT | {"torch": "2.99"}
    moved = replace(RUN, machine=elsewhere, environments={"e1": elsewhere})
    verdict = judge(scale(NAMES[0], "throughput", 0.5), run=moved)
    timed = of(verdict, NAMES[0], "throughput")
    assert timed.state == "INCOMPARABLE"
    assert timed.reason == "measured elsewhere: torch 2.15.0, now 2.99"
    assert of(verdict, NAMES[0], "macs").state == "PASS"
    assert verdict.state == "INCONCLUSIVE"
    assert headline(verdict).startswith(
        "INCONCLUSIVE: 15 comparisons of exact metrics, none different; NO TIMING COULD BE JUDGED "
        "(measured elsewhere: torch 2.15.0, now 2.99); not judged: 9 incomparable"
    )


@pytest.mark.parametrize(("factor", "state"), [(1.1, "FAIL"), (0.8, "PASS")])
def test_a_metric_of_which_less_is_better(
    judge: Callable[..., Verdict], factor: float, state: str
) -> None:
    run = make_run(PAPER[:2], measures=("latency",))
    lines = make_records(run)
    slow = [
        replace(record, values={k: [factor * v for v in vs] for k, vs in record.values.items()})
        for record in lines
    ]
    assert of(judge(slow, run, lines, run), NAMES[0], "latency_p50").state == state


@pytest.mark.parametrize("side", ["run", "base_run"])
@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"quick": True}, "is a quick run, which decides nothing; measure it without --quick"),
        ({"replicate": 0}, "is one replicate of a run; merge the parts first"),
        ({"finished": ""}, "is not finished, .* finish it by the command that began it"),
    ],
)
def test_a_part_of_a_run_decides_nothing(
    judge: Callable[..., Verdict], side: str, part: dict[str, Any], why: str
) -> None:
    first = [record for record in RECORDS if record.replicate == 0]
    with pytest.raises(RecordsError, match=why):
        judge(first, base=first, **{side: replace(RUN, **part)})


def test_a_missing_model_fails(judge: Callable[..., Verdict]) -> None:
    fewer = make_run(PAPER[:2])
    verdict = judge(make_records(fewer), fewer)
    assert of(verdict, NAMES[2], "throughput").state == "FAIL"
    assert of(verdict, NAMES[2], "throughput").reason == (
        f"the run has no model {NAMES[2]}; one with a new name needs a new baseline"
    )
    assert verdict.state == "FAIL"


def test_a_cell_that_was_not_measured_fails(judge: Callable[..., Verdict]) -> None:
    gone = [record for record in RECORDS if (record.model, record.measure) != (NAMES[0], "macs")]
    assert of(judge(gone), NAMES[0], "macs").reason == "not measured"
    assert judge(gone).state == "FAIL"


def test_a_newly_failed_cell_fails(judge: Callable[..., Verdict]) -> None:
    broken = [
        failed(record, "boom")
        if (record.model, record.measure) == (NAMES[0], "throughput")
        else record
        for record in RECORDS
    ]
    comparison = of(judge(broken), NAMES[0], "throughput")
    assert (comparison.state, comparison.reason) == ("FAIL", "newly failed: boom")
    both = of(judge(broken, base=broken), NAMES[0], "throughput")
    assert (both.state, both.reason) == ("INCOMPARABLE", "failed in both: boom")


def test_what_failed_in_some_processes_of_both_is_judged_by_the_others(
    judge: Callable[..., Verdict],
) -> None:
    def partly(records: list[Record]) -> list[Record]:
        return [failed(record, "boom") if record.replicate == 4 else record for record in records]

    verdict = judge(partly(scale(NAMES[0], "throughput", 0.5)), base=partly(RECORDS))
    slower, same = (of(verdict, name, "throughput") for name in NAMES[:2])
    assert (slower.state, same.state) == ("FAIL", "PASS")
    assert slower.reason == "some processes failed in both: boom"
    newly = of(judge(partly(RECORDS)), NAMES[0], "throughput")
    assert (newly.state, newly.reason) == ("FAIL", "newly failed: boom")
    broken = [
        failed(record, "boom") if record.measure == "throughput" else record for record in RECORDS
    ]
    lost = of(judge(broken, base=partly(RECORDS)), NAMES[0], "throughput")
    assert (lost.state, lost.reason) == ("FAIL", "newly failed in every process: boom")


def test_a_model_that_is_gone_fails_on_other_devices_too(judge: Callable[..., Verdict]) -> None:
    """What is exact does not depend on which kinds of device a run has."""
    settings = (replace(RUN.settings[0], hardware="another GPU"),)
    fewer = replace(make_run(PAPER[:2], settings), machines={"another GPU": ENVIRONMENT})
    gone = of(judge(make_records(fewer), fewer), NAMES[2], "params")
    assert gone.state == "FAIL"
    assert gone.reason.startswith(f"the run has no model {NAMES[2]}")


def test_what_is_new_is_not_judged(judge: Callable[..., Verdict]) -> None:
    fewer = make_run(PAPER[:2])
    verdict = judge(base=make_records(fewer), base_run=fewer)
    assert of(verdict, NAMES[2], "throughput").state == "NEW"
    assert of(verdict, NAMES[2], "throughput").reason == f"the baseline has no model {NAMES[2]}"
    assert verdict.state == "PASS"


@pytest.mark.parametrize("lost", ["interrupted", "failed"])
def test_a_baseline_without_any_timing_passes_nothing(
    lost: str, judge: Callable[..., Verdict]
) -> None:
    exact = [record for record in RECORDS if record.cell.split("/")[1] in ("params", "macs")]
    others = [failed(record, "boom") for record in RECORDS if record not in exact]
    verdict = judge(base=exact + (others if lost == "failed" else []))
    throughput = of(verdict, NAMES[0], "throughput")
    assert throughput.state == "INCOMPARABLE"
    assert throughput.reason.startswith(
        {"interrupted": "not measured in the baseline", "failed": "failed ("}[lost]
    )
    assert verdict.state == "INCONCLUSIVE"


def test_an_anchor_catches_what_adds_up(tmp_path: Path) -> None:
    """Two losses of 2.4 % pass one by one and fail together."""
    runs = {
        name: write_folder_anew(tmp_path / name, RUN, scale(NAMES[0], "throughput", factor))
        for name, factor in (("first", 1.0), ("second", 1 / 1.024), ("third", 1 / 1.05))
    }
    others = {"baseline": runs["second"], "anchor": runs["first"]}
    _, verdict = check.verdict(runs["third"], others, 0.05)
    timed = [
        comparison for comparison in verdict.comparisons if comparison.metric.name == "throughput"
    ]
    states = {
        comparison.against: comparison.state for comparison in timed if comparison.model == NAMES[0]
    }
    assert states["anchor"] == "FAIL"
    assert states["baseline"] != "FAIL"


def test_a_comparison_that_rests_on_disturbed_processes_says_so(
    judge: Callable[..., Verdict],
) -> None:
    """With three calm ones the others do not count, and nothing is to be said."""

    def restless(calm: int) -> list[Record]:
        return [
            watched(
                record,
                "..d.." if record.model == NAMES[1] and record.replicate >= calm else ".....",
            )
            if record.measure == "throughput"
            else record
            for record in RECORDS
        ]

    head = judge(restless(2), base=restless(3))
    assert of(head, NAMES[1], "throughput").reason.startswith("the value of the run is disturbed")
    assert of(head, NAMES[0], "throughput").reason == ""
    assert of(judge(restless(3)), NAMES[1], "throughput").reason == ""


def test_n_counts_what_the_interval_rests_on(judge: Callable[..., Verdict]) -> None:
    """Of ten processes four were calm, and one of another's five ran on another driver."""
    run = replace(
        make_run(PAPER[:3], replicates=10),
        environments={"e1": ENVIRONMENT, "e2": ENVIRONMENT | {"driver": "580.2"}},
    )

    def restless(record: Record) -> Record | None:
        if record.measure == "throughput" and record.model == NAMES[0]:
            return watched(record, "..d.." if record.replicate >= 4 else ".....")
        if record.measure == "throughput" and record.model == NAMES[1]:
            moved = replace(record, environment="e2")
            return None if record.replicate > 4 else moved if record.replicate == 4 else record
        return record

    head = [kept for record in make_records(run) if (kept := restless(record)) is not None]
    verdict = judge(head, run, base=head[:], base_run=run)
    counts = {name: of(verdict, name, "throughput") for name in NAMES}
    assert [comparison.n for comparison in counts.values()] == [(4, 4), (4, 4), (10, 10)]
    assert [comparison.left_out for comparison in counts.values()] == [(6, 6), (1, 1), (0, 0)]
    assert of(verdict, NAMES[0], "params").n == (1, 1)
    shown = table(verdict)
    place = [column.key for column in shown.columns].index("n")
    rows = [row for row in shown.rows if row[1].text == "Throughput"]
    texts = {row[0].detail: row[place].text for row in rows}
    assert texts == {NAMES[0]: "4 of 10", NAMES[1]: "4 of 5", NAMES[2]: "10"}
    assert any("the other 6 stayed disturbed" in remark for remark in shown.remarks)
    assert "4 of 10" in console.text(verdict, 160)
    for name in ("verdict.md", "verdict.html", "benchmark.json"):
        assert "4 of 10" in OUTPUTS[name](verdict)


def test_sides_with_other_numbers_of_processes_show_both(judge: Callable[..., Verdict]) -> None:
    fewer = [record for record in RECORDS if record.replicate < 4]
    compared = of(judge(fewer), NAMES[0], "throughput")
    assert compared.n == (5, 4)
    assert processes(compared) == ["5", "4"]


@pytest.mark.parametrize(
    ("driver", "state", "reason"),
    [
        ("570.1", "FAIL", "not measured"),
        ("580", "INCOMPARABLE", "measured elsewhere: driver 570.1, now 580"),
    ],
)
def test_a_cell_that_the_run_skipped(
    judge: Callable[..., Verdict], driver: str, state: str, reason: str
) -> None:
    """Another machine may lack what a measure needs; the same one has lost it."""
    machine = ENVIRONMENT | {"driver": driver}
    run = replace(RUN, machine=machine, environments={"e1": machine})
    skipped = [
        replace(record, status="skipped", values={}, reason="it")
        if record.measure == "memory"
        else record
        for record in RECORDS
    ]
    memory = of(judge(skipped, run), NAMES[0], "peak_memory")
    assert (memory.state, memory.reason) == (state, f"{reason}: it")
    memory = of(judge(skipped, run, skipped, run), NAMES[0], "peak_memory")
    assert memory.state == "INCOMPARABLE"
    assert memory.reason == "skipped (it) in both"


def test_the_files_of_own_models_are_named(judge: Callable[..., Verdict]) -> None:
    origin = {"file": "mynet.py", "sha256": "1f0a" * 16}
    head = [
        replace(record, details={**record.details, "origin": origin})
        if record.model == NAMES[0]
        else record
        for record in RECORDS
    ]
    sides = dict(judge(head).sides)
    assert sides["run"].endswith(f", {NAMES[0]} from mynet.py (1f0a1f0a1f0a)")
    assert "mynet" not in sides["baseline"]
