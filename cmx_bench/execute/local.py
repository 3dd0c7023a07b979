"""Fresh processes of this interpreter, each for one function.

They are forked from a server that has loaded torch, timm and the measures but built no model and
touched no GPU: they start in a tenth of a second instead of six. The process that started it all
never loads torch.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from cmx_bench.errors import CmxError

_GOODBYE_SECONDS = 10.0


class ProcessError(CmxError):
    """A process that ended without a result; the text says how."""


def call(target: str, *arguments: object, timeout: float | None = None) -> Any:
    """What the function `module:name` returns in a fresh process.

    Raises:
        CmxError: the function raised it.
        ProcessError: the process died, or took longer than `timeout` seconds.
    """
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = start(f"{__name__}:answer", theirs, target, arguments)
    theirs.close()
    try:
        if not ours.poll(timeout):
            raise ProcessError(f"took longer than {timeout:g} s")
        answer = ours.recv()
        process.join(_GOODBYE_SECONDS)
    except EOFError:
        process.join()
        raise ProcessError(death(process.exitcode)) from None
    finally:
        process.kill()
        process.join()
        ours.close()
    if isinstance(answer, CmxError):
        raise answer
    return answer


def start(target: str, *arguments: object) -> BaseProcess:
    """A fresh process that runs the function `module:name`; the caller has to end and join it."""
    start_methods = multiprocessing.get_all_start_methods()
    method = "forkserver" if "forkserver" in start_methods else "spawn"
    context = multiprocessing.get_context(method)
    context.set_forkserver_preload(["cmx_bench.execute.preload"])
    process: BaseProcess = context.Process(target=_run, args=(target, arguments))  # type: ignore[attr-defined]
    with _import_path_of_this_process():
        process.start()
    return process


@contextmanager
def _import_path_of_this_process() -> Iterator[None]:
    """Lets a server that starts meanwhile find modules where this process finds them.

    CPython (seen in 3.11) has it import from the working folder first instead: a file torch.py
    there, or another checkout of this package, would be taken for the installed one.
    """
    path = os.pathsep.join(folder for folder in sys.path if folder)
    ours = {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
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
    return function(target)(*arguments)


def function(target: str) -> Callable[..., Any]:
    """The function `module:name`, imported."""
    module, _, name = target.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


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
