"""A Python that has loaded what takes seconds, and forks what tests would start.

A fork runs `-m MODULE` or `-c CODE` with the arguments, environment, folder and files that it is
given, and imports this package by itself. The server of processes that it begins was forked before
it ran anything. So both are as new interpreters, but for modules of third parties and for what only
an `exec` reads. Tests of how interpreters start, of signals, and of variables of OpenMP or malloc
start real ones.

As a program it passes on its arguments, standard streams and exit code: see `program`.
"""

from __future__ import annotations

import array
import os
import pickle
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ADDRESS = "CMX_TESTS_WARM"  # the environment's name for the socket of the server
_LENGTH = 8
_CODE = "from multiprocessing.forkserver import main"
# Where the modules are that take long; `seaborn` loads pandas, scipy and matplotlib.
_SLOW = (
    "torch", "torchvision", "timm", "torch._dynamo", "torch._inductor.config", "fvcore.nn",
    "torch.utils.flop_counter", "torch.utils.module_tracker", "torch.fx.experimental.proxy_tensor",
    "pydantic", "typer", "psutil", "yaml", "jinja2", "lxml.etree", "rich.console", "seaborn",
    "scipy.stats", "multiprocessing.forkserver", "multiprocessing.resource_tracker", "runpy",
)  # fmt: skip


def send(to: socket.socket, order: Any, descriptors: list[int]) -> None:
    """An order, with open files."""
    body = pickle.dumps(order)
    head = len(body).to_bytes(_LENGTH, "big")
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
    to.sendmsg([head], [rights] if descriptors else [])
    to.sendall(body)


def receive(of: socket.socket) -> tuple[Any, list[int]]:
    """The next order; None where the other end is closed."""
    head, descriptors, _, _ = socket.recv_fds(of, _LENGTH, 32)
    if not head:
        return None, []
    with of.makefile("rb", buffering=0) as file:
        body, left = b"", int.from_bytes(head, "big")
        while len(body) < left:
            body += file.read(left - len(body)) or b""
    return pickle.loads(body), list(descriptors)


def begin(
    address: str, words: list[str], environment: dict[str, str], folder: str, files: dict[int, int]
) -> tuple[int, socket.socket]:
    """Has a fork run `words`; its id, and a socket on which its exit status comes.

    Args:
        files: our open files by the numbers that they have there.
    """
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    send(connection, (words, environment, folder, list(files)), list(files.values()))
    return number_from(connection), connection


def number_from(connection: socket.socket) -> int:
    """The number that the server says next: a fork's id, then its status as `waitpid` gives it."""
    said = connection.recv(_LENGTH, socket.MSG_WAITALL)
    if not said:
        raise EOFError("what forks is lost")
    return int.from_bytes(said, "big")


# --- the server -----------------------------------------------------------------------------------


def serve(address: str) -> None:
    """Forks for each order until stdin ends."""
    import importlib
    import selectors
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in _SLOW:
            importlib.import_module(name)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    print("ready", flush=True)
    waiting: dict[int, tuple[int, socket.socket]] = {}
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fd == 0:
                os._exit(0)
            if key.fileobj is listener:
                connection = listener.accept()[0]
                order, descriptors = receive(connection)
                number = os.fork()
                if number == 0:
                    _become(address, order, descriptors)
                for descriptor in descriptors:
                    os.close(descriptor)
                connection.sendall(number.to_bytes(_LENGTH, "big"))
                waiting[ending := os.pidfd_open(number)] = number, connection
                selector.register(ending, selectors.EVENT_READ)
                continue
            number, connection = waiting.pop(key.fd)
            selector.unregister(key.fd)
            os.close(key.fd)
            status = os.waitpid(number, 0)[1]
            with suppress(BrokenPipeError, ConnectionResetError), connection:
                connection.sendall(status.to_bytes(_LENGTH, "big"))


def _become(address: str, order: Any, descriptors: list[int]) -> None:
    """The life of a fork."""
    import random
    import subprocess
    from multiprocessing import util

    words, environment, folder, numbers = order
    _place(numbers, descriptors)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    random.seed()
    seed, ours = _sow()
    spawn = util.spawnv_passfds

    def spawnv_passfds(path: Any, args: Any, passfds: Any) -> int:
        if _CODE not in args[-1] or ours.fileno() < 0:
            return spawn(path, args, passfds)
        files = [number for number in (0, 1, 2) if _is_open(number)] + sorted(map(int, passfds))
        send(ours, (args[-1], dict(os.environ), str(Path.cwd()), files), files)
        ours.close()
        return seed

    util.spawnv_passfds = spawnv_passfds
    setattr(subprocess, "Popen", warm_popen(address))  # noqa: B010
    _run(words)


def _sow() -> tuple[int, socket.socket]:
    """A fork that becomes the server of processes, where one is asked for."""
    ours, theirs = socket.socketpair()
    os.set_inheritable(ours.fileno(), False)
    number = os.fork()
    if number:
        theirs.close()
        return number, ours
    ours.close()
    os.closerange(0, theirs.fileno())
    os.closerange(theirs.fileno() + 1, 1024)
    order, descriptors = receive(theirs)
    if order is None:
        os._exit(0)
    code, environment, folder, numbers = order
    _place(numbers, descriptors)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    _run(["-c", code])
    raise AssertionError


def _place(numbers: list[int], descriptors: list[int]) -> None:
    """Has these files open under these numbers, and no others."""
    import fcntl

    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 512) for descriptor in descriptors]
    os.closerange(0, 512)
    for number, descriptor in zip(numbers, high, strict=True):
        os.dup2(descriptor, number)
    os.closerange(512, max(high, default=512) + 1)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


_PATH = list(sys.path)


def _run(words: list[str]) -> None:
    """Runs as Python's main program would, and ends the process."""
    import atexit
    import runpy
    import threading
    import types

    while words[0] == "-P":
        words = words[1:]
    here = [] if os.environ.get("PYTHONSAFEPATH") else [str(Path.cwd()) if words[0] == "-m" else ""]
    given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:] = [*here, *given, *_PATH]
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        errors = "backslashreplace" if name == "stderr" else None
        opened: Any = None
        if _is_open(number):
            opened = open(number, mode, errors=errors, closefd=False)  # noqa: SIM115
            opened.buffer.raw.name = f"<{name}>"
            opened.reconfigure(line_buffering=name == "stderr" or opened.isatty())
        setattr(sys, name, opened)
        setattr(sys, f"__{name}__", opened)
    sys.argv = [words[1] if words[0] == "-m" else "-c", *words[2:]]
    code: object = 0
    try:
        if words[0] == "-m":
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.modules["__main__"] = main = types.ModuleType("__main__")
            exec(words[1], main.__dict__)
    except SystemExit as end:
        code = end.code
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(int(code or 0))  # type: ignore[call-overload]


# --- what asks it ---------------------------------------------------------------------------------


def warm_popen(address: str) -> Any:
    """A `subprocess.Popen` that has its Python programs forked."""
    import select
    import subprocess
    from inspect import signature

    real: Any = subprocess.Popen

    class Popen(real):  # type: ignore[misc, valid-type, type-arg]
        _connection: socket.socket | None = None

        def _execute_child(self, args: Any, *more: Any) -> None:
            given = signature(real._execute_child).bind(self, args, *more).arguments
            words = [os.fspath(word) for word in args] if not isinstance(args, str) else [args]
            if given["preexec_fn"] or given["start_new_session"] or not is_python(words):
                super()._execute_child(args, *more)
                return
            streams = enumerate(given[name] for name in ("p2cread", "c2pwrite", "errwrite"))
            files = {number: file if file >= 0 else number for number, file in streams}
            files |= {number: number for number in given["pass_fds"]}
            env = os.environ if given["env"] is None else given["env"]
            variables = {str(name): str(value) for name, value in env.items()}
            folder = os.fspath(given["cwd"] or Path.cwd())
            self.pid, self._connection = begin(address, words[1:], variables, folder, files)
            self._child_created = True
            self._close_pipe_fds(*(
                given[f"{stream}{end}"]
                for stream in ("p2c", "c2p", "err") for end in ("read", "write")
            ))  # fmt: skip

        def _try_wait(self, wait_flags: int) -> tuple[int, int]:
            if self._connection is None:
                return super()._try_wait(wait_flags)  # type: ignore[no-any-return]
            if wait_flags & os.WNOHANG and not select.select([self._connection], [], [], 0)[0]:
                return 0, 0
            return self.pid, number_from(self._connection)

        def _internal_poll(self, *_: object, **more: object) -> int | None:
            if self._connection is None:
                return super()._internal_poll(*_, **more)  # type: ignore[no-any-return]
            if self.returncode is None:
                pid, status = self._try_wait(os.WNOHANG)
                if pid:
                    self._handle_exitstatus(status)
            return self.returncode  # type: ignore[no-any-return]

    return Popen


@contextmanager
def warming(address: str) -> Iterator[None]:
    """Python programs that are started meanwhile are forked by the server there, if one is."""
    import subprocess
    from unittest.mock import patch

    if not address:
        yield
        return
    popen = patch.object(subprocess, "Popen", warm_popen(address))
    with popen, patch.dict(os.environ, {ADDRESS: address}):
        yield


def is_python(words: list[str]) -> bool:
    """Whether this is a line of this Python that a fork can run."""
    return words[0] == sys.executable and len(words) > 2 and words[1] in ("-m", "-c")


def main() -> None:
    """Serves, or passes on its arguments."""
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    files = {number: number for number in (0, 1, 2) if _is_open(number)}
    number, connection = begin(
        os.environ[ADDRESS], sys.argv[1:], dict(os.environ), str(Path.cwd()), files
    )
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda received, _: os.kill(number, received))
    status = number_from(connection)
    sys.exit(os.waitstatus_to_exitcode(status) % 256)


if __name__ == "__main__":
    main()
