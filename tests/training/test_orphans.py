"""What was left behind is ended, and what is known stays."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import psutil
import pytest

from cmx_bench.training import orphans

Start = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Programs that run until the test ends; each waits for its input."""
    programs: list[subprocess.Popen[bytes]] = []

    def run() -> subprocess.Popen[bytes]:
        programs.append(subprocess.Popen(["cat"], stdin=subprocess.PIPE))
        return programs[-1]

    yield run
    for program in programs:
        program.kill()
        program.communicate()


def test_children_that_nobody_knows_are_ended(start: Start) -> None:
    known, stray = start(), start()
    others = {child.pid for child in psutil.Process().children()} - {stray.pid}
    orphans.end_strays(psutil.Process().pid, known=others)
    assert stray.wait(60) == -9
    assert known.poll() is None


def test_children_of_a_process_that_has_gone_are_nobodys(start: Start) -> None:
    gone = start()
    gone.kill()
    gone.wait()
    orphans.end_strays(gone.pid, known=())


def test_a_process_whose_parent_was_gone_before_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[int] = []
    monkeypatch.setattr(orphans.os, "_exit", ends.append)
    monkeypatch.setattr(orphans.sys, "platform", "other")  # or this process would end with a parent
    parent = psutil.Process().ppid()
    orphans.end_with(parent)
    assert ends == []
    orphans.end_with(parent + 1)
    assert ends == [1]
