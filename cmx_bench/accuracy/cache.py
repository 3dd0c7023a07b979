"""Preprocessed images on the disk, found by the content of their files: never stale."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import PIL
import timm
import torch
import torchvision
from torch import Tensor

import cmx_bench
from cmx_bench.accuracy.preprocessing import Geometry
from cmx_bench.results.predictions import UNREADABLE
from cmx_bench.spec import disk


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
    """What decodes and resizes: another version may give other pixels."""
    return f"{cmx_bench.__version__} {PIL.__version__} {timm.__version__} {torchvision.__version__}"


def read(path: Path) -> Tensor | None:
    """The pixels `(n, 3, H, W)`, uint8; None where there are none, or they were damaged since."""
    try:
        with np.load(path) as file:  # zip's checksum is checked
            return torch.from_numpy(file["pixels"])
    except UNREADABLE:
        return None


def write(path: Path, pixels: Tensor) -> None:
    """Keeps pixels, at once or not at all; several processes may do so. A full disk keeps none."""
    with suppress(OSError), disk.replacing(path) as draft, draft.open("wb") as file:
        np.savez(file, pixels=pixels.numpy())
