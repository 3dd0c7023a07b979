"""Numbers as people read and write them. Only this module rounds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

_SI = (
    (1e12, "T"),
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
    (1e-3, "m"),
    (1e-6, "µ"),
    (1e-9, "n"),
)
_BINARY = ((2.0**40, "Ti"), (2.0**30, "Gi"), (2.0**20, "Mi"), (2.0**10, "Ki"), (1.0, ""))


# What takes a prefix. Images a second do not, as every paper prints them, nor do layers or heads.
_PREFIXED = ("", "MAC", "MAC/s", "B", "B/s", "s", "J", "W")


def scale(value: float, unit: str, digits: int = 3, whole: bool = False) -> str:
    """`value` with an SI prefix (binary for bytes) and `digits` significant digits: `20.7 GMAC`.

    Fractions are percent. See `multiple` for `whole`.
    """
    if unit == "fraction":
        return percent(value, digits)
    factor, prefixed = step(value, unit)
    return f"{multiple(value, factor, digits, whole)} {prefixed}".rstrip()


def multiple(value: float, factor: float, digits: int, whole: bool) -> str:
    """`value` in multiples of `factor`, with `digits` significant digits.

    Args:
        whole: whether it is exact, so that a whole number has no decimals: `6` heads, not `6.00`.
    """
    if whole and factor == 1 and float(value).is_integer():
        return exact(value)
    return significant(value / factor, digits)


def step(value: float, unit: str) -> tuple[float, str]:
    """The unit with the prefix that suits `value`, and its size in base units: `1e9, "GMAC"`."""
    if unit == "fraction":
        return 0.01, "%"
    if unit not in _PREFIXED:
        return 1.0, unit
    steps = _BINARY if unit == "B" else _SI
    factor, prefix = next((pair for pair in steps if abs(value) >= pair[0]), (1.0, ""))
    return factor, f"{prefix}{unit}"


def multiples(usual: float, values: Iterable[float]) -> float:
    """The size of the multiples in which values of a column stand: `usual`, or a thousandth
    of it where all are small, and so on: thousands for 314 and 2,500 instead of millions."""
    size, largest = usual, max(map(abs, values), default=usual)
    while size > 1 and largest < size / 10:
        size /= 1000
    return size


def round_to(value: float, digits: int) -> float:
    """`value` to so many significant digits, as a number: `25557.0` for 25557.03 and 5."""
    return float(f"{value:.{digits}g}")


def significant(value: float, digits: int = 3) -> str:
    """`value` with `digits` significant digits and no exponent: `0.0123`, `4.50`, `1,235`."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])  # of the rounded value: 9.996 is 10
    return f"{value:,.{max(0, digits - 1 - exponent)}f}"


def fix(value: float, decimals: int, *ends: float) -> str:
    """`value` with so many decimals, and more where it would read as one of `ends` without being
    it: `99.998` for 100 and one decimal."""
    if not any(_are_equal(value, end) for end in ends):
        while float(f"{value:.{decimals}f}") in ends:
            decimals += 1
    return f"{value:.{decimals}f}"


def digits_apart(value: float, other: float, digits: int) -> int:
    """So many significant digits, or as many more as `value` needs to read unlike `other`."""
    if not _are_equal(value, other):
        while round_to(value, digits) == round_to(other, digits):
            digits += 1
    return digits


def _are_equal(value: float, other: float) -> bool:
    """Whether two numbers differ by no more than arithmetic loses: 1.0000000000000002 is 1."""
    return math.isclose(value, other, rel_tol=1e-12, abs_tol=1e-12)


def percent(share: float, digits: int = 2) -> str:
    """A share as a percentage: `0.84 %`."""
    return f"{hundredths(share, digits)} %"


def hundredths(share: float, digits: int) -> str:
    """A share as `percent` has it, without the sign; nothing but a whole reads as 100: `99.96`."""
    return significant(100 * share, digits_apart(share, 1.0, digits))


def signed_percent(share: float) -> str:
    """A difference as a percentage: `+0.84 %`, `−0.00013 %`; `0 %` is no difference at all."""
    sign = "+" if share > 0 else "−" if share < 0 else ""
    return f"{sign}{percent(abs(share))}"


def exact(value: float) -> str:
    """`value` unrounded: `51,625,960`, and Python's shortest text for what is no whole number."""
    return f"{int(value):,}" if value == int(value) else repr(value)


def read_back(value: float) -> str:
    """The shortest text that programs read back as `value`: `51625960`, `0.1`, `1e-05`."""
    return str(int(value)) if value == int(value) else repr(value)


def digits_for(
    value: float, half_width: float | None, unit: str = "", disturbed: bool = False
) -> int:
    """Significant digits of a sampled `value` that its interval supports: its half width shown to
    one digit.

    Never under 2 or above 5. One process has no interval, and no more digits than a wide one: 2.
    Of bytes it has 3, for processes agree about these (five of one model within 1 to 4 %). A
    `disturbed` value has 2: it may be off by more than its interval says.
    """
    if disturbed:
        return 2
    if half_width is None or value == 0:
        return 3 if unit == "B" or value == 0 else 2
    if half_width == 0:
        return 5
    supported = math.floor(math.log10(abs(value))) - math.floor(math.log10(half_width)) + 1
    return min(5, max(2, supported))


def coarsen(value: float, digits: int) -> str:
    """As `significant`, with zeros in place of whole digits too: `1,000` for 1039 and 2. For values
    whose interval says nothing of their digits: of one process, and disturbed ones."""
    return significant(round_to(value, digits), digits)


def tally(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 thread`, `2 threads`, `1,281 images`.

    Args:
        plural: where it is not the noun with an s.
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def part(number: int, whole: int) -> str:
    """`4 of 10`; the number alone where it is the whole."""
    return f"{number:,} of {whole:,}" if number < whole else f"{number:,}"


def first_few(names: Sequence[object], most: int = 5) -> str:
    """`a, b and 3 more`: at most this many names, and the number of the others."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def duration(seconds: float) -> str:
    """`45 s`, `7 min 30 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


# Whole texts of a duration and of a percentage, as suites and options have them.
SECONDS, SHARE = r"^(\d+(?:\.\d+)?)([smh])$", r"^(\d+(?:\.\d+)?) ?%$"
MOST_SECONDS = 500 * 3600.0  # the system waits for an answer for 596 h at most


def seconds(text: str) -> float:
    """The seconds that a duration such as `90s`, `10m` or `1.5h` lasts, `MOST_SECONDS` at most.

    Raises:
        ValueError: it is none; the text says what was expected.
    """
    match = re.fullmatch(SECONDS, text)
    if match is None:
        raise ValueError("expected a time such as 90s, 10m or 1h")
    lasts = float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]
    if lasts > MOST_SECONDS:
        raise ValueError(f"expected a time of {MOST_SECONDS / 3600:g}h at most")
    return lasts


def budget(least: float) -> str:
    """A time in the words of `seconds`, `least` seconds or little more: `90s`, `5m`, `2.5h`."""
    for most, step, size, unit in ((110, 10, 1, "s"), (7140, 60, 60, "m")):
        if least <= most:
            return f"{math.ceil(least / step) * step // size}{unit}"
    return f"{math.ceil(least / 360) / 10:g}h"


def share(text: str) -> float:
    """The share that a percentage such as `2%` or `0.5 %` means, between 0 and 1.

    Raises:
        ValueError: it is none, or not between 0 % and 100 %; the text says what was expected.
    """
    match = re.fullmatch(SHARE, text)
    if match is None or not 0 < (share := float(match[1]) / 100) < 1:
        raise ValueError("expected a percentage such as 2%")
    return share


def count(text: str) -> int | None:
    """The whole number that `21110248`, `21.1M`, `4G` or `512k` means; None for a word.

    Raises:
        ValueError: it looks like a number, and is none or 0; the text says what was expected.
    """
    number = re.fullmatch(r"(\d+(?:\.\d+)?)([kMG]?)", text)
    if number is not None:
        count = float(number[1]) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}[number[2]]
        if 0.5 < count < 2**63:
            return round(count)
    elif not re.fullmatch(r"([-+]?[\d.,_ ]+(e[-+]?\d*)?[A-Za-z]{0,2})?", text):
        return None
    raise ValueError("expected a number such as 21110248, 21.1M or 4G")


# Line separators, and what turns the direction of the text behind it: a name could show as another.
_TURNING = r"\u2028-\u202e\u2066-\u2069"
_CONTROL = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f{_TURNING}\ud800-\udfff\ufffe\uffff]")


def plain(text: str) -> str:
    """`text` without control characters and lone surrogates, which no format can carry."""
    return _CONTROL.sub("�", text)


_BYTES = re.compile("[\udc80-\udcff]+")  # as Python holds what it cannot decode of a name: PEP 383


def decode(name: str) -> str:
    """A file's name with the bytes that Python could not decode: as UTF-8 where they can be, and as
    `\\xe9` where not."""
    return _BYTES.sub(
        lambda held: held[0].encode(errors="surrogateescape").decode(errors="backslashreplace"),
        name,
    )


def escape(text: str) -> str:
    """`text` with control characters and lone surrogates as Python writes them, such as `\\x1b`;
    bytes of a file's name go through `decode` first."""
    return _CONTROL.sub(lambda control: ascii(control[0])[1:-1], decode(text))


def keep_together(text: str) -> str:
    """`text` with spaces that lines do not break at beside % and ±."""
    return text.replace(" %", "\xa0%").replace("± ", "±\xa0")
