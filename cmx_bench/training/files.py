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
    """The files of one training: `trained/MODEL.rSIZE.seedN.…`.

    `last` has the weights after the last epoch, `best` those after the epoch of the highest top-1.
    `told` has of a finished training the recipe, the curve, the time, `state` of an unfinished one
    all that it needs to go on. At `meeting` processes that train together find each other.
    """

    last: Path
    best: Path
    told: Path
    state: Path
    meeting: Path


_ENDS = ("safetensors", "best.safetensors", "json", "state.pt", "processes")


def of(run: Path, model: str, image_size: int, seed: int) -> Files:
    """Those of a model, in the folder of a run."""
    name = f"trained/{model}.r{image_size}.seed{seed}"
    return Files(*(disk.within(run, f"{name}.{end}") for end in _ENDS))


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
