"""What is compiled once for all processes of a cell: each would get the same code from the same
model, half a minute later.

What is picked by timing may be another in every process, which replicates have to show. In a mode
that times kernels while it compiles, each process compiles for itself; on a GPU the other modes
time variants of a kernel when it first runs, and each process picks for itself.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cmx_bench.cell import Setting

_SHARED = "CMX_COMPILED"
INDUCTOR = "TORCHINDUCTOR_CACHE_DIR"
_TRITON = "TRITON_CACHE_DIR"
_TIMED_MODES = ("max-autotune",)


@contextmanager
def folder(home: Path) -> Iterator[Path]:
    """A folder in `home` for what processes compile, gone when the context ends."""
    with TemporaryDirectory(prefix="compiled-", dir=home) as folder:
        yield Path(folder)


def variables(shared: Path | None, side: str = "") -> Mapping[str, str]:
    """The environment of servers whose processes may share what they compile.

    Args:
        shared: the folder for it; None where each compiles for itself.
        side: keeps servers apart that have other versions of torch.
    """
    return {} if shared is None else {_SHARED: str(shared / side)}


def share(key: str) -> None:
    """Lets this process take what earlier ones of the cell `key` compiled, where it may."""
    if _SHARED in os.environ:
        home = Path(os.environ[_SHARED]) / hashlib.sha256(key.encode()).hexdigest()[:16]
        os.environ |= {INDUCTOR: str(home), _TRITON: str(home / "triton")}


@contextmanager
def shared_by_cells() -> Iterator[None]:
    """Within it Inductor keeps its files where all cells find them, unless processes share none."""
    of_cell = os.environ.get(INDUCTOR)
    if _SHARED in os.environ:
        os.environ[INDUCTOR] = str(Path(os.environ[_SHARED], "all"))
    try:
        yield
    finally:
        if of_cell is not None:
            os.environ[INDUCTOR] = of_cell


@contextmanager
def folder_of_cell() -> Iterator[Path]:
    """The folder for what a process exports: that of its cell where processes share one, else one
    of its own."""
    if _SHARED not in os.environ:
        with folder_of_process() as folder:
            yield folder
        return
    home = Path(os.environ[INDUCTOR])
    home.mkdir(parents=True, exist_ok=True)
    yield home


@contextmanager
def folder_of_process() -> Iterator[Path]:
    """A folder in that of the command, gone when the context ends."""
    within = os.environ.get(INDUCTOR)  # where the process was killed it goes with the command
    if within is not None:
        Path(within).mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="exported-", dir=within) as folder:
        yield Path(folder)


def may_share(setting: Setting) -> bool:
    """Whether every process would compile the same code."""
    return setting.compile not in _TIMED_MODES


def is_shared(setting: Setting) -> bool:
    """Whether what this process compiles may come from another, and go to one."""
    return _SHARED in os.environ and may_share(setting)


def is_there(setting: Setting) -> bool:
    """Whether an earlier process has compiled what this one needs."""
    return is_shared(setting) and Path(os.environ[INDUCTOR]).exists()
