"""What a measure gives and no reader would take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cmx_bench.results import records
from cmx_bench.results.records import Record
from cmx_bench.results.soundness import make_sound

from .test_validation import EVALUATED, PASSED, RUN, TIMED

UNWATCHED = replace(TIMED, covariates={}, discarded={})
FAILED = replace(UNWATCHED, status="failed", values={}, reason="out of memory")


@pytest.mark.parametrize("record", [TIMED, EVALUATED, PASSED, FAILED])
def test_what_can_be_read_is_kept(record: Record) -> None:
    kept, line = make_sound(record)
    assert kept is record and line == records.line_of(record)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"throughput": [0.0]}, "values.throughput: expected at least 1e-100"),
        ({"throughput": [1e200]}, "values.throughput.0: expected at most 1e+100, got 1e+200"),
        ({"params": [1]}, "values.params: is of params, and the record of throughput"),
    ],
)
def test_what_cannot_be_is_a_failure_that_can_be_read(
    tmp_path: Path, values: dict[str, list[float]], said: str
) -> None:
    """As of a counter of energy that does not move."""
    kept, line = make_sound(replace(UNWATCHED, values=values))
    assert (kept.status, kept.reason) == ("failed", f"what was measured cannot be: {said}")
    records.write_run(tmp_path, RUN)
    with records.appending(tmp_path) as append:
        append(line)
    assert records.read(tmp_path) == [kept]
