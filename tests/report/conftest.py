"""A run of the paper's suite with synthetic records."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmx_bench.results.records import Record, Run

from .synthetic import make_records, make_run, write_folder


@pytest.fixture(autouse=True)
def _drawn_once(drawn_once: None) -> None:
    pass


@pytest.fixture
def run() -> Run:
    return make_run()


@pytest.fixture
def run_records(run: Run) -> list[Record]:
    return make_records(run)


@pytest.fixture
def folder(tmp_path: Path, run: Run, run_records: list[Record]) -> Path:
    return write_folder(tmp_path / "run", run, run_records)
