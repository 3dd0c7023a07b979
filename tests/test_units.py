"""Rounding: by hand-written examples, and by properties."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmx_bench import units


@pytest.mark.parametrize(
    ("value", "unit", "digits", "text"),
    [
        (20_676_851_712, "MAC", 3, "20.7 GMAC"),
        (51_099_168_768, "MAC", 4, "51.10 GMAC"),
        (999.6e9, "MAC", 3, "1,000 GMAC"),
        (21_110_248, "", 3, "21.1 M"),
        (1e3, "MAC", 3, "1.00 kMAC"),
        (999, "MAC", 3, "999 MAC"),
        (0.01234, "s", 3, "12.3 ms"),
        (1.5, "s", 2, "1.5 s"),
        (2.0**30, "B", 3, "1.00 GiB"),
        (1536, "B", 2, "1.5 KiB"),
        (1234.5, "images/s", 3, "1,234 images/s"),
        (0.5, "images/s", 3, "0.500 images/s"),
        (0, "s", 3, "0 s"),
        (-2048, "B", 2, "-2.0 KiB"),
        (1536, "heads", 2, "1,536 heads"),
    ],
)
def test_scaled(value: float, unit: str, digits: int, text: str) -> None:
    assert units.scale(value, unit, digits) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (9.996, 3, "10.0"),
        (0.0996, 2, "0.10"),
        (1234567, 3, "1,234,567"),
        (0, 3, "0"),
        (-4.25, 2, "-4.2"),
    ],
)
def test_significant(value: float, digits: int, text: str) -> None:
    assert units.significant(value, digits) == text


@given(st.floats(1e-6, 1e12), st.integers(1, 6))
def test_significant_is_within_half_a_unit_of_its_last_digit(value: float, digits: int) -> None:
    text = units.significant(value, digits).replace(",", "")
    assert abs(float(text) - value) <= 0.5000001 * max(10 ** (-digits + 1) * value, 1e-9, 0)


@pytest.mark.parametrize(
    ("value", "half", "digits"),
    [(123.4, 0.5, 4), (123.4, 5, 3), (123.4, 40, 2), (123.4, 400, 2), (123.4, 0, 5),
     (1.63, None, 2), (98765.0, 0.001, 5), (0, None, 3)],
)  # fmt: skip
def test_digits_follow_the_interval(value: float, half: float | None, digits: int) -> None:
    assert units.digits_for(value, half) == digits


def test_one_process_has_no_more_digits_than_a_wide_interval() -> None:
    assert units.digits_for(1.63, None, "images/s") == units.digits_for(1.63, 1.0) == 2
    assert units.digits_for(299e6, None, "B") == 3


@pytest.mark.parametrize("half", [0.001, 0, 5, None])
def test_a_disturbed_value_has_two_digits(half: float | None) -> None:
    assert units.digits_for(42.5, half, "images/s", disturbed=True) == 2


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(1039, 2, "1,000"), (42.5, 2, "42"), (0.0796, 2, "0.080"), (99.96, 3, "100"), (0, 2, "0")],
)
def test_sampled_values_have_zeros_in_place_of_doubtful_digits(
    value: float, digits: int, text: str
) -> None:
    assert units.coarsen(value, digits) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (450, "7 min 30 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (3600, "1 h 00 min"),
        (3660, "1 h 01 min"),
        (7199, "1 h 59 min"),
        (7200, "2 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400)])
def test_seconds(text: str, seconds: float) -> None:
    assert units.seconds(text) == seconds


@pytest.mark.parametrize(
    ("least", "text"),
    [
        (0.2, "10s"),
        (81, "90s"),
        (110, "110s"),
        (111, "2m"),
        (120, "2m"),
        (121, "3m"),
        (7201, "2.1h"),
    ],
)
def test_a_budget_is_little_more_than_asked_for(least: float, text: str) -> None:
    assert units.budget(least) == text
    assert units.seconds(text) >= least


def test_a_part_that_is_the_whole_stands_alone() -> None:
    assert (units.part(4, 10), units.part(10, 10)) == ("4 of 10", "10")
    assert units.part(1_000, 10_000) == "1,000 of 10,000"


def test_a_whole_number_has_no_decimals_where_it_is_exact() -> None:
    assert units.scale(6, "heads") == "6.00 heads"
    assert units.scale(6, "heads", whole=True) == "6 heads"
    assert units.scale(6.5, "heads", whole=True) == "6.50 heads"


@pytest.mark.parametrize(("text", "share"), [("2%", 0.02), ("0.5 %", 0.005), ("99.9%", 0.999)])
def test_share(text: str, share: float) -> None:
    assert units.share(text) == pytest.approx(share)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        "0.02",
        "-2%",
        "0%",
        "100%",
        "2%%",
        "two %",
        "nan%",
        "inf%",
        "1e400%",
        "9" * 400 + "%",
        f"0.{'0' * 321}1%",
    ],
)
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(ValueError, match="expected a percentage such as 2%"):
        units.share(text)


@pytest.mark.parametrize("text", ["501h", "9" * 400 + "s"])
def test_a_time_is_not_longer_than_the_system_waits(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time of 500h at most"):
        units.seconds(text)
    assert units.MOST_SECONDS * 1000 < 2**31  # milliseconds, in an int of C


@pytest.mark.parametrize("text", ["", "10", "10 m", "-1s", "1d", "soon", "nanh", "1e400h", "1_0s"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time such as 90s, 10m or 1h"):
        units.seconds(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("21110248", 21_110_248), ("21.1M", 21_100_000), ("4G", 4 * 10**9), ("0.5k", 500),
     ("1", 1), ("0.6", 1),     ("resnet50", None), ("2x2_mixer", None), ("deit", None)],
)  # fmt: skip
def test_count(text: str, number: int | None) -> None:
    assert units.count(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0M",
        "-3",
        "21,1M",
        "1e6",
        "4 G",
        "21.1m",
        "0.4",
        "0.5",  # which rounds to 0
        "0.0001k",
        "9223372036854775808",
        "21.1MB",
        "1e400",
        "9" * 400,
        "9" * 11 + "G",
        "1_000",
    ],
)
def test_what_is_no_count(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number such as 21110248, 21.1M or 4G"):
        units.count(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_programs_are_told_reads_back(value: float) -> None:
    assert float(units.read_back(value)) == value


@pytest.mark.parametrize(
    ("usual", "values", "size"),
    [
        (1e6, [314, 2_500], 1e3),
        (1e6, [314, 99_999], 1e3),
        (1e6, [314, 100_000], 1e6),
        (1e9, [5e6], 1e6),
        (1e6, [99], 1),
        (1e6, [0.0], 1),
        (1e6, [], 1e6),
    ],
)
def test_small_numbers_stand_in_smaller_multiples(
    usual: float, values: list[float], size: float
) -> None:
    assert units.multiples(usual, values) == size


def test_what_programs_are_told_is_short() -> None:
    values = (51_625_960.0, 0.1, 1e-05, -2.0, 7)
    assert [*map(units.read_back, values)] == ["51625960", "0.1", "1e-05", "-2", "7"]


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (25_557_032, "", (1e6, "M")),
        (0.0042, "s", (1e-3, "ms")),
        (3 * 2.0**20, "B", (2.0**20, "MiB")),
        (0.8, "fraction", (0.01, "%")),
        (12_000, "images/s", (1.0, "images/s")),
        (0, "", (1.0, "")),
    ],
)
def test_step(value: float, unit: str, expected: tuple[float, str]) -> None:
    assert units.step(value, unit) == expected


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (25.557032, 6, 25.557),
        (0.000123456789, 6, 0.000123457),
        (1_234_567, 3, 1_230_000),
        (0, 6, 0),
    ],
)
def test_rounded(value: float, digits: int, expected: float) -> None:
    assert units.round_to(value, digits) == expected


@pytest.mark.parametrize(
    ("text", "escaped", "plain"),
    [
        ("ü 😀\n\t\xa0", "ü 😀\n\t\xa0", "ü 😀\n\t\xa0"),
        ("\x1b[31m\x9b\r\x7f", r"\x1b[31m\x9b\r\x7f", "�[31m���"),
        (os.fsdecode(b"caf\xe9"), r"caf\xe9", "caf�"),
        ("\ud83d\uffff", r"\ud83d\uffff", "��"),
        ("a\u202eb\u2066c\u2028", "a\\u202eb\\u2066c\\u2028", "a�b�c�"),
    ],
)
def test_what_no_terminal_should_get(text: str, escaped: str, plain: str) -> None:
    assert units.escape(text) == escaped
    assert units.plain(text) == plain


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (1, ("thread",), "1 thread"),
        (2, ("thread",), "2 threads"),
        (0, ("cell",), "0 cells"),
        (1, ("process", "processes"), "1 process"),
        (1281, ("process", "processes"), "1,281 processes"),
        (3, ("series", "series"), "3 series"),
    ],
)
def test_a_number_and_its_noun_agree(number: int, words: tuple[str, ...], text: str) -> None:
    assert units.tally(number, *words) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0084, "+0.84 %"),
        (-0.05, "−5.0 %"),
        (0.0, "0 %"),
        (32 / 25_557_032, "+0.00013 %"),
        (-1e-9, "−0.00000010 %"),
    ],
)
def test_only_no_difference_is_zero_percent(share: float, text: str) -> None:
    assert units.signed_percent(share) == text


@pytest.mark.parametrize(
    ("value", "ends", "text"),
    [
        (99.94, (0.0, 100.0), "99.9"),
        (99.998, (0.0, 100.0), "99.998"),
        (100.0, (0.0, 100.0), "100.0"),
        (0.002, (0.0,), "0.002"),
        (0.0, (0.0,), "0.0"),
        (99.998, (), "100.0"),
        (99.99999999999999, (0.0, 100.0), "100.0"),
        (5e-324, (0.0,), "0.0"),
    ],
)
def test_a_number_reads_as_an_end_only_where_it_is_one(
    value: float, ends: tuple[float, ...], text: str
) -> None:
    assert units.fix(value, 1, *ends) == text


def test_digits_tell_a_number_from_another() -> None:
    assert units.digits_apart(1.0000013, 1.0, 4) == 7
    assert units.digits_apart(1.2, 1.0, 4) == 4
    assert units.digits_apart(1.0, 1.0, 4) == 4


def test_digits_of_values_without_an_interval() -> None:
    assert units.digits_for(0.0, None) == units.digits_for(0.0, 0.5) == 3
    assert units.digits_for(1.0, None) == 2
    assert units.digits_for(1.0, 0.01) == 3


def test_as_many_decimals_as_tell_a_value_from_its_end_and_no_more() -> None:
    assert units.fix(99.97, 1, 100) == "99.97"
    assert units.fix(99.996, 1, 100) == "99.996"
    assert units.fix(100, 1, 100) == "100.0"


@pytest.mark.parametrize(
    ("text", "number"), [("512k", 512_000), ("4M", 4_000_000), ("2G", 2 * 10**9), ("7", 7)]
)
def test_a_count_in_thousands_is_exact(text: str, number: int) -> None:
    assert units.count(text) == number


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "100"), (0.9996, "99.96"), (2399 / 2400, "99.96"), (0.5, "50.0"), (0.0, "0"),
     (1e-5, "0.00100"), (1.0000000000000002, "100"), (1 - 1e-10, "99.99999999")],
)  # fmt: skip
def test_only_a_whole_reads_as_a_hundred(share: float, text: str) -> None:
    assert units.hundredths(share, 3) == text
    assert units.percent(share, 3) == f"{text} %"


@pytest.mark.parametrize(
    ("texts", "most", "words"),
    [
        (["a", "b"], 2, "a, b"), (["a", "b", "c"], 2, "a, b and 1 more"),
        (["a", "b", "c", "d"], 1, "a and 3 more"), ([], 2, ""),
    ],
)  # fmt: skip
def test_as_many_are_named_as_may_be(texts: list[str], most: int, words: str) -> None:
    assert units.first_few(texts, most) == words
