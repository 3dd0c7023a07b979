"""What a training leaves: read back as it was, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cmx_bench.errors import RecordsError
from cmx_bench.training import files

EPOCH = {"number": 1, "loss": 0.5, "lr": 0.1, "seconds": 2.0, "images": 100, "top1": 0.9}
TOLD: dict[str, Any] = {
    "recipe": "short", "seed": 0, "epochs": 1, "images": 100, "processes": 1, "at_once": 1,
    "seconds": 2.0, "images_per_second": 50.0, "best": {"epoch": 1, "top1": 0.9}, "curve": [EPOCH],
}  # fmt: skip


def test_what_is_told_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    assert files.read_told(path) is None
    files.write_told(path, TOLD)
    assert files.read_told(path) == TOLD


@pytest.mark.parametrize("damage", [{"curve": []}, {"seconds": "long"}, {"best": None}])
def test_what_is_damaged_is_refused(tmp_path: Path, damage: dict[str, Any]) -> None:
    path = tmp_path / "net.json"
    files.write_told(path, TOLD | damage)
    with pytest.raises(RecordsError, match="net.json: is no training that was finished; remove"):
        files.read_told(path)
    path.write_text(path.read_text()[:-9])
    with pytest.raises(RecordsError, match="net.json: is no training that was finished; remove"):
        files.read_told(path)
