"""The server that fresh processes are forked from: begun, asked for its end, outlived by nothing.

It has loaded torch, timm and the measures but built no model and touched no GPU. So what it forks
starts in a tenth of a second instead of six.
"""

from __future__ import annotations

import atexit
import gc
import os
import re
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import forkserver
from pathlib import Path
from threading import RLock
from types import TracebackType

import psutil

from cmx_bench.measures import jiffies
from cmx_bench.training import orphans
from cmx_bench.worker import limits, lookup, scratch

PRELOAD = "cmx_bench.worker.preload"
OUT_OF_MEMORY = " (out of memory?)"
_WORDS = "server.txt"
_STARTED_BY = "CMX__STARTED_BY"  # the environment's name for the process that began a server
_THREADS = "OMP_NUM_THREADS"
_ENDING_SECONDS = 1.0
# Until it has started, a process that another thread starts is like a stray; and threads share the
# environment that it takes along.
STARTING = RLock()


def server() -> int | None:
    """The id of the server; None where none was begun."""
    number: int | None = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    return number


def ensure_server() -> None:
    """Begins the server, where none runs: with its socket in this command's folder, and deaf to the
    Ctrl-C of a terminal until it ignores it. The environment must have its `variables`.

    Raises:
        EOFError, ConnectionError: it died meanwhile.
    """
    forkserver.set_forkserver_preload([PRELOAD])
    deaf_before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        with _loading_into(scratch.folder() / _WORDS):
            forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, deaf_before)


def await_end() -> None:
    """Waits for the end of a server that answers no more: it closes its socket first, and until it
    has ended too it would pass for one that runs."""
    if (number := server()) is not None:
        with suppress(OSError):
            os.kill(number, signal.SIGKILL)
            forkserver._forkserver._stop()  # type: ignore[attr-defined]


def has_ended(number: int) -> bool:
    """Whether a server is gone. That may take a moment, for it closes its pipes first."""
    until = time.monotonic() + _ENDING_SECONDS
    while time.monotonic() < until:
        try:
            if psutil.Process(number).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


@contextmanager
def _loading_into(words: Path) -> Iterator[None]:
    """Has a server that starts meanwhile print to a file while it loads. It finds the stderr that
    it takes after that in place of its stdin: see `loading`."""
    kept = [os.dup(number) for number in (0, 2)]
    with words.open("ab") as file:
        os.dup2(2, 0)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        for number, descriptor in zip((0, 2), kept, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)


@contextmanager
def loading() -> Iterator[None]:
    """While a server loads, it ignores Ctrl-C and ends with the process that began it; what it
    forks once it has loaded prints where its command does.

    What it has loaded is never searched for garbage, and not taken apart at its end: each would
    take the better part of a second.
    """
    began = os.environ.pop(_STARTED_BY, None)
    if began is None:  # it is no server
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    orphans.end_with(int(began))
    orphans.adopt()
    atexit.register(os._exit, 0)  # runs last: handlers run in reverse order
    # The server says so of each process that it adopted, once that has ended.
    warnings.filterwarnings("ignore", "forkserver: waitpid returned unexpected pid")
    yield
    gc.freeze()
    os.dup2(0, 2)
    sys.excepthook = partial(_hush, os.getpid())


def _hush(
    server: int, kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Prints no traceback of a server that got no descriptors, or what no command sends: the
    command tells of it."""
    if os.getpid() != server:
        sys.__excepthook__(kind, error, trace)


def last_words() -> str:
    """The line in which the server said last while it loaded what failed, or its last line; and why
    it may have died."""
    with suppress(OSError):
        words = (scratch.folder() / _WORDS).read_text(encoding="utf-8", errors="replace")
        if lines := words.strip().splitlines():
            named = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
            return f"{(named or lines)[-1]}{limits.describe()}"
    return f"what loads torch died{limits.describe(OUT_OF_MEMORY)}"


def variables() -> Mapping[str, str]:
    """Those by which a server finds modules and folders where this process finds them, and ends
    with it; in a container with a limit also the number of threads, for torch knows of no limit."""
    cores = jiffies.usable_cores()
    is_limited = cores < jiffies.cores_of_affinity() and _THREADS not in os.environ
    return {
        **lookup.variables(lookup.import_path()),
        **scratch.variables(),
        **({_THREADS: str(cores)} if is_limited else {}),
        _STARTED_BY: str(os.getpid()),
    }


@contextmanager
def environment(variables: Callable[[], Mapping[str, str]]) -> Iterator[None]:
    """Has these variables in the environment meanwhile, for what one thread starts then."""
    with STARTING:
        chosen = variables()
        before = {name: os.environ[name] for name in chosen if name in os.environ}
        os.environ.update(chosen)
        try:
            yield
        finally:
            os.environ.update(before)
            for name in chosen.keys() - before.keys():
                del os.environ[name]
