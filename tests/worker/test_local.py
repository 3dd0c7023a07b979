"""Real processes: fresh, killed, slow, raising."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from cmx_bench.errors import CmxError, SuiteError
from cmx_bench.worker import limits, local
from cmx_bench.worker.targets import Target

from ..conftest import LIGHT

pytestmark = pytest.mark.usefixtures("light_server")


def test_each_call_has_its_own_process() -> None:
    ids = {local.call("os:getpid") for _ in range(3)}
    assert len(ids) == 3
    assert os.getpid() not in ids


def test_a_process_has_a_group_of_its_own() -> None:
    """A model that kills its group (os.killpg(0, …)) ends nothing of the command."""
    assert local.call("os:getpgrp") not in (os.getpgrp(), os.getpid())
    assert local.call("signal:getsignal", signal.SIGTTOU) == signal.SIG_IGN


def test_threads_do_not_end_what_others_start() -> None:
    def start_and_end(_: int) -> None:
        with local.process(Target.ANSWER, "os:getpid", ()) as child:
            assert local.receive(child, 60)

    before = dict(os.environ)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(start_and_end, range(60)))
    assert os.environ == before


def test_a_process_that_stopped_what_forked_it_ends() -> None:
    """Its server alone knows of its end."""
    server = local.call("os:getppid")
    stopping = local.process(Target.ANSWER, "os:kill", (server, signal.SIGSTOP))
    with pytest.raises(InterruptedError), stopping as child:
        assert local.receive(child, 60) is None
        raise InterruptedError  # or it would have some seconds to end by itself
    assert local.call("os:getppid", timeout=60) == server


def test_threads_of_such_a_process_do_not_spin() -> None:
    before = dict(os.environ)
    assert local.call("os:getenv", "OMP_WAIT_POLICY") == "PASSIVE"
    assert os.environ == before


def test_an_error_for_the_user_comes_through() -> None:
    with pytest.raises(SuiteError, match="none.yaml: no such file"):
        local.call("cmx_bench.spec.suite:load", "none.yaml")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (signal.SIGKILL, r"was killed by SIGKILL \(out of memory\?\)"),
        (signal.SIGSEGV, "by SIGSEGV"),
        (signal.SIGRTMIN + 6, f"was killed by the signal {signal.SIGRTMIN + 6}$"),
    ],
)
def test_a_killed_process_says_so(number: int, message: str) -> None:
    with pytest.raises(local.ProcessError, match=message):
        local.call("signal:raise_signal", number)


@pytest.mark.parametrize("code", [7, local._SERVER_GONE])
def test_a_process_that_only_ends(code: int) -> None:
    """Whatever its code is: what forked it lives."""
    with pytest.raises(local.ProcessError, match=rf"a result \(exit code {code}\)$") as ended:
        local.call("os:_exit", code)
    assert not isinstance(ended.value, local.KilledError)


def test_a_process_that_dies_in_the_middle_of_its_answer() -> None:
    ours, theirs = Pipe()
    os.write(theirs.fileno(), struct.pack("!i", 100) + b"half of it")
    theirs.close()
    dead: Any = SimpleNamespace(join=lambda seconds: None, exitcode=-signal.SIGKILL)
    with ours, pytest.raises(local.KilledError, match="was killed by SIGKILL"):
        local.receive(local.Child(dead, ours), None)


@pytest.mark.parametrize("junk", [b"junk", b"ccmx_bench\nnothing\n."])
def test_a_process_that_sends_what_is_no_answer(junk: bytes) -> None:
    """A model may write into whatever it finds open."""
    ours, theirs = Pipe()
    os.write(theirs.fileno(), struct.pack("!i", len(junk)) + junk)
    with ours, theirs, pytest.raises(local.ProcessError, match="sent what is no answer"):
        local.hear(ours, 60)


@pytest.mark.parametrize("begin", [struct.pack("!i", 100), struct.pack("!iQ", -1, 2**34) + b"x"])
def test_half_an_answer_keeps_nobody_waiting(begin: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a process that goes on: what it wrote seems to be the beginning of a long one."""
    monkeypatch.setattr(local, "_HALF_SECONDS", 1)
    ours, theirs = Pipe()
    os.write(theirs.fileno(), begin)
    with ours, theirs, pytest.raises(local.ProcessError, match="sent half an answer, and hangs"):
        local.hear(ours, 60)


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


PROGRAMS = """\
import os
def leaves():
    os.system("sleep 600 &")
    os._exit(7)
def becomes():
    os.execvp("sh", ["sh", "-c", "exit 7"])
"""


@pytest.mark.parametrize("name", ["leaves", "becomes"])
def test_a_program_of_a_process_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "programs.py").write_text(PROGRAMS)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(local.ProcessError, match=r"exit code 7"):
        local.call(f"programs:{name}", timeout=60.0)


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
            file = str(tmp_path / "told")
            local.call("starting:starts", file, seconds, timeout=3.0 if seconds else 300.0)
        with suppress(psutil.NoSuchProcess):
            started = psutil.Process(int((tmp_path / "told").read_text()))
            assert psutil.wait_procs([started], timeout=60)[1] == []
        assert beside.process.is_alive()
        beside.process.kill()


def test_what_a_process_prints_fits_any_encoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = """if __name__ == "__main__":
        from cmx_bench.worker import forking, limits, local
        forking.PRELOAD = "light"
        local.call("builtins:print", "10 µs")
    """
    (tmp_path / "light.py").write_text(LIGHT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
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


@pytest.mark.parametrize("is_short", [True, False])
def test_what_was_lost_twice_says_so(
    deaths: str, is_short: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no memory ran out nothing but the process itself is known to be at fault."""
    monkeypatch.setattr(limits, "may_lack_memory", lambda: is_short)
    with pytest.raises(local.LostError, match="was lost with what forked it") as lost:
        local.call("deadly:live", deaths, 9)
    assert lost.value.blameless is is_short
    assert ("no memory ran out (by the model?)" in str(lost.value)) is not is_short
    assert Path(deaths).read_text() == "xx"
    assert local.call("os:getpid")  # another server is begun


def test_a_server_of_another_version_tells_how_a_process_ended() -> None:
    killed = local.explain_told_end("was killed by SIGKILL (out of memory?)")
    assert isinstance(killed, local.KilledError)
    assert not isinstance(local.explain_told_end("was killed by SIGSEGV"), local.KilledError)
