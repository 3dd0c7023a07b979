"""A run's folder: written and read again; a kill at any byte loses one record at most."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import RecordsError
from cmx_bench.results import records
from cmx_bench.results.records import Record, Run
from cmx_bench.spec import disk
from cmx_bench.spec.claims import Claim

from ..conftest import append_record
from . import test_validation
from .test_validation import EVALUATED, PASSED, TIMED

RECORD = Record(
    "a/throughput/k", "a", "throughput", "k", 0, "ok", {"throughput": [1.0, 0.1 + 0.2]}, "", "e",
    "2026-01-01T00:00:00.000+00:00", 1.5,
)  # fmt: skip
SETTING = Setting("cpu", "cpu", "fp32", "nchw", "none", 1, 224)
RUN = Run(
    "s", "S", "h", "s.yaml", "cpu", (Model("a", "A", "f", "timm", "resnet18", {"k": 1}),),
    (SETTING,), ("params",), ("a/params/r224",), 5, (), {"cuda/x": "why"}, "run",
    "2026-01-01T00:00:00+00:00", environments={"e": {"torch": "2"}},
)  # fmt: skip


# A record of its cell.
PLANNED = replace(
    RECORD, cell="a/params/r224", measure="params", setting="r224", values={"params": [1]}
)


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    written = [replace(RECORD, replicate=n) for n in range(3)]
    for record in written:
        append_record(tmp_path, record)
    assert records.read(tmp_path) == written


def test_a_run_names_its_suite_as_a_command_line_does() -> None:
    assert replace(RUN, added=("resnet18",)).words == ["s.yaml", "--model=resnet18"]
    assert replace(RUN, suite_path="", added=("resnet18",)).words == ["--model=resnet18"]


def test_a_run_comes_back_as_it_was(tmp_path: Path) -> None:
    records.write_run(tmp_path / "new" / "folder", RUN)
    assert records.read_run(tmp_path / "new" / "folder") == RUN


def test_a_kill_at_any_byte_loses_the_last_record_at_most(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    append_record(tmp_path, RECORD)
    append_record(tmp_path, replace(RECORD, replicate=1))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for size in range(first, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert [record.replicate for record in records.read(tmp_path)] == [0]
        append_record(tmp_path, replace(RECORD, replicate=2))
        assert [record.replicate for record in records.read(tmp_path)] == [0, 2]


def test_a_last_record_that_lacks_its_line_feed_counts(tmp_path: Path) -> None:
    """As an editor, or a tool that trims the end of a file, leaves it."""
    path = tmp_path / "records.jsonl"
    written = [replace(RECORD, replicate=n) for n in range(3)]
    for record in written[:2]:
        append_record(tmp_path, record)
    path.write_bytes(path.read_bytes().rstrip())
    assert records.read(tmp_path) == written[:2]
    append_record(tmp_path, written[2])
    assert records.read(tmp_path) == written
    assert len(path.read_bytes().splitlines()) == 3


@pytest.mark.parametrize("end", ["\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize("last", ["", "\r\n", "\n\n", "\r", "\n ", " "])
def test_files_that_went_through_an_editor(tmp_path: Path, end: str, last: str) -> None:
    """A byte order mark, other ends of lines, blanks at the end."""
    cell = f"a/throughput/{SETTING.key}"
    run = replace(RUN, measures=("throughput",), cells=(cell,))
    first, second, third = (replace(RECORD, cell=cell, setting=SETTING.key, replicate=n)
                            for n in range(3))  # fmt: skip
    records.write_run(tmp_path, run)
    for record in (first, second):
        append_record(tmp_path, record)
    for name in ("run.json", "records.jsonl"):
        text = (tmp_path / name).read_text().rstrip().replace("\n", end) + last
        (tmp_path / name).write_bytes(f"\ufeff{text}".encode())
    assert records.read(tmp_path) == [first, second]
    assert records.read_run(tmp_path) == run
    append_record(tmp_path, third)
    assert records.read(tmp_path) == [first, second, third]


def test_names_that_are_no_utf_8_can_be_read_again(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    records.write_run(tmp_path, replace(RUN, command=f"cmx-bench run {name}.yaml"))
    append_record(
        tmp_path, replace(PLANNED, status="failed", values={}, reason=f"no {name} \ud83d")
    )
    assert records.read_run(tmp_path).command == r"cmx-bench run caf\xe9.yaml"
    assert records.read(tmp_path)[0].reason == r"no caf\xe9 \ud83d"


def test_records_end_before_no_command_would_read_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_record(tmp_path, RECORD)
    monkeypatch.setattr(disk, "LARGEST", (tmp_path / "records.jsonl").stat().st_size)
    with pytest.raises(RecordsError, match=r"/records\.jsonl: is full: with another record no com"):
        append_record(tmp_path, replace(RECORD, replicate=1))
    assert records.read(tmp_path) == [RECORD]


def test_arguments_that_are_lists_come_back_as_they_were(tmp_path: Path) -> None:
    model = replace(RUN.models[0], args={"layers": (2, 2), "names": ("a", True, 0.5, 2)})
    run = replace(RUN, models=(model, *RUN.models[1:]))
    records.write_run(tmp_path, run)
    assert records.read_run(tmp_path) == run


def test_claims_come_back_as_they_were(tmp_path: Path) -> None:
    run = replace(RUN, claims=(Claim("small", "params(a) < 1"),))
    records.write_run(tmp_path, run)
    assert records.read_run(tmp_path) == run


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordsError, match="cannot be written"):
        records.write_run(tmp_path / "file" / "run", RUN)
    with pytest.raises(RecordsError, match="cannot be written"):
        append_record(tmp_path / "none", RECORD)
    with pytest.raises(RecordsError, match="holds no run"):
        records.read_run(tmp_path)


def test_a_run_is_of_the_device_that_its_machine_names() -> None:
    assert RUN.device_name == "cpu"
    assert replace(RUN, machine={"device_name": "A CPU"}).device_name == "A CPU"
    several = replace(RUN, machines={"One": {}, "Other": {}})
    assert several.device_name == "One and Other"
    assert several.kinds == {"One": {}, "Other": {}}


def test_a_damaged_line_is_named_by_its_number(tmp_path: Path) -> None:
    for number in range(3):
        append_record(tmp_path, replace(RECORD, replicate=number))
    path = tmp_path / "records.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace('"ok"', '"fine"'), lines[2]]) + "\n")
    with pytest.raises(RecordsError, match=r"records\.jsonl:2: status: expected 'ok'"):
        records.read(tmp_path)
    path.write_text("\n".join([*lines, "", lines[0]]) + "\n")
    with pytest.raises(RecordsError, match=r"records\.jsonl:5: repeats line 1; remove it"):
        records.read(tmp_path)


def test_a_process_that_failed_is_tried_again_and_one_that_ended_well_is_not(
    tmp_path: Path,
) -> None:
    failed = replace(RECORD, status="failed", reason="boom", values={})
    for record in (failed, RECORD):
        append_record(tmp_path, record)
    assert records.read(tmp_path) == [failed, RECORD]
    append_record(tmp_path, replace(RECORD, elapsed=2.0))
    with pytest.raises(RecordsError, match=r":3: replicate: process 0 of .* ended well in line 2"):
        records.read(tmp_path)


def test_a_key_that_a_run_lacks_is_named_with_the_line_of_what_it_belongs_to(
    tmp_path: Path,
) -> None:
    records.write_run(tmp_path, RUN)
    path = tmp_path / "run.json"
    values = json.loads(path.read_text())
    del values["models"][0]["label"]
    text = json.dumps(values, indent=1)
    path.write_text(text)
    line = text[: text.index('"models"')].count("\n") + 2
    with pytest.raises(RecordsError, match=rf"run\.json:{line}: models\.0\.label"):
        records.read_run(tmp_path)


# --- what a measure gives and no reader would take ------------------------------------------------

UNWATCHED = replace(TIMED, covariates={}, discarded={})
FAILED = replace(UNWATCHED, status="failed", values={}, reason="out of memory")


@pytest.mark.parametrize("record", [TIMED, EVALUATED, PASSED, FAILED])
def test_what_can_be_read_is_kept(record: Record) -> None:
    kept, line = records.make_sound(record)
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
    kept, line = records.make_sound(replace(UNWATCHED, values=values))
    assert (kept.status, kept.reason) == ("failed", f"what was measured cannot be: {said}")
    records.write_run(tmp_path, test_validation.RUN)
    with records.appending(tmp_path) as append:
        append(line)
    assert records.read(tmp_path) == [kept]
