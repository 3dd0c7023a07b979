"""The files of a training in a run's folder: the last weights, the best ones, and a summary; until
the end also its state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cmx_bench.errors import RecordsError
from cmx_bench.results import details
from cmx_bench.spec import disk


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one training: `trained/MODEL.rSIZE.seedN.…`."""

    folder: Path
    name: str

    @property
    def last(self) -> Path:
        """The weights after the last epoch."""
        return disk.within(self.folder, f"{self.name}.safetensors")

    @property
    def best(self) -> Path:
        """The weights after the epoch of the highest top-1."""
        return disk.within(self.folder, f"{self.name}.best.safetensors")

    @property
    def told(self) -> Path:
        """Of a finished training the recipe, the curve, the time."""
        return disk.within(self.folder, f"{self.name}.json")

    @property
    def state(self) -> Path:
        """Of an unfinished one all that it needs to go on."""
        return disk.within(self.folder, f"{self.name}.state.pt")

    @property
    def meeting(self) -> Path:
        """Where processes that train together find each other."""
        return disk.within(self.folder, f"{self.name}.processes")


def of(run: Path, model: str, image_size: int, seed: int) -> Files:
    """Those of a model, in the folder of a run."""
    return Files(disk.within(run, "trained"), f"{model}.r{image_size}.seed{seed}")


def learned(run: Path) -> Path:
    """The digest of the images that a run's models learn from."""
    return disk.within(run, "trained/images.sha256")


def write_told(path: Path, told: Mapping[str, Any]) -> None:
    """Writes what is to be told of a finished training."""
    disk.write(path, disk.json_of(told, indent=1))


def read_told(path: Path) -> dict[str, Any] | None:
    """What is to be told of a finished training; None where it is not finished.

    Raises:
        RecordsError: the file is damaged.
    """
    if not path.exists():
        return None
    try:
        TypeAdapter(details.Training).validate_json(text := disk.text_of(path, RecordsError))
    except ValidationError as error:
        raise RecordsError(f"{path}: is no training that was finished; remove it") from error
    told: dict[str, Any] = json.loads(text)
    return told
