"""How long measuring took, by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cmx_bench.results import wall
from cmx_bench.results.records import Record

from ..report.synthetic import make_records, make_run

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ONE = make_records(make_run())[0]


def record(start: float, seconds: float, **changes: object) -> Record:
    started = (BEGIN + timedelta(seconds=start)).isoformat(timespec="milliseconds")
    return replace(ONE, started=started, elapsed=seconds, **changes)  # type: ignore[arg-type]


def training(end: float, seconds: float, at_once: int, replicate: int = 0) -> Record:
    """As the runner records a training: it counts back from the end of its evaluation."""
    details = {"training": {"at_once": at_once}}
    return record(end - seconds, seconds, details=details, replicate=replicate)


def test_nothing_took_no_time() -> None:
    assert wall.seconds([]) == 0


def test_pauses_do_not_count_and_what_ran_side_by_side_counts_once() -> None:
    """0 to 10, within it 2 to 5, at its end 8 to 12; after a pause 20 to 21, recorded first."""
    records = [record(20, 1), record(0, 10), record(2, 3), record(8, 4)]
    assert wall.seconds(records) == 13


def test_trainings_side_by_side_take_as_long_as_the_longer_one() -> None:
    for at_once in (2, 2**60):
        assert wall.seconds([training(600, 600, at_once), training(601, 580, at_once)]) == 600


def test_trainings_one_after_the_other_take_as_long_as_all() -> None:
    """Though all are recorded at the end, as if each had just ended."""
    assert (
        wall.seconds([training(900, 300, 1), training(901, 300, 1), training(902, 300, 1)]) == 900
    )


def test_a_training_begins_where_another_has_ended() -> None:
    """Two at once: 100 and 300, and 150 after the 100; 50 more after 250."""
    seconds = [100, 300, 150, 100]
    assert wall.seconds([training(350, each, 2) for each in seconds]) == 350


def test_trainings_of_another_seed_are_of_another_time() -> None:
    first = [training(100, 100, 2), training(100, 100, 2)]
    second = [training(200, 100, 2, replicate=1), training(200, 90, 2, replicate=1)]
    assert wall.seconds([*first, *second, record(200, 5)]) == 205
