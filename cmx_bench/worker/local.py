"""Fresh processes of this interpreter, each for one function.

They are forked from a server that has loaded torch, timm and the measures but built no model and
touched no GPU: they start in a tenth of a second instead of six. The process that started it all
never loads torch.
"""

from __future__ import annotations

import importlib
import io
import multiprocessing
import multiprocessing.util
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import Any

import cmx_bench
from cmx_bench.errors import CmxError
from cmx_bench.worker.targets import Target

_GOODBYE_SECONDS = 10.0
# For what is not timed; timings are taken under interpreters of their own (see `servers`), which
# are as users' are. Threads of OpenMP that wait for each other sleep at once: by default they spin
# for milliseconds, half of what an evaluation takes of the CPU. And glibc keeps what a forward pass
# frees for the next one: to fetch it anew, page by page, was a tenth of the CPU time.
_UNTIMED = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),  # the largest that it takes
    "MALLOC_TRIM_THRESHOLD_": str(2**31),
}
# Names those of them that the user has not set himself, for the environment that is recorded.
OURS = "CMX_VARIABLES"


class ProcessError(CmxError):
    """A process that ended without a result; the text says how."""


@dataclass(frozen=True, slots=True)
class Child:
    """A fresh process that runs, and our end of the pipe to it."""

    process: BaseProcess
    pipe: Connection


def call(target: str, *arguments: object, timeout: float | None = None) -> Any:
    """What the function `module:name` returns in a fresh process.

    Raises:
        CmxError: the function raised it.
        ProcessError: the process died, or took longer than `timeout` seconds.
    """
    with process(Target.ANSWER, target, arguments) as child:
        answer = receive(child, timeout)
    if isinstance(answer, CmxError):
        raise answer
    return answer


@contextmanager
def process(target: str, *arguments: object) -> Iterator[Child]:
    """A fresh process that runs the function `module:name` on its end of a pipe.

    When the context ends it may finish; it is ended where that takes long, or at an error, and
    ends with this process.
    """
    ours, theirs = multiprocessing.Pipe()
    set_here = {OURS: " ".join(_UNTIMED.keys() - os.environ.keys())}
    with _environment(_UNTIMED | os.environ | set_here):
        child = Child(start(Target.BOUND, theirs, target, arguments), ours)
    theirs.close()
    try:
        yield child
        child.process.join(_GOODBYE_SECONDS)
    finally:
        child.process.kill()
        child.process.join()
        ours.close()


def receive(child: Child, timeout: float | None) -> Any:
    """What a process sends next.

    Raises:
        ProcessError: it died, or took longer than `timeout` seconds.
    """
    try:
        if not child.pipe.poll(timeout):
            raise ProcessError(f"took longer than {timeout:g} s")
        return child.pipe.recv()
    except (EOFError, ConnectionResetError):
        child.process.join()
        raise ProcessError(death(child.process.exitcode)) from None


def start(target: str, *arguments: object) -> BaseProcess:
    """A fresh process that runs the function `module:name`; the caller has to end and join it.

    Raises:
        ProcessError: there is no folder for temporary files.
    """
    _choose_folder_of_sockets()
    start_methods = multiprocessing.get_all_start_methods()
    method = "forkserver" if "forkserver" in start_methods else "spawn"
    context = multiprocessing.get_context(method)
    context.set_forkserver_preload(["cmx_bench.worker.preload"])
    process: BaseProcess = context.Process(target=_run, args=(target, arguments))  # type: ignore[attr-defined]
    with _environment({"PYTHONPATH": os.pathsep.join(import_path()), "PYTHONSAFEPATH": "1"}):
        process.start()
    return process


# The system takes 107 bytes for the path of a socket, macOS 103; of these multiprocessing uses 32.
_LONGEST = 71


@cache
def _choose_folder_of_sockets() -> None:
    """Has multiprocessing, in all processes from here on, make its sockets where their paths are
    not too long: batch systems and builds have a TMPDIR that is. CPython does so from 3.14 on."""
    before = tempfile.tempdir
    try:
        for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"):
            if len(os.fsencode(folder)) <= _LONGEST and os.access(folder, os.W_OK):
                tempfile.tempdir = folder
                multiprocessing.util.get_temp_dir()
                return
    except OSError as error:
        raise ProcessError(f"no folder for temporary files can be written ({error.strerror}); set "
                           f"TMPDIR to one that can") from error  # fmt: skip
    finally:
        tempfile.tempdir = before
    raise ProcessError(f"TMPDIR: {tempfile.gettempdir()} is longer than {_LONGEST} bytes, and /tmp "
                       f"cannot be written; set TMPDIR to a shorter one")  # fmt: skip


def import_path() -> list[str]:
    """Where a server finds modules: where this process finds them, but not in the working folder,
    unless PYTHONPATH names it or this package lies in it.

    A file torch.py there, or another checkout of this package, would be taken for the installed
    one. CPython (seen in 3.11) has a server look there first, if it is not told otherwise.
    """
    here = Path.cwd()
    given = map(Path, filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    kept = {path.resolve() for path in (*given, Path(cmx_bench.__file__).parent.parent)}
    folders = [(folder, Path(folder).resolve()) for folder in sys.path if folder]
    return [folder for folder, path in folders if path != here or path in kept]


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for a server that starts meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _run(target: str, arguments: tuple[object, ...]) -> Any:
    """The life of the fresh process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends this
    if isinstance(sys.stdout, io.TextIOWrapper):  # a model may print what its encoding lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    return function(target)(*arguments)


def function(target: str) -> Callable[..., Any]:
    """The function `module:name`, imported."""
    module, _, name = target.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def bound(pipe: Connection, target: str, arguments: tuple[object, ...]) -> None:
    """Runs the function on a pipe whose other end must stay open, as it does while its process
    lives."""
    Thread(target=_end_with, args=(pipe,), daemon=True).start()
    function(target)(pipe, *arguments)


def _end_with(pipe: Connection) -> None:
    pipe.poll(None)  # nothing comes this way but the end
    os._exit(1)


def answer(connection: Connection, target: str, arguments: tuple[object, ...]) -> None:
    """Sends what the function returns, or the error for the user that it raises."""
    try:
        answer = function(target)(*arguments)
    except CmxError as error:
        answer = error
    with suppress(BrokenPipeError):  # the parent was killed
        connection.send(answer)


def death(exit_code: int | None) -> str:
    """How a process ended that gave no result."""
    if exit_code is None or exit_code >= 0:
        return f"ended without a result (exit code {exit_code})"
    name = signal.Signals(-exit_code).name
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
