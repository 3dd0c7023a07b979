"""Fresh processes of this interpreter; each runs one function.

They are forked from a server: see `forking`. The process that started it all never loads torch.
"""

from __future__ import annotations

import importlib
import io
import multiprocessing
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any, TypeAlias, TypeVar

from cmx_bench.errors import CmxError, in_a_line
from cmx_bench.training import orphans
from cmx_bench.training.orphans import end_with
from cmx_bench.worker import forking, limits, scratch
from cmx_bench.worker.targets import Target

_GOODBYE_SECONDS = 10.0
_HALF_SECONDS = 60  # for the next byte of an answer that has begun: it may never come
LOOK = 1.0  # seconds for which a process is listened to at a time
# The exit code that multiprocessing gives to what lost the server that forked it; or a model's own.
_SERVER_GONE = 255
# Sent from outside: no crash sends them to its own process.
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_Answer = TypeVar("_Answer")
# For what is not timed; timings are taken under interpreters of their own, which are as users' are.
# Threads of OpenMP that wait for each other sleep at once: by default they spin for milliseconds,
# half of what an evaluation takes of the CPU. And glibc keeps what a forward pass frees for the
# next one: to fetch it anew, page by page, was a tenth of the CPU time.
_UNTIMED = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),  # the largest that it takes
    "MALLOC_TRIM_THRESHOLD_": str(2**31),
}
# Names those of them that the user has not set himself, for the environment that is recorded.
OURS = "CMX_VARIABLES"


class ProcessError(CmxError):
    """A process ended without a result; the text says how."""

    blameless = False


class KilledError(ProcessError):
    """Something outside ended the process. Another try may succeed."""


class LostError(KilledError):
    """The process was lost with the server that forked it, or could not be forked. No model is at
    fault where it is `blameless`."""

    def __init__(self, why: str, blameless: bool = True) -> None:
        super().__init__(why)
        self.blameless = blameless


# Calls a function `module:name` in a fresh process with arguments and a `timeout`, as `call` does.
Call: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Child:
    """A fresh process that runs, our end of the pipe to it, and the server that forked it, if one
    did."""

    process: BaseProcess
    pipe: Connection
    server: int | None = None


def call(target: str, *arguments: object, timeout: float | None = None) -> Any:
    """What the function `module:name` returns in a fresh process; lost, it is tried again once.

    Raises:
        CmxError: the function raised it.
        ProcessError: the process died, or took longer than `timeout` seconds.
    """

    def once() -> Any:
        with process(Target.ANSWER, target, arguments) as child:
            return receive(child, timeout)

    return twice(once)


def twice(attempt: Callable[[], _Answer]) -> _Answer:
    """What `attempt` gives; where something outside ended its process, it gets a second one."""
    try:
        return attempt()
    except KilledError:
        return attempt()


@contextmanager
def process(target: str, *arguments: object) -> Iterator[Child]:
    """A fresh process that runs the function `module:name` on its end of a pipe.

    When the context ends it may finish; it is ended where that takes long, or at an error, and
    ends with this process.
    """
    ours, theirs = multiprocessing.Pipe()
    with forking.environment(_add_untimed):
        started = start(Target.BOUND, theirs, target, arguments)
    child = Child(started, ours, forking.server())
    theirs.close()
    try:
        yield child
        child.process.join(_GOODBYE_SECONDS)
    finally:
        end(child.process)
        ours.close()


def _add_untimed() -> Mapping[str, str]:
    added = {name: value for name, value in _UNTIMED.items() if name not in os.environ}
    return added | {OURS: " ".join(added)}


def end(process: BaseProcess) -> None:
    """Ends a process, and the programs that it started and left behind."""
    if process.pid is not None:
        with suppress(OSError):  # nobody is left
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    server = forking.server()
    if server is not None:
        with suppress(OSError):  # it has ended; a model may have stopped it
            os.kill(server, signal.SIGCONT)
    process.join()
    if server is not None:
        with forking.STARTING:
            living = {child.pid for child in multiprocessing.active_children() if child.pid}
            orphans.end_strays(server, known=living)


def receive(child: Child, timeout: float | None) -> Any:
    """What a process sends next.

    Raises:
        CmxError: the process sent it.
        ProcessError: it died, or took longer than `timeout` seconds.
    """
    try:
        return hear(child.pipe, timeout)
    except (EOFError, OSError):  # at the end of a message, or in the middle of one
        child.process.join(_GOODBYE_SECONDS)  # a model may close the pipe and go on
        raise explain_end(child.process.exitcode, child.server) from None


def hear(pipe: Connection, timeout: float | None) -> Any:
    """What comes through a pipe within so many seconds, by looks of one at the most: while all are
    stopped (Ctrl-Z), no look passes.

    Raises:
        CmxError: it is one.
        ProcessError: nothing came, or nothing that is an answer.
        EOFError, OSError: its other end was closed.
    """
    left = timeout
    while not pipe.poll(LOOK if left is None else min(left, LOOK)):
        if left is not None and (left := left - LOOK) <= 0:
            raise ProcessError(f"took longer than {timeout:g} s")
    with socket.socket(fileno=os.dup(pipe.fileno())) as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _HALF_SECONDS, 0))
    try:
        said = pipe.recv()
    except BlockingIOError:
        raise ProcessError("sent half an answer, and hangs") from None
    except (EOFError, OSError):
        raise
    except Exception as error:  # of whatever kind: a model wrote into every file that it found open
        raise ProcessError(f"sent what is no answer ({in_a_line(error)})") from None
    if isinstance(said, CmxError):
        raise said
    return said


def start(target: str, *arguments: object) -> BaseProcess:
    """A fresh process that runs the function `module:name`; the caller has to end and join it.

    Raises:
        CmxError: the folder for temporary files is gone.
        LostError: the server that forks it died twice.
    """
    return twice(partial(_start, target, arguments))


def _start(target: str, arguments: tuple[object, ...]) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    try:
        with forking.environment(forking.variables):
            forking.ensure_server()  # first: a process takes the folder of its sockets along
            process = context.Process(target=_run, args=(target, arguments))
            process.start()
    except (EOFError, ConnectionError):  # the server died meanwhile: another try begins one
        forking.await_end()
        raise LostError(f"could not be started: {forking.last_words()}") from None
    except FileNotFoundError:  # the server's socket, or where it would print
        raise CmxError(f"{scratch.folder()}: this folder for temporary files was removed; the same "
                       f"command goes on") from None  # fmt: skip
    return process


def _run(target: str, arguments: tuple[object, ...]) -> Any:
    """The life of the fresh process; what a model forks from it ends with it. A model that signals
    its process group reaches nobody else."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # or `stty tostop` stops it when it prints
    _end_with_parent()  # the server, which ends with the command
    os.register_at_fork(after_in_child=_end_with_parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends this
    if isinstance(sys.stdout, io.TextIOWrapper):  # a model may print what its encoding lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    return function(target)(*arguments)


def _end_with_parent() -> None:
    end_with(os.getppid())


def function(target: str) -> Callable[..., Any]:
    """The function `module:name`, imported."""
    module, _, name = target.partition(":")
    target_function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return target_function


def run_bound(pipe: Connection, target: str, arguments: tuple[object, ...]) -> None:
    """Runs the function on a pipe whose other end must stay open, as it does while its process
    lives."""
    Thread(target=_end_with, args=(pipe,), daemon=True).start()
    run_on(pipe, target, arguments)


def run_on(pipe: Connection, target: str, arguments: tuple[object, ...]) -> None:
    """Runs the function on a pipe; sends the error for the user that it raises."""
    # Or the pipe would not end while a process that a model forked, or a program that it became or
    # started, lives.
    os.register_at_fork(after_in_child=pipe.close)
    os.set_inheritable(pipe.fileno(), False)
    try:
        function(target)(pipe, *arguments)
    except CmxError as error:
        with suppress(BrokenPipeError):
            pipe.send(error)


def _end_with(pipe: Connection) -> None:
    pipe.poll(None)  # nothing comes this way but the end
    os._exit(1)


def answer(connection: Connection, target: str, arguments: tuple[object, ...]) -> None:
    """Sends what the function returns."""
    answer = function(target)(*arguments)
    with suppress(BrokenPipeError):  # the parent was killed
        connection.send(answer)


def explain_end(exit_code: int | None, server: int | None) -> ProcessError:
    """The error of a process that ended so and gave no result.

    Args:
        server: what forked it; None where no server did.
    """
    if exit_code == _SERVER_GONE and server is not None and forking.has_ended(server):
        return lost_with("what forked it")
    return explain_told_end(death(exit_code))


def lost_with(server: str) -> LostError:
    """The error of a process whose server was killed. If memory may have run out, the system did
    it; otherwise it was most likely the model."""
    if limits.may_lack_memory():
        return LostError(f"was lost with {server}{limits.describe(forking.OUT_OF_MEMORY)}")
    return LostError(f"was lost with {server}, which was killed while no memory ran out (by the "
                     f"model?)", blameless=False)  # fmt: skip


def explain_told_end(line: str) -> ProcessError:
    """The error of a process that ended as its server tells, one of another version perhaps."""
    outside = any(line == death(-number) for number in _FROM_OUTSIDE)
    return KilledError(line) if outside else ProcessError(line)


def death(exit_code: int | None) -> str:
    """How a process ended that gave no result."""
    if exit_code is None:
        return "closed its pipe and went on"
    if exit_code >= 0:
        return f"ended without a result (exit code {exit_code})"
    if exit_code == -signal.SIGKILL:
        return f"was killed by SIGKILL{limits.describe(forking.OUT_OF_MEMORY)}"
    names = {number.value: number.name for number in signal.Signals}
    return f"was killed by {names.get(-exit_code, f'the signal {-exit_code}')}"
