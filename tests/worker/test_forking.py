"""The server that processes are forked from: killed, outlived, far from its temporary folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from cmx_bench.worker import forking, local

from ..conftest import wait_until


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


def test_a_long_folder_for_temporary_files(tmp_path: Path) -> None:
    """As batch systems have it. Processes that it starts bind sockets too: those that prepare
    images. Other files stay where TMPDIR says."""
    folder = tmp_path / ("z" * 100)
    folder.mkdir()
    script = """if __name__ == "__main__":
        from cmx_bench.worker import local
        print(local.call("multiprocessing.util:get_temp_dir"), local.call("tempfile:gettempdir"))
    """
    ended = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    sockets, files = ended.stdout.split()
    assert (len(sockets) < 107 - len("/listener-xxxxxxxx"), files) == (True, str(folder))


def test_a_temporary_folder_that_was_removed_is_named(short: Path) -> None:
    """As the system may clean it in a long run."""
    code = (
        "import shutil; from cmx_bench.worker import local, scratch\n"
        "local.call('os:getpid'); shutil.rmtree(scratch.folder())\n"
        "try: local.call('os:getpid')\n"
        "except local.CmxError as error: print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"TMPDIR": str(short)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "folder for temporary files was removed; the same command goes on\n" in ended.stdout
    assert ended.stderr == ""


def test_a_server_that_dies_shows_no_traceback() -> None:
    """A model wrote into the pipe that tells it of the end of its command."""
    code = (
        "import os, time; from cmx_bench.worker import forking, local\n"
        "server = local.call('os:getppid')\n"
        "os.write(forking.forkserver._forkserver._forkserver_alive_fd, b'x')\n"
        "while not forking.has_ended(server): time.sleep(0.05)\n"  # it takes seconds
        "assert local.call('os:getppid') != server\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.fixture
def short() -> Iterator[Path]:
    """A temporary folder whose path has room for that of a socket."""
    with TemporaryDirectory() as made:
        yield Path(made)


def test_nothing_outlives_a_killed_command(short: Path) -> None:
    """Neither the server, while it loads or later, nor what it forked."""
    code = (
        "from cmx_bench.worker import local\n"
        "with local.process('cmx_bench.worker.local:answer', 'time:sleep', (600,)) as child:\n"
        "    print(child.process.pid, flush=True)\n"
        "    child.process.join()\n"
    )
    line = [sys.executable, "-c", code]
    environment = os.environ | {"TMPDIR": str(short)}
    for when in ("loading", "loaded"):
        with subprocess.Popen(line, stdout=subprocess.PIPE, env=environment) as command:
            this = psutil.Process(command.pid)
            if when == "loaded":
                assert command.stdout is not None
                command.stdout.readline()
            started = wait_until(partial(this.children, recursive=True), command)
            command.kill()
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
    ("printed", "told"),
    [
        ("Traceback (most recent call last):\n  …\nValueError: Invalid log settings: garbage.\n"
         "Valid settings:\nall, aot, autograd\n\n", "ValueError: Invalid log settings: garbage."),
        ("torch.x.SomeError: first\nOMP: Hint: set it\n", "torch.x.SomeError: first"),
        ("Segmentation fault\n", "Segmentation fault"),
    ],
)  # fmt: skip
def test_last_words_say_what_failed(
    printed: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "server.txt").write_text(printed)
    monkeypatch.setattr(forking.scratch, "folder", lambda: tmp_path)
    monkeypatch.setattr(forking.limits, "describe", lambda otherwise="": "")
    assert forking.last_words() == told
