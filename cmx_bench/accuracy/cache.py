"""Preprocessed images on the disk, found by the content of their files: never stale."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cmx_bench.accuracy.preprocessing import Geometry
from cmx_bench.predictions import UNREADABLE

# What decodes and resizes: another version may give other pixels.
_LIBRARIES = ("pillow", "timm", "torchvision")


def digest(content: bytes) -> bytes:
    """What stands for a file's content."""
    return hashlib.blake2b(content, digest_size=20).digest()


def path(folder: Path, digests: Sequence[bytes], geometry: Geometry) -> Path:
    """Where the pixels of these files, in this order and preprocessed so, are kept."""
    name = hashlib.blake2b(b"".join(digests), digest_size=20)
    name.update(f"{geometry} {_versions()}".encode())
    return folder / f"{name.hexdigest()}.npz"


@cache
def _versions() -> str:
    return " ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)


def read(path: Path) -> Tensor | None:
    """The pixels `(n, 3, H, W)`, uint8; None where there are none, or they were damaged since."""
    try:
        with np.load(path) as file:  # zip's checksum is checked
            return torch.from_numpy(file["pixels"])
    except UNREADABLE:
        return None


def write(path: Path, pixels: Tensor) -> None:
    """Keeps pixels, at once or not at all; several processes may do so."""
    draft = path.with_name(f"{path.stem}.{os.getpid()}.part")
    with draft.open("wb") as file:
        np.savez(file, pixels=pixels.numpy())
    draft.replace(path)
