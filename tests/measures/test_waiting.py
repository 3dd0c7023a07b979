"""The stopwatch that stands still while others have the core."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from cmx_bench.measures.waiting import Moment, seconds, stopwatch


@pytest.mark.parametrize(
    ("waited", "beside", "expected"),
    [
        (0.0, 0.0, 1.0),
        (0.25, 0.0, 0.75),  # a neighbour had the core
        (0.25, 0.25, 1.0),  # threads of the process itself had it: that is work
        (0.25, 0.1, 0.85),
        (0.0, 0.9, 1.0),  # threads on cores of their own
        (0.25, -1e-6, 0.75),  # two clocks are not read at the same time
    ],
)
def test_seconds(waited: float, beside: float, expected: float) -> None:
    begin, end = Moment(10.0, 2.0, 3.0), Moment(11.0, 2.0 + waited, 3.0 + beside)
    assert seconds(begin, end) == pytest.approx(expected)


def test_what_the_system_counts(tmp_path: Path) -> None:
    """Computed, waited and slices, the first two in nanoseconds."""
    file = tmp_path / "schedstat"
    file.write_text("700 2500000000 9\n")
    now = stopwatch(str(file))
    begin = now()
    file.write_text("900 2750000000 9\n")
    end = now()
    assert end.waited - begin.waited == pytest.approx(0.25)
    assert begin.wall <= end.wall <= time.perf_counter()


@pytest.mark.parametrize("text", [None, "", "nothing here"])
def test_where_the_system_does_not_count(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "schedstat"
    if text is not None:
        file.write_text(text)
    now = stopwatch(str(file))
    begin, end = now(), now()
    assert seconds(begin, end) == end.wall - begin.wall
