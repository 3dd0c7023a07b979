"""A run of the paper's suite with synthetic records."""

from __future__ import annotations

import pickle
from collections.abc import Collection
from pathlib import Path

import pytest

from cmx_bench.present.drawing import Plot, canvas
from cmx_bench.present.drawing.theme import StyleName
from cmx_bench.results.records import Record, Run

from .synthetic import make_records, make_run, write_folder

_draw = canvas.save
_DRAWN: dict[bytes, dict[str, bytes]] = {}


@pytest.fixture
def drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same figure, of the same points, is drawn once for tests that render a run again and
    again. That it has the same bytes every time is tested where it is drawn."""

    def save(plot: Plot, name: StyleName, kinds: Collection[str]) -> dict[str, bytes]:
        key = pickle.dumps((plot, name, kinds))
        if key not in _DRAWN:
            _DRAWN[key] = _draw(plot, name, kinds)
        return _DRAWN[key]

    monkeypatch.setattr(canvas, "save", save)


@pytest.fixture
def run() -> Run:
    return make_run()


@pytest.fixture
def found(run: Run) -> list[Record]:
    return make_records(run)


@pytest.fixture
def folder(tmp_path: Path, run: Run, found: list[Record]) -> Path:
    return write_folder(tmp_path / "run", run, found)
