"""Signals end a command once, and wait while it puts things away."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import psutil
import pytest

from cmx_bench.cli import ending
from cmx_bench.cli.ending import Ended


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Every handler is afterwards what it was before."""
    before = {number: signal.getsignal(number) for number in ending._SIGNALS}
    for number in ending._SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "text", "code"),
    [
        (signal.SIGINT, "interrupted", 130),
        (signal.SIGTERM, "ended by SIGTERM", 143),
        (signal.SIGHUP, "ended by SIGHUP", 129),
        (signal.SIGUSR1, "ended by SIGUSR1", 138),
        (signal.SIGALRM, "ended by SIGALRM", 142),
    ],
)
def test_a_signal_ends_with_a_shells_exit_code(number: int, text: str, code: int) -> None:
    with pytest.raises(Ended, match=f"^{text}$") as end, ending.heeding():
        signal.raise_signal(number)
    assert end.value.code == code
    assert signal.getsignal(number) == signal.SIG_DFL  # as it was before


def test_what_was_ignored_from_the_start_stays_ignored() -> None:
    """nohup ignores SIGHUP for the command that it starts."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ending.heeding():
        signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_a_second_signal_waits_for_what_is_put_away_and_ends_what_is_done_for_the_user() -> None:
    with ending.heeding():
        with pytest.raises(Ended):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)  # only noted
        with pytest.raises(Ended, match="interrupted"), ending.briefly(60.0):
            pytest.fail("a signal came before")


def test_a_module_is_loaded_whole_before_a_signal_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of pandas cannot be loaded again, and the report of what was measured needs it."""
    (tmp_path / "interrupted.py").write_text(
        "import signal\nsignal.raise_signal(signal.SIGTERM)\nis_whole = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Ended, match="ended by SIGTERM"), ending.heeding():
        assert importlib.import_module("interrupted").is_whole
        Event().wait(60.0)
    assert sys.modules.pop("interrupted").is_whole


@pytest.mark.parametrize("signals", [1, 2])
def test_a_module_that_hangs_is_given_up_at_the_second_signal_or_after_some_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signals: int
) -> None:
    """And with it the report, which may need it."""
    (tmp_path / "hanging.py").write_text(
        "import signal, threading\n"
        f"for number in [signal.SIGTERM, signal.SIGINT][:{signals}]:\n"
        "    signal.raise_signal(number)\n"
        "threading.Event().wait(60.0)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    if signals == 1:
        monkeypatch.setattr(ending, "_MOST_TRIES", 2)
    with ending.heeding():
        with pytest.raises(Ended, match="SIGTERM" if signals == 1 else "interrupted"):
            importlib.import_module("hanging")
        with pytest.raises(Ended), ending.briefly(60.0):
            pytest.fail("nothing is rendered")


def test_a_signal_is_not_lost_in_what_is_taken_apart() -> None:
    class Interrupted:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Ended, match="ended by SIGTERM"), ending.heeding():
        Interrupted()
        Event().wait(60.0)


def test_what_is_done_briefly_ends_at_the_next_signal() -> None:
    with ending.heeding():
        with pytest.raises(Ended):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Ended, match="ended by SIGTERM"), ending.briefly(60.0):
            signal.raise_signal(signal.SIGTERM)
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_what_is_done_briefly_ends_when_its_time_is_over() -> None:
    with ending.heeding(), pytest.raises(Ended, match="SIGALRM"), ending.briefly(1e-3):
        while True:
            signal.pause()


def test_a_third_signal_ends_everything_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[object] = []
    monkeypatch.setattr(ending, "end_children", lambda: ends.append("children"))
    monkeypatch.setattr(os, "_exit", ends.append)
    with ending.heeding():
        with pytest.raises(Ended):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert ends == []
        signal.raise_signal(signal.SIGTERM)
    assert ends == ["children", 128 + signal.SIGTERM]


def test_where_proc_is_hidden_children_end_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise psutil.NoSuchProcess(1)

    monkeypatch.setattr(psutil, "Process", refuse)
    ending.end_children()


STOPS = """\
import os, subprocess
from cmx_bench.cli import ending
with ending.heeding():
    below = subprocess.Popen(["sleep", "600"], preexec_fn=os.setpgrp)
    print(below.pid, flush=True)
    below.wait()
"""


def test_ctrl_z_stops_processes_in_groups_of_their_own_too() -> None:
    command = subprocess.Popen(
        [sys.executable, "-c", STOPS], stdout=subprocess.PIPE, text=True,
        preexec_fn=os.setpgrp,  # noqa: PLW1509
    )  # fmt: skip
    with command:
        assert command.stdout is not None
        both = [psutil.Process(command.pid), psutil.Process(int(command.stdout.readline()))]
        for number, stopped in ((signal.SIGTSTP, True), (signal.SIGCONT, False)):
            os.killpg(command.pid, number)
            until = time.monotonic() + 60
            while any((it.status() == psutil.STATUS_STOPPED) != stopped for it in both):
                assert time.monotonic() < until
                time.sleep(0.01)
        both[1].kill()
    assert command.returncode == 0


LATE = """\
import atexit, signal, sys
from cmx_bench.__main__ import main
def put_away():
    signal.raise_signal(signal.SIGTERM)
    print("all is put away", flush=True)
atexit.register(put_away)
sys.argv = ["cmx-bench", "list", "measures"]
main()
"""


def test_a_command_that_has_said_all_ends_with_its_own_code() -> None:
    """A signal would leave its folder in the temporary folder, and pass for a failure."""
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("all is put away\n")
