"""The kernel of a ConvMixer block, in Triton's interpreter, and compiled for Hopper."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="this torch has no Triton")


def run(name: str, folder: Path, **variables: str) -> str:
    """What a script of `kernels` prints in a process of its own."""
    ended = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("kernels.py")), name],
        env=os.environ | variables | {"TRITON_CACHE_DIR": str(folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout


def test_it_gives_what_torch_gives_and_is_refused_where_it_does_not(tmp_path: Path) -> None:
    printed = run("interpreted", tmp_path, TRITON_INTERPRET="1")
    assert printed.startswith("the fused kernel differs from torch by ")


def test_it_compiles_for_hopper(tmp_path: Path) -> None:
    sizes = run("compiled", tmp_path).split()
    assert len(sizes) == 2 and all(int(size) > 1000 for size in sizes)
