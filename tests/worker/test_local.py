"""Real processes: fresh, killed, slow, raising."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import forkserver
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from cmx_bench.errors import CmxError, PlanError
from cmx_bench.worker import local
from cmx_bench.worker.targets import Target


def test_each_call_has_its_own_process() -> None:
    ids = {local.call("os:getpid") for _ in range(3)}
    assert len(ids) == 3
    assert os.getpid() not in ids


def test_threads_of_such_a_process_do_not_spin() -> None:
    before = dict(os.environ)
    assert local.call("os:getenv", "OMP_WAIT_POLICY") == "PASSIVE"
    assert os.environ == before


def test_an_error_for_the_user_comes_through() -> None:
    with pytest.raises(PlanError, match="--device tpu: expected auto, cpu, cuda or cuda:N"):
        local.call("cmx_bench.worker.machine:resolve_device", "tpu")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (signal.SIGKILL, r"was killed by SIGKILL \(out of memory\?\)"),
        (signal.SIGSEGV, "by SIGSEGV"),
    ],
)
def test_a_killed_process_says_so(number: int, message: str) -> None:
    with pytest.raises(local.ProcessError, match=message):
        local.call("signal:raise_signal", number)


def test_a_process_that_only_ends() -> None:
    with pytest.raises(local.ProcessError, match=r"ended without a result \(exit code 7\)"):
        local.call("os:_exit", 7)


def test_a_server_that_is_killed_is_begun_anew_though_it_takes_time_to_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process closes its sockets long before it has ended, where it has much memory."""
    local.call("os:getpid")
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    wait, awaited = os.waitpid, list[int]()

    def waitpid(pid: int, options: int) -> tuple[int, int]:
        if pid == server and options == os.WNOHANG and not awaited:
            return 0, 0
        awaited.append(pid)
        return wait(pid, options)

    os.kill(server, signal.SIGKILL)
    os.waitid(os.P_PID, server, os.WEXITED | os.WNOWAIT)
    with monkeypatch.context() as slow:
        slow.setattr(os, "waitpid", waitpid)
        assert local.call("os:getpid") != server
    assert server in awaited


def test_a_slow_process_is_ended() -> None:
    begin = time.monotonic()
    with pytest.raises(local.ProcessError, match="took longer than 0.2 s"):
        local.call("time:sleep", 600, timeout=0.2)
    assert time.monotonic() - begin < 300


def test_a_target_that_is_no_cmx_error_ends_the_process() -> None:
    with pytest.raises(CmxError, match="exit code 1"):
        local.call("math:sqrt", -1)


def test_a_process_ends_with_the_one_that_started_it() -> None:
    with local.process("cmx_bench.worker.local:answer", "time:sleep", (600,)) as child:
        child.pipe.close()  # as a killed process leaves it
        child.process.join(300)
        assert child.process.exitcode == 1


FORKS = """\
import os, pathlib, time
def forks(told):
    if os.fork() == 0:
        pathlib.Path(told).write_text(str(os.getpid()))
        time.sleep(600)
    while not pathlib.Path(told).exists() or not pathlib.Path(told).read_text():
        time.sleep(0.01)
    os._exit(7)
"""


def test_what_a_process_forks_keeps_nobody_waiting_and_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "forking.py").write_text(FORKS)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(local.ProcessError, match=r"exit code 7"):
        local.call("forking:forks", str(tmp_path / "told"), timeout=300.0)
    with suppress(psutil.NoSuchProcess):
        forked = psutil.Process(int((tmp_path / "told").read_text()))
        assert psutil.wait_procs([forked], timeout=60)[1] == []


STARTS = """\
import pathlib, subprocess, time
def starts(told, seconds):
    program = subprocess.Popen(["sleep", "600"], start_new_session=True)
    pathlib.Path(told).write_text(str(program.pid))
    time.sleep(seconds)
"""


@pytest.mark.parametrize("seconds", [0, 600])
def test_a_program_that_a_process_started_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """It may end by itself, or be ended; and what runs beside it goes on."""
    (tmp_path / "starting.py").write_text(STARTS)
    monkeypatch.syspath_prepend(tmp_path)
    with local.process(Target.ANSWER, "time:sleep", (600,)) as beside:
        with suppress(local.ProcessError):
            told = str(tmp_path / "told")
            local.call("starting:starts", told, seconds, timeout=3.0 if seconds else 300.0)
        with suppress(psutil.NoSuchProcess):
            started = psutil.Process(int((tmp_path / "told").read_text()))
            assert psutil.wait_procs([started], timeout=60)[1] == []
        assert beside.process.is_alive()
        beside.process.kill()


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


def test_what_a_process_prints_fits_any_encoding() -> None:
    script = """if __name__ == "__main__":
        from cmx_bench.worker import local
        local.call("builtins:print", "10 µs")
    """
    ended = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.stderr, ended.stdout) == ("", "10 \\xb5s\n")


# What forks it dies of it, as it may where memory runs out: the first times, as many as are asked.
DEADLY = """\
import os, pathlib, signal
def live(deaths, times):
    before = pathlib.Path(deaths).read_text()
    if len(before) < times:
        pathlib.Path(deaths).write_text(before + "x")
        os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()
    return before
"""


@pytest.fixture
def deaths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "deadly.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "deaths").touch()
    return str(tmp_path / "deaths")


def test_what_was_lost_with_its_server_is_tried_again(deaths: str) -> None:
    assert local.call("deadly:live", deaths, 1) == "x"


def test_what_was_lost_twice_says_so(deaths: str) -> None:
    with pytest.raises(local.LostError, match="was lost with what forked it"):
        local.call("deadly:live", deaths, 9)
    assert Path(deaths).read_text() == "xx"
    assert local.call("os:getpid")  # another server is begun


def test_a_server_of_another_version_tells_how_a_process_ended() -> None:
    killed = local.told_end("was killed by SIGKILL (out of memory?)")
    assert isinstance(killed, local.KilledError)
    assert not isinstance(local.told_end("was killed by SIGSEGV"), local.KilledError)


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
            while not (started := this.children(recursive=True)):
                assert command.poll() is None
            command.kill()
        _, alive = psutil.wait_procs(started, 60)
        assert not alive
    [left] = short.glob("cmx-scratch-*")  # the first one's was swept by the second
    assert (left / "server.txt").exists()
