"""Writes weights and states of trainings to the disk, all or nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from cmx_bench.errors import WeightsError
from cmx_bench.spec import disk

_LARGEST_STATE = 2**40  # bytes: weights and what their optimizer keeps


def write_weights(path: Path, state_dict: Mapping[str, Tensor]) -> None:
    """Writes a `.safetensors` file; it is on the disk when this returns."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in state_dict.items()}
    with _replacing(path) as draft:
        draft.write_bytes(save(tensors))  # their writer of files takes names in UTF-8 alone


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Keeps the state of a training; it is on the disk when this returns."""
    with _replacing(path) as draft:
        torch.save(dict(state), draft)


def read_state(path: Path) -> dict[str, Any] | None:
    """The state of an unfinished training; None where there is none.

    Raises:
        WeightsError: the file is damaged.
    """
    if not path.exists():
        return None
    try:
        with disk.open_file(path, _LARGEST_STATE) as file:
            state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # zipfile, pickle, OSError: whatever the file provokes
        raise WeightsError(f"{path}: cannot be read as the state of a training "
                           f"({type(error).__name__}); add --fresh") from error  # fmt: skip
    return state


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A draft, which is on the disk at the end. Raises the system's own error where that is full,
    of which torch says "unexpected pos"."""
    with disk.replacing(path) as draft:
        try:
            yield draft
        except Exception:
            with draft.open("ab") as file:
                file.write(bytes(2**20))
            raise
        with draft.open("rb") as file:
            os.fsync(file.fileno())
