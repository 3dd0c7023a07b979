"""Sizes in words."""

from __future__ import annotations

import pytest

from cmx_bench.report.findings.wording import more_or_fewer, times
from cmx_bench.report.tables.quantities import Span


def test_an_interval_that_does_not_touch_1_does_not_read_so() -> None:
    assert times(Span(1.00004, 1.00002, 1.00006)) == ("1.00004", "1.00002 to 1.00006")
    assert times(Span(4.04, 3.46, 4.62)) == ("4.0", "3.5 to 4.6")


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.86, "14 % fewer parameters"),
        (4.4, "4.4 times the parameters"),
        (0.0114, "99 % fewer parameters"),
        (0.0011, "less than 1 % of the parameters"),
        (1.0, "as many parameters"),
        (1.0000013, "nearly as many parameters"),
        (0.997, "nearly as many parameters"),
    ],
)
def test_sizes_are_equal_only_where_they_are(ratio: float, text: str) -> None:
    assert more_or_fewer(ratio, "parameters") == text
