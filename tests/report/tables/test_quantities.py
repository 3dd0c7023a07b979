"""Quantities and their intervals, by arithmetic on the synthetic run: processes 1 % apart."""

from __future__ import annotations

import math

import pytest

from cmx_bench.report.tables import quantities
from cmx_bench.report.tables.quantities import Span, UnknownError
from cmx_bench.results.records import Record
from cmx_bench.spec.claims import Comparison, parse

from ..synthetic import FP16, failed, make_records
from .test_judgements import RUN, A, B, C, make_report, span, throughputs

EXACT = [pytest.param(f"params({A}) {sign} params({B})", value, id=sign) for sign, value in (
    ("+", 51_625_960 + 21_110_248), ("-", 51_625_960 - 21_110_248),
    ("*", 51_625_960 * 21_110_248), ("/", 51_625_960 / 21_110_248),
)]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), EXACT)
def test_what_is_exact_stays_exact(text: str, value: float) -> None:
    result = span(text, make_records(RUN))
    assert result == Span(value, value, value)
    assert result.exact


def test_a_quotient_is_over_the_rounds_where_both_have_the_same() -> None:
    """Both are 2 % faster in the second round: the drift falls out."""
    paired = span(f"throughput({B}) / throughput({A})",
                  throughputs(a=[100.0, 102.0, 104.0], b=[200.0, 204.0, 208.0]))  # fmt: skip
    assert (paired.value, paired.low, paired.high) == pytest.approx((2.0, 2.0, 2.0))
    apart = span(f"throughput({B}) / throughput({A})",
                 throughputs(a=[100.0, 102.0, 104.0], b=[200.0, 204.0]))  # fmt: skip
    assert apart.low < 2.0 * 0.99 < 2.0 * 1.01 < apart.high


def test_a_power_is_taken_once_and_its_inverse_falls_out() -> None:
    rates = throughputs(a=[100.0, 110.0, 121.0])
    squared = span(f"throughput({A}) * throughput({A})", rates)
    assert squared.value == pytest.approx(110.0**2)
    alone = span(f"throughput({A})", rates)
    assert math.log(squared.high / squared.value) == pytest.approx(
        2 * math.log(alone.high / alone.value)
    )
    assert span(f"throughput({A}) / throughput({A})", rates).exact


def test_sums_and_differences_take_the_ends_of_their_parts() -> None:
    rates = throughputs(a=[100.0, 110.0, 121.0], b=[50.0, 55.0, 60.5])
    first, second = (span(f"throughput({name})", rates) for name in (A, B))
    total = span(f"throughput({A}) + throughput({B})", rates)
    assert (total.low, total.high) == pytest.approx(
        (first.low + second.low, first.high + second.high)
    )
    apart = span(f"throughput({A}) - throughput({B})", rates)
    assert (apart.low, apart.high) == pytest.approx(
        (first.low - second.high, first.high - second.low)
    )


def test_a_product_of_spans_takes_the_least_and_the_most_of_its_corners() -> None:
    rates = throughputs(a=[100.0, 100.0, 100.0])
    assert span(f"(throughput({A}) - 101) * (throughput({A}) - 98)", rates).value == (
        pytest.approx(-2.0)
    )
    wide = throughputs(a=[99.0, 100.0, 101.0])
    side = span(f"throughput({A}) - 100", wide)
    product = span(f"(throughput({A}) - 100) * (throughput({A}) - 100)", wide)
    corners = (side.low * side.high, side.low**2, side.high**2)
    assert (product.low, product.high) == pytest.approx((min(corners), max(corners)))
    inverse = span(f"1 / (throughput({A}) - 50)", wide)
    bounds = span(f"throughput({A}) - 50", wide)
    assert (inverse.low, inverse.high) == pytest.approx((1 / bounds.high, 1 / bounds.low))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"params({A}) / (params({B}) - params({B}))", "it divides by a value that may be zero"),
        (f"1 / (params({A}) * 0)", "it divides by zero"),
        (f"1 / (throughput({A}) - 100)", "it divides by a value that may be zero"),
        (f"latency_p50({A})", "latency_p50 is not measured here"),
        ("1e300 * 1e300", "it is larger than a number can be"),
        ("1e-300 * 1e-300", "it is smaller than a number can be"),
        (f"throughput({A}) / 1e300 / 1e300", "it is smaller than a number can be"),
        (f"(throughput({A}) - 50) / 1e300 / 1e300", "it is smaller than a number can be"),
    ],
)
def test_what_has_no_value_says_why(text: str, why: str) -> None:
    with pytest.raises(UnknownError, match=f"^{why}"):
        span(text, make_records(RUN))


def test_a_part_that_failed_or_is_single_says_why() -> None:
    key = f"{C}/throughput/{FP16.key}"
    some = [failed(each, "boom") if each.cell == key else each for each in make_records(RUN)]
    with pytest.raises(UnknownError, match="^Throughput of .* failed: boom"):
        span(f"throughput({C})", some)
    with pytest.raises(UnknownError, match="comes from one process and has no interval"):
        span(f"throughput({A})", throughputs(a=[100.0]))


def comparison(text: str) -> Comparison:
    parsed = parse(text, [A, B, C])
    assert isinstance(parsed, Comparison)
    return parsed


@pytest.mark.parametrize(
    ("text", "bound", "sign"),
    [
        (f"throughput({A}) > throughput({B})", 1.0, "/"),
        (f"throughput({A}) - 1 > throughput({B})", 0.0, "-"),
        (f"throughput({A}) > params({B}) * -1", 0.0, "-"),
    ],
)
def test_two_sides_are_held_against_each_other_by_the_narrower_way(
    text: str, bound: float, sign: str
) -> None:
    sides = comparison(text)
    records: list[Record] = make_records(RUN)
    quantity, number = quantities.held(sides.left, sides.right, make_report(text, records), FP16)
    assert number == bound
    assert quantity.sign == sign  # type: ignore[union-attr]


def test_a_side_is_held_against_a_number_as_it_is() -> None:
    sides = comparison(f"throughput({A}) > 7")
    report = make_report("1 > 0", make_records(RUN))
    assert quantities.held(sides.left, sides.right, report, FP16) == (sides.left, 7.0)


def test_a_quotient_of_results_needs_several_processes_of_each() -> None:
    report = make_report("1 > 0", throughputs(a=[100.0], b=[50.0, 51.0]))
    single, several = (report.results[name, FP16.key, "throughput"] for name in (A, B))
    assert quantities.quotient(single, several) is None
    ratio = quantities.quotient(several, several)
    assert ratio is not None and ratio.value == pytest.approx(1.0)


@pytest.mark.parametrize("value", [5.0, 3 * 2**20 + 7.0])
def test_what_all_processes_agree_on_is_that_number_to_its_last_digit(value: float) -> None:
    alike = throughputs(a=[value] * 5, b=[2 * value] * 5)
    assert span(f"throughput({A})", alike) == Span(value, value, value)
    assert span(f"throughput({B}) / throughput({A})", alike) == Span(2.0, 2.0, 2.0)
    assert span(f"throughput({B}) - 2 * throughput({A})", alike) == Span(0.0, 0.0, 0.0)
