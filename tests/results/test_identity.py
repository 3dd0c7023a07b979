"""The content hash of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cmx_bench.results import identity, records
from tests.results.test_records import PLANNED, RECORD, RUN

from ..conftest import append_record

HASH = "944565882afac01a716efc8d5a4121bf66f54c656b637f925ae4405819d916e3"


def test_the_content_hash_follows_every_value_and_survives_the_disk(tmp_path: Path) -> None:
    one = identity.content_hash(RUN, [PLANNED])
    records.write_run(tmp_path, RUN)
    append_record(tmp_path, PLANNED)
    assert identity.content_hash(records.read_run(tmp_path), records.read(tmp_path)) == one
    others = [
        (RUN, []),
        (RUN, [PLANNED, PLANNED]),
        (RUN, [replace(PLANNED, values={"params": [1, 3]})]),
        (RUN, [replace(PLANNED, discarded={"params": [1.0]})]),
        (replace(RUN, device="cuda:0"), [PLANNED]),
        (replace(RUN, environments={"e": {"torch": "3"}}), [PLANNED]),
    ]
    found = {identity.content_hash(*other) for other in others}
    assert len(found) == len(others) and one not in found


def test_the_content_hash_is_the_same_in_later_versions() -> None:
    """Written down once: whoever cites a run must find the same hash in years."""
    assert identity.content_hash(replace(RUN, created="now"), [RECORD]) == HASH
