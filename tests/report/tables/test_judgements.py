"""Claims judged: on the whole interval or not at all."""

from __future__ import annotations

import dataclasses
import math

import pytest

from cmx_bench.report.tables import judgements, quantities, tables
from cmx_bench.report.tables.judgements import Judged
from cmx_bench.report.tables.quantities import Span
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record
from cmx_bench.spec.claims import Claim, parse

from ..synthetic import FP16, FP32, PAPER, failed, make_records, make_run

RUN = make_run(models=PAPER[:3])
A, B, C = (model.name for model in RUN.models)


def throughputs(**medians: list[float]) -> list[Record]:
    """The synthetic records with other throughputs, one process for each."""
    by_name = dict(zip("abc", (A, B, C), strict=True))
    others = {by_name[letter]: values for letter, values in medians.items()}
    lines = make_records(RUN)
    kept = [
        record for record in lines if record.measure != "throughput" or record.model not in others
    ]
    some = {record.model: record for record in lines if record.measure == "throughput"}
    return kept + [
        dataclasses.replace(some[name], replicate=place, values={"throughput": [value]})
        for name, values in others.items()
        for place, value in enumerate(values)
    ]


def make_report(check: str, lines: list[Record] | None = None) -> Report:
    run = dataclasses.replace(RUN, claims=(Claim("It is so", check),))
    return summarise(run, make_records(run) if lines is None else lines)


def judge(check: str, lines: list[Record] | None = None) -> Judged:
    [judged] = judgements.judge(make_report(check, lines))
    return judged


def span(text: str, lines: list[Record]) -> Span:
    comparison = parse(f"{text} > 0", [A, B, C])
    return quantities.span(comparison.left, make_report("1 > 0", lines), FP16)  # type: ignore[union-attr]


# --- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "state"),
    [
        (f"params({A}) < params({C})", "HOLDS"),
        (f"params({A}) > params({C})", "FAILS"),
        (f"params({A}) <= params({A})", "HOLDS"),
        (f"params({A}) < params({A})", "FAILS"),
        (f"params({A}) + params({B}) in [72736208, 72736208]", "HOLDS"),
        (f"macs({A}) / params({A}) in [100, 100]", "HOLDS"),
        # Processes 1 % apart in the same rounds: the ratio is exactly 2, 98 to 102 the value.
        (f"throughput({B}) > throughput({A})", "HOLDS"),
        (f"throughput({B}) / throughput({A}) in [1.99, 2.01]", "HOLDS"),
        (f"throughput({B}) / throughput({A}) in [2.01, 3]", "FAILS"),
        (f"throughput({A}) in [98, 102]", "HOLDS"),
        (f"throughput({A}) in [99, 101]", "UNDECIDED"),
        (f"throughput({A}) in [102.1, 200]", "FAILS"),
        (f"throughput({A}) > 100", "UNDECIDED"),
        (f"throughput({A}) > 97.9", "HOLDS"),
        (f"102.1 < throughput({A})", "FAILS"),
        (f"throughput({B}) - throughput({A}) in [94, 106]", "HOLDS"),
        (f"throughput({B}) - throughput({A}) > 100", "UNDECIDED"),
        (f"throughput({A}) > 1 and params({A}) > params({C})", "FAILS"),
        (f"throughput({A}) > 100 or params({A}) < params({C})", "HOLDS"),
        (f"throughput({A}) > 100 and params({A}) < params({C})", "UNDECIDED"),
    ],
)
def test_a_claim_is_decided_on_the_whole_interval(check: str, state: str) -> None:
    assert judge(check).state == state


def test_what_was_found_is_said() -> None:
    judged = judge(f"params({A}) < params({C}) and throughput({A}) > 90")
    assert judged.found == (
        f"params({A}) / params({C}) = 0.85768 (exact), claimed < 1",
        f"throughput({A}) = 99.99 (95 % interval 98.05 to 102.0), claimed > 90",
    )


def test_a_claim_that_holds_by_a_hair_shows_the_hair() -> None:
    """`1.0000 (exact), claimed > 1` would contradict its verdict."""
    lines = [
        dataclasses.replace(record, values={**record.values, "params": [count]})
        if record.measure == "params" and (count := counts.get(record.model)) else record
        for counts in [{A: 25_557_064.0, C: 25_557_032.0}]
        for record in make_records(RUN)
    ]  # fmt: skip
    judged = judge(f"params({A}) > params({C})", lines)
    assert judged.state == "HOLDS"
    assert judged.found == (f"params({A}) / params({C}) = 1.000001 (exact), claimed > 1",)
    [within] = judge(f"params({A}) / params({C}) in [0.5, 1.0]", lines).found
    assert "= 1.000001 (exact), claimed in [0.5, 1.0]" in within
    rounds = [100.0, 100.004, 100.008]
    [line] = judge(
        f"throughput({A}) > 100", throughputs(a=[value + 0.006 for value in rounds])
    ).found
    assert "interval 100.000" in line and "interval 100.0 " not in line


# --- what is missing ------------------------------------------------------------------------------


def test_accuracy_stays_undecided_where_it_is_not_measured() -> None:
    """Although its published figures are at hand."""
    judged = judge(f"top1({A}) > top1({C})")
    assert (judged.state, judged.found) == ("UNDECIDED", ("top1 is not measured here",))


def test_a_missing_value_decides_nothing_but_what_it_cannot_change() -> None:
    assert judge(f"top1({A}) > 0 and params({A}) > params({C})").state == "FAILS"
    assert judge(f"top1({A}) > 0 or params({A}) < params({C})").state == "HOLDS"
    assert judge(f"top1({A}) > 0 and params({A}) < params({C})").state == "UNDECIDED"


def test_a_model_without_any_record_is_named() -> None:
    some = [
        record
        for record in make_records(RUN)
        if record.model != B or record.measure != "throughput"
    ]
    judged = judge(f"throughput({B}) > 1", some)
    assert (judged.state, judged.found) == (
        "UNDECIDED", (f"Throughput of {B} is not measured here",),
    )  # fmt: skip


def test_a_cell_that_failed_in_part_is_not_taken_for_whole() -> None:
    some = [failed(record, "boom") if record.model == B and record.replicate == 1 else record
            for record in make_records(RUN)]  # fmt: skip
    judged = judge(f"throughput({B}) > 1", some)
    assert (judged.state, judged.found) == ("UNDECIDED", (f"Throughput of {B} failed: boom",))


def test_one_process_has_no_interval() -> None:
    first = [record for record in make_records(RUN) if record.replicate == 0]
    judged = judge(f"memory({A}) > 1", first)
    assert judged.state == "UNDECIDED"
    assert judged.found == (f"Peak memory of {A} comes from one process and has no interval",)


def test_a_division_by_zero_is_undecided() -> None:
    assert judge(f"params({A}) / (params({A}) - params({A})) > 1").state == "UNDECIDED"


def test_a_check_that_this_version_cannot_read_is_undecided() -> None:
    judged = judge("sparkle(a) > 1")
    assert judged.state == "UNDECIDED"
    assert judged.found[0].startswith("the check cannot be read: unknown metric 'sparkle'")


# --- intervals ------------------------------------------------------------------------------------


def test_a_ratio_is_paired_by_round_where_both_were_measured_in_the_same() -> None:
    """Logs of the ratio 1, 2 and 3 hundredths; t(2) = 4.302653."""
    drift = [100.0, 150.0, 80.0]
    lines = throughputs(
        a=drift,
        b=[value * math.exp(0.01 * step) for value, step in zip(drift, (1, 2, 3), strict=True)],
    )
    ratio = span(f"throughput({B}) / throughput({A})", lines)
    assert ratio.value == pytest.approx(math.exp(0.02))
    half = 4.302653 * 0.01 / math.sqrt(3)
    assert (ratio.low, ratio.high) == (
        pytest.approx(math.exp(0.02 - half)), pytest.approx(math.exp(0.02 + half)),
    )  # fmt: skip


def test_a_ratio_of_other_rounds_is_welchs() -> None:
    """Logs 0, 1, 2 and 3, 4, 5, 6: as in the test of stats."""
    lines = throughputs(a=[math.exp(n) for n in range(3)], b=[math.exp(n) for n in range(3, 7)])
    ratio = span(f"throughput({B}) / throughput({A})", lines)
    assert ratio.value == pytest.approx(math.exp(3.5))
    assert math.log(ratio.high) - 3.5 == pytest.approx(2.577 * (1 / 3 + 5 / 12) ** 0.5, rel=1e-3)


def test_what_divides_itself_is_one() -> None:
    lines = throughputs(a=[100.0, 150.0, 80.0])
    assert span(f"throughput({A}) / throughput({A})", lines) == Span(1, 1, 1)


def test_a_sum_has_the_ends_of_its_parts() -> None:
    lines = make_records(RUN)
    first, other = (span(f"throughput({name})", lines) for name in (A, B))
    total = span(f"throughput({A}) + throughput({B})", lines)
    less = span(f"throughput({A}) - throughput({B})", lines)
    assert (total.low, total.high) == (first.low + other.low, first.high + other.high)
    assert (less.low, less.high) == (first.low - other.high, first.high - other.low)


def test_zeros_have_an_interval_on_the_plain_scale() -> None:
    """A median of 0 has no logarithm: mean 2 of 0, 2 and 4, t(2) times 2 / √3."""
    doubled = span(f"throughput({A}) * 2", throughputs(a=[0.0, 2.0, 4.0]))
    assert (doubled.value, doubled.high) == (
        4,
        pytest.approx(2 * (2 + 4.302653 * 2 / math.sqrt(3))),
    )


def test_an_interval_over_images_counts_as_it_is() -> None:
    """As that of an accuracy, which is no spread over processes."""
    report = make_report(f"throughput({A}) / throughput({B}) in [0.8, 1.2]")
    results = dict(report.results)
    for name in (A, B):
        key = (name, FP16.key, "throughput")
        results[key] = results[key]._replace(
            metric="top1", value=0.8, low=0.79, high=0.81, n=50_000
        )
    [judged] = judgements.judge(dataclasses.replace(report, results=results))
    assert judged.state == "HOLDS"
    assert "(95 % interval 0.9753 to 1.025)" in judged.found[0]


# --- where they are shown -------------------------------------------------------------------------


def test_each_setting_is_judged_by_itself() -> None:
    run = make_run(models=PAPER[:2], settings=(FP16, FP32))
    run = dataclasses.replace(run, claims=(Claim("Fast", f"throughput({A}) > 90"),))
    slow = [
        dataclasses.replace(record, values={"throughput": [10.0 + 0.01 * record.replicate]})
        if record.setting == FP32.key and record.measure == "throughput"
        else record
        for record in make_records(run)
    ]
    report = summarise(run, slow)
    assert [(judged.setting.name, judged.state) for judged in judgements.judge(report)] == [
        ("paper", "HOLDS"), ("fp32", "FAILS"),
    ]  # fmt: skip
    counts = judgements.counts(judgements.judge(report))
    assert judgements.count(counts) == "1 holds, 1 fails"
    table = next(table for table in tables(report) if table.key == "claims")
    assert [row[2].text for row in table.rows] == ["HOLDS", "FAILS"]


def test_without_claims_nothing_is_shown() -> None:
    report = summarise(RUN, make_records(RUN))
    assert "claims" not in [table.key for table in tables(report)]


@pytest.mark.parametrize(
    "check",
    [
        "1e308 * 10 > params({0})",
        "params({0}) < 1e308 * 10",
        "1e308 + 1e308 > 1",
        "1e308 * 10 - 1e308 * 10 < 1",
        " * ".join(["throughput({0})"] * 48) + " > 1",
        "params({0}) in [0, 1] or 1e200 * 1e200 > 1",
    ],
)
def test_what_is_larger_than_a_number_can_be_is_undecided(check: str) -> None:
    judged = judge(check.format(A), throughputs(a=[1e10, 2e10, 3e10]))
    assert judged.state == "UNDECIDED"
    assert "it is larger than a number can be" in judged.found
