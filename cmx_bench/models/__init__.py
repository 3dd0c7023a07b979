"""Models and their weights: ConvMixer, timm's families, user code. This file loads no torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

# What files of weights end in; of those that are called alike the first kind wins.
SUFFIXES = (".safetensors", ".pth.tar", ".pth", ".pt", ".bin", ".ckpt")


def digest_of(file: Path) -> str:
    """The SHA-256 of the content of a file, which may be larger than the memory."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
