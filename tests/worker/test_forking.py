"""The server that processes are forked from: killed, outlived, far from its temporary folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from cmx_bench.worker import forking, local

from ..conftest import LIGHT, wait_until

pytestmark = pytest.mark.usefixtures("light_server")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """A command of this code, whose server loads no torch."""
    (tmp_path / "light.py").write_text(LIGHT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    begin = "from cmx_bench.worker import forking, local, scratch; forking.PRELOAD = 'light'\n"
    return lambda code: [sys.executable, "-c", begin + code]


def test_it_loads_what_it_is_told() -> None:
    """multiprocessing passes over what fails to import."""
    assert local.call("builtins:eval", "'light' in __import__('sys').modules")


def test_a_server_that_is_killed_is_begun_anew_though_it_takes_time_to_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process closes its sockets long before it has ended, where it has much memory."""
    local.call("os:getpid")
    server = forking.server()
    assert server is not None and not forking.has_ended(server)
    wait, awaited = os.waitpid, list[int]()

    def waitpid(pid: int, options: int) -> tuple[int, int]:
        if pid == server and options == os.WNOHANG and not awaited:
            return 0, 0
        awaited.append(pid)
        return wait(pid, options)

    os.kill(server, signal.SIGKILL)
    os.waitid(os.P_PID, server, os.WEXITED | os.WNOWAIT)
    assert forking.has_ended(server)
    with monkeypatch.context() as slow:
        slow.setattr(os, "waitpid", waitpid)
        assert local.call("os:getpid") != server
    assert server in awaited


def test_a_long_folder_for_temporary_files(
    tmp_path: Path, command: Callable[[str], list[str]]
) -> None:
    """As batch systems have it. Processes that it starts bind sockets too: those that prepare
    images. Other files stay where TMPDIR says."""
    folder = tmp_path / ("z" * 100)
    folder.mkdir()
    code = 'print(*map(local.call, ("multiprocessing.util:get_temp_dir", "tempfile:gettempdir")))'
    ended = subprocess.run(
        command(code), env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    sockets, files = ended.stdout.split()
    assert (len(sockets) < 107 - len("/listener-xxxxxxxx"), files) == (True, str(folder))


def test_a_temporary_folder_that_was_removed_is_named(
    short: Path, command: Callable[[str], list[str]]
) -> None:
    """As the system may clean it in a long run."""
    code = (
        "import shutil\n"
        "local.call('os:getpid'); shutil.rmtree(scratch.folder())\n"
        "try: local.call('os:getpid')\n"
        "except local.CmxError as error: print(error)\n"
    )
    ended = subprocess.run(
        command(code), env=os.environ | {"TMPDIR": str(short)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "folder for temporary files was removed; the same command goes on\n" in ended.stdout
    assert ended.stderr == ""


def test_a_server_that_dies_shows_no_traceback(command: Callable[[str], list[str]]) -> None:
    """A model wrote into the pipe that tells it of the end of its command."""
    code = (
        "import os, time\n"
        "server = local.call('os:getppid')\n"
        "os.write(forking.forkserver._forkserver._forkserver_alive_fd, b'x')\n"
        "while not forking.has_ended(server): time.sleep(0.05)\n"  # it takes seconds
        "assert local.call('os:getppid') != server\n"
    )
    ended = subprocess.run(command(code), capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.fixture
def short() -> Iterator[Path]:
    """A temporary folder whose path has room for that of a socket."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


def test_nothing_outlives_a_killed_command(
    tmp_path: Path, short: Path, command: Callable[[str], list[str]]
) -> None:
    """Neither the server, while it loads or later, nor what it forked."""
    code = (
        "with local.process('cmx_bench.worker.local:answer', 'time:sleep', (600,)) as child:\n"
        "    print(child.process.pid, flush=True)\n"
        "    child.process.join()\n"
    )
    line = command(code)
    environment = os.environ | {"TMPDIR": str(short)}
    for when, loads in (("loading", "    import time; time.sleep(600)"), ("loaded", "")):
        (tmp_path / "light.py").write_text(LIGHT + loads)
        with subprocess.Popen(line, stdout=subprocess.PIPE, env=environment) as running:
            this = psutil.Process(running.pid)
            if when == "loaded":
                assert running.stdout is not None
                running.stdout.readline()
            started = wait_until(partial(this.children, recursive=True), running)
            running.kill()
        _, alive = psutil.wait_procs(started, 60)
        assert not alive
    [left] = short.glob("cmx-scratch-*")  # the first one's was swept by the second
    assert (left / "server.txt").exists()


@pytest.mark.parametrize(
    ("cores", "given", "threads"), [(2, None, "2"), (8, None, None), (2, "4", None)]
)
def test_torch_has_as_many_threads_as_a_container_has_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, given: str | None, threads: str | None
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.setattr(forking.jiffies, "usable_cores", lambda: cores)
    monkeypatch.setattr(forking.jiffies, "cores_of_affinity", lambda: 8)
    assert forking.variables().get("OMP_NUM_THREADS") == threads


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("Traceback (most recent call last):\n  …\nValueError: Invalid log settings: garbage.\n"
         "Valid settings:\nall, aot, autograd\n\n", "ValueError: Invalid log settings: garbage."),
        ("torch.x.SomeError: first\nOMP: Hint: set it\n", "torch.x.SomeError: first"),
        ("Segmentation fault\n", "Segmentation fault"),
    ],
)  # fmt: skip
def test_last_words_say_what_failed(
    printed: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "server.txt").write_text(printed)
    monkeypatch.setattr(forking.scratch, "folder", lambda: tmp_path)
    monkeypatch.setattr(forking.limits, "describe", lambda otherwise="": "")
    assert forking.last_words() == expected
