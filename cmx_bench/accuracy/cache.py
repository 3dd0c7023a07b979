"""Preprocessed images on the disk. The content of the image files identifies them, so they are
never stale."""

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
from PIL.Image import Image
from torch import Tensor

import cmx_bench
from cmx_bench.accuracy.preprocessing import Geometry
from cmx_bench.results.predictions import UNREADABLE
from cmx_bench.spec import disk


def digest(content: bytes | Image | None) -> str:
    """A hash of a file's content, or of the pixels of an image that has none; of nothing none."""
    if content is None:
        return ""
    if not isinstance(content, bytes):
        content = f"{content.mode} {content.size} ".encode() + content.tobytes()
    return hashlib.blake2b(content, digest_size=20).hexdigest()


def path(folder: Path, digests: Sequence[str], geometry: Geometry) -> Path:
    """The path where the pixels of these files are kept, for this order and preprocessing."""
    content = f"{' '.join(digests)} {geometry} {_versions()}"
    name = hashlib.blake2b(content.encode(), digest_size=20)
    return folder / f"{name.hexdigest()}.npz"


@cache
def _versions() -> str:
    """What decodes and resizes: another version may give other pixels."""
    return f"{cmx_bench.__version__} {PIL.__version__} {timm.__version__} {torchvision.__version__}"


def read(path: Path) -> Tensor | None:
    """The pixels `(n, 3, H, W)`, uint8; None if there are none, or if they are damaged."""
    try:
        with np.load(path) as file:  # zip's checksum is checked
            return torch.from_numpy(file["pixels"])
    except UNREADABLE:
        return None


def write(path: Path, pixels: Tensor) -> None:
    """Writes pixels, all or nothing. Several processes may write at once. On a full disk it keeps
    none."""
    with suppress(OSError), disk.replacing(path) as draft, draft.open("wb") as file:
        np.savez(file, pixels=pixels.numpy())
