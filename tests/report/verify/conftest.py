"""A small run with every kind of table, rendered."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cmx_bench.spec.claims import Claim

from .. import rendering
from ..synthetic import PAPER, failed, make_records, make_run, write_folder

SCRIPT = "<script>document.title = 'RAN'</script>"


def edit(path: Path, change: Callable[[str], str]) -> None:
    text = path.read_text(encoding="utf-8")
    changed = change(text)
    assert changed != text
    path.write_text(changed, encoding="utf-8")


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run with every kind of table, rendered."""
    run = make_run(models=PAPER[:3], measures=("params", "macs", "throughput"), replicates=3)
    run = dataclasses.replace(
        run, claims=(Claim("Small", "params(convmixer_768_32) < params(resnet152)"),)
    )
    lines = [
        failed(record, "out of memory at batch 64")
        if record.cell == "resnet152/macs/r224"
        else record
        for record in make_records(run)
    ]
    folder = write_folder(tmp_path_factory.mktemp("run"), run, lines)
    rendering.write(folder)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return shutil.copytree(written, tmp_path / "run")
