"""Runs at several depths, and pages that cost nothing to render."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest

from cmx_bench.gate.site import abreast, renewing
from cmx_bench.gate.site.renewing import Renewed
from cmx_bench.results.nouns import Report

from ...report.synthetic import PAPER
from ..history.past import past_run

ODD = "odd #1?/ünï %41 <i>&'\""
# Writes a run of two models.
small_run = partial(past_run, models=PAPER[:2])
# Makes the site of a folder anew.
Renew: TypeAlias = Callable[[], Renewed]


def rendered(report: Report, home: str) -> dict[str, str | bytes]:
    """A page that leads back, in place of one with drawings."""
    return {"results.csv": "", "report.html": f'<a href="{home}index.html">{report.run.suite}</a>'}


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abreast, "_MOST", 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two runs of `ci` on one machine and a quick one, one of `paper` on another."""
    small_run(tmp_path / "runs/ci/first", 1, 1.0, suite="ci")
    small_run(tmp_path / "runs/ci/second", 2, 0.9, suite="ci")
    small_run(tmp_path / "runs/quick", 3, 1.0, suite="ci", quick=True)
    small_run(
        tmp_path / "runs" / ODD, 4, 1.0, {"device_name": "Another GPU"}, title="<b>Odd</b> & 'so'"
    )
    return tmp_path / "runs"


@pytest.fixture
def out(folder: Path) -> Path:
    return folder.parent / "public"


@pytest.fixture
def renew(folder: Path, out: Path) -> Renew:
    return partial(renewing.renew, folder, out, rendered, lambda _: None)
