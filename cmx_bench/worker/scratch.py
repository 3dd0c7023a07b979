"""The folder of a command in the temporary folder. It is removed with the command, or by the next
command after a kill."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path

from cmx_bench.errors import CmxError
from cmx_bench.measures import compiled

_PREFIX = "cmx-scratch-"
# The system takes 107 bytes for the path of a socket, macOS 103; of these multiprocessing uses 18,
# and the folder's own name 21.
_LONGEST = 50
_GIVEN = "CMX_SCRATCH"


@cache
def folder() -> Path:
    """The folder, made when it is first asked for; that of the command for its servers.

    Raises:
        CmxError: there is no folder for temporary files.
    """
    given = os.environ.get(_GIVEN)
    chosen = _new() if given is None else Path(given)
    # For its sockets. Its own folder would not end without a traceback where somebody removed it.
    multiprocessing.current_process()._config["tempdir"] = str(chosen)  # type: ignore[attr-defined]
    return chosen


def _new() -> Path:
    home = _home()
    for left in home.glob(f"{_PREFIX}*"):  # nobody holds the locks of commands that are gone
        with suppress(OSError):
            if left.lstat().st_uid == os.getuid() and (lock := _lock(left)) is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(lock)
    new = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home))
    while not _keep(new):
        new = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home))
    Finalize(None, shutil.rmtree, [new, True], exitpriority=-200)
    return new


def _home() -> Path:
    """Where the paths of sockets are not too long: batch systems and builds have a TMPDIR that is.
    CPython looks for that from 3.14 on."""
    try:
        for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"):
            if len(os.fsencode(folder)) <= _LONGEST and os.access(folder, os.W_OK):
                return Path(folder)
    except OSError as error:
        raise CmxError(f"no folder for temporary files can be written ({error.strerror}); set "
                       f"TMPDIR to one that can") from error  # fmt: skip
    raise CmxError(f"TMPDIR: {tempfile.gettempdir()} is longer than {_LONGEST} bytes, and /tmp "
                   f"cannot be written; set TMPDIR to a shorter one")  # fmt: skip


def _keep(new: Path) -> bool:
    """Locks a new folder; another command may have swept it before that."""
    try:
        return _lock(new) is not None and new.exists()
    except FileNotFoundError:
        return False
    except OSError:  # no locks are kept there: nobody sweeps there either
        return True


def variables() -> Mapping[str, str]:
    """The environment of servers, which share this command's folder; torch makes its own as soon
    as it is loaded.

    Raises:
        CmxError: the user names one that cannot be made.
    """
    given = os.environ.get(compiled.INDUCTOR)
    if given:
        try:
            Path(given).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CmxError(f"{compiled.INDUCTOR}={given}: cannot be made: {error.strerror}; set it "
                           f"to a folder that can, or leave it out") from None  # fmt: skip
    return {_GIVEN: str(folder()), compiled.INDUCTOR: given or str(folder() / "inductor")}


def _lock(path: Path) -> int | None:
    """A descriptor that keeps a folder to this process until that ends; None where another does."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
