"""Interpreters that fork fresh processes, as this process sees them: started, called, ended."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cmx_bench
from cmx_bench.errors import CmxError
from cmx_bench.results import checkouts
from cmx_bench.spec import disk
from cmx_bench.worker import local, lookup, scratch
from cmx_bench.worker.local import Call, LostError
from cmx_bench.worker.server import END, READY, START
from cmx_bench.worker.targets import Target

_MODULE = "cmx_bench.worker.server"
_ANSWER_SECONDS = 120.0  # of an interpreter that imports little, from a slow disk
_GOODBYE_SECONDS = 20.0  # what is still loading torch ends when it has
# What fails in a moment where it will not do; loading torch takes six seconds.
_NEEDS = (
    f"import cmx_bench, {_MODULE}, cmx_bench.worker.job, importlib.metadata as installed\n"
    "for name in ('torch', 'torchvision', 'timm'): installed.version(name)\n"
    "print(cmx_bench.__path__[0])"
)
_NO_PYTHON = (
    "no such interpreter; give the path of a python, of a virtual environment, or of a checkout"
)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `name` is what it is to the caller, such as "base", `timeout` the longest
    that an answer of its processes may take, in seconds."""

    name: str
    orders: socket.socket
    log: Path
    timeout: float | None = None


@contextmanager
def opening(
    name: str, path: str, log: Path, variables: Mapping[str, str], timeout: float | None = None
) -> Iterator[Server]:
    """A server under an interpreter; it loads torch while the caller goes on to `await_ready`.

    Args:
        name: what it is to the caller, such as "base".
        path: a Python interpreter, a virtual environment, or a checkout: a folder whose packages
            (in it, or in its `src`) are imported by this interpreter.
        log: the file for what the server and its processes print.
        variables: of its environment, in addition to those of this process.
        timeout: as of the server.

    Raises:
        CmxError: there is no such interpreter or checkout.
        RecordsError: the log cannot be written.
    """
    python, environment = _interpreter(Path(path))
    environment |= {**variables, **scratch.variables()}
    with disk.writing(log):
        output = disk.appending(log)
    ours, theirs = socket.socketpair()
    with output, ours, theirs:
        command = [str(python), "-m", _MODULE, str(theirs.fileno())]
        try:
            server = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], env=environment,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        except OSError as error:
            raise CmxError(f"{path}: cannot be run: {error.strerror}") from error
        theirs.close()
        try:
            yield Server(name, ours, log, timeout)
        except BaseException:  # whoever is in a hurry waits for no server that loads torch
            server.kill()
            raise
        finally:
            ours.close()
            await_end(server)


def await_end(process: subprocess.Popen[bytes]) -> None:
    """Waits for a process that ends when nobody orders anything any more; one that hangs in an
    import is ended."""
    try:
        process.wait(_GOODBYE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def await_ready(server: Server) -> None:
    """Waits until a server has loaded torch.

    Raises:
        LostError: it died.
    """
    with suppress(ConnectionResetError):
        if server.orders.recv(1) == READY:
            return
    raise LostError(f"{server.name}: the interpreter could not be started; see {server.log}")


def package_of(path: str) -> Path:
    """The folder of this package on a side; whether an interpreter or checkout can serve.

    Raises:
        CmxError: there is none, it cannot be run, or it lacks this package.
    """
    python, environment = _interpreter(Path(path))
    command = [str(python), "-c", _NEEDS]
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="surrogateescape", timeout=_ANSWER_SECONDS, check=False,
        )  # fmt: skip
    except OSError as error:
        raise CmxError(f"{path}: cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise CmxError(f"{path}: gives no answer in {_ANSWER_SECONDS:g} s; give a python") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CmxError(f"{path}: cannot serve ({last}); install this version of cmx-bench there")
    package = Path((done.stdout.strip().splitlines() or [""])[-1])
    if not (package / "__init__.py").is_file():
        raise CmxError(f"{path}: {_NO_PYTHON}")
    return package


def is_this(package: Path) -> bool:
    """Whether a side's copy of this package is the same, so that both understand each other's
    data, and not their orders alone."""
    ours = Path(cmx_bench.__file__).parent
    return checkouts.code_of(ours) == checkouts.code_of(package)


@contextmanager
def calling(name: str, path: str, log: Path, variables: Mapping[str, str]) -> Iterator[Call]:
    """Functions are called on a side as `local.call` does it here, by a server that is begun anew
    where it died; arguments as for `opening`."""
    with ExitStack() as closing:

        def begin() -> Server:
            closing.close()
            return closing.enter_context(opening(name, path, log, variables))

        server, is_ready = begin(), False

        def once(target: str, arguments: tuple[object, ...], timeout: float | None) -> Any:
            nonlocal server, is_ready
            try:
                if not is_ready:  # not before: what is wrong with a suite is answered at once
                    await_ready(server)
                    is_ready = True
                with process(server, Target.ANSWER, target, arguments) as pipe:
                    return receive(server, pipe, timeout)
            except LostError:
                server, is_ready = begin(), False
                raise

        def call(target: str, *arguments: object, timeout: float | None = None) -> Any:
            return local.twice(partial(once, target, arguments, timeout))

        yield call


def is_checkout(path: str | Path) -> bool:
    """Whether a side is a folder of packages, rather than a virtual environment or an
    interpreter."""
    return Path(path).is_dir() and not Path(path, "bin", "python").exists()


def _interpreter(path: Path) -> tuple[Path, dict[str, str]]:
    """An interpreter, and the environment in which it finds the right modules."""
    this = Path(sys.executable)
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    ours = lookup.import_path()
    if path.is_dir() and not is_checkout(path):
        python, folders = path / "bin" / "python", given
    elif path.is_dir():
        holding = [place for place in (path, path / "src") if any(place.glob("*/__init__.py"))]
        holding = holding or [place for place in (path, path / "src") if any(place.glob("*.py"))]
        if not holding:
            raise CmxError(f"{path}: neither a virtual environment nor a folder of "
                              f"Python packages; give an interpreter or a checkout")  # fmt: skip
        python, folders = this, [*(str(folder.resolve()) for folder in holding), *ours]
    elif (program := shutil.which(path)) is None:
        raise CmxError(f"{path}: {_NO_PYTHON}")
    else:
        python = Path(program).absolute()  # not resolved: a virtual environment's python is a link
        folders = ours if python == this else given
    return python, {**os.environ, **lookup.variables(folders)}


@contextmanager
def process(server: Server, target: str, *arguments: object) -> Iterator[Connection]:
    """A fresh process that runs the function `module:name` on its end of a pipe; our end.

    It should end when our end is closed, which the context does.
    """
    ours, theirs = Pipe()
    with ours:
        with theirs, suppress(BrokenPipeError):  # of a server that died: `receive` says so
            socket.send_fds(server.orders, [START], [theirs.fileno()])
        with suppress(BrokenPipeError):
            ours.send((target, arguments))
        yield ours


def receive(server: Server, pipe: Connection, timeout: float | None) -> Any:
    """What a process sends next.

    Raises:
        CmxError: the process sent it.
        ProcessError: it died, or took longer than `timeout` seconds.
    """
    try:
        return local.hear(pipe, timeout)
    except (EOFError, OSError):  # at the end of a message, or in the middle of one
        line = ""
        with suppress(BrokenPipeError, ConnectionResetError):  # it died too
            server.orders.sendall(END)
            line = server.orders.makefile("rb").readline().decode().strip()
        with_it = f"its interpreter (see {server.log})"
        raise (local.explain_told_end(line) if line else local.lost_with(with_it)) from None
