"""Real processes: fresh, killed, slow, raising."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from cmx_bench.errors import CmxError, PlanError
from cmx_bench.worker import local


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


def test_no_folder_for_temporary_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    choose = local._choose_folder_of_sockets.__wrapped__

    def fail() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", fail)
    with pytest.raises(local.ProcessError, match=r"can be written \(No usable .*\); set TMPDIR to"):
        choose()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / ("z" * 100)))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(local.ProcessError, match=r"TMPDIR: \S+ is longer than 71 bytes, and /tmp"):
        choose()
