"""A look at what others do, with stand-ins for the system's counters."""

from __future__ import annotations

import operator
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from cmx_bench.execute import looking
from cmx_bench.results.neighbours import Neighbours

# user nice system idle iowait irq softirq steal guest guest_nice, in hundredths of a second
CALM = (10000, 0, 5000, 100000, 2000, 100, 100, 1000, 700, 0)
Install = Callable[..., None]


@pytest.fixture
def counters(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Two readings of the clock and the counters, and of what this process and its own computed."""

    def install(seconds: float, changes: tuple[int, ...], ours: float) -> None:
        clock, own = iter([0.0, seconds]), iter([3.0, 3.0 + ours])
        later = map(operator.add, CALM, changes)
        texts = iter(" ".join(["cpu", *map(str, numbers)]) for numbers in (CALM, [*later]))
        monkeypatch.setattr(looking, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        monkeypatch.setattr(looking.jiffies, "system_text", lambda path: next(texts))
        monkeypatch.setattr(looking.os, "sysconf", lambda name: 100)
        monkeypatch.setattr(looking.os, "cpu_count", lambda: 2)
        monkeypatch.setattr(looking, "_ours", lambda: next(own))

    return install


def test_what_others_compute_is_neither_ours_nor_idle(counters: Install) -> None:
    """Of 10 s of two cores 4 were idle or waiting, 2 stolen, and 14 busy, of which 6 were ours; a
    guest's time is in the user's already."""
    counters(10.0, (1000, 0, 300, 300, 100, 100, 0, 200, 500, 0), 6.0)
    assert looking.watch()(2) == Neighbours(10.0, 2, 2, busy=0.8, steal=0.1)


def test_a_moment_tells_nothing(counters: Install) -> None:
    counters(0.5, (100,) + 9 * (0,), 0.0)
    assert looking.watch()(2) is None


def _no_file(*_: object) -> None:
    raise FileNotFoundError(2, "No such file or directory", "/proc/stat")


def _no_value(*_: object) -> None:
    raise TypeError("scputimes.__new__() missing 7 required positional arguments")


@pytest.mark.parametrize("text", ["", "intr 1 2 3\n"])
def test_a_system_without_counters_tells_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    clock = iter([0.0, 10.0])
    monkeypatch.setattr(looking, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(looking, "_STAT", tmp_path / "stat")
    if text:
        (tmp_path / "stat").write_text(text)
    assert looking.watch()(2) is None


@pytest.mark.parametrize("fail", [_no_file, _no_value])
def test_a_system_without_processes_tells_nothing(
    monkeypatch: pytest.MonkeyPatch, fail: Callable[..., None]
) -> None:
    """As psutil fails without /proc."""
    clock = iter([0.0, 10.0])
    monkeypatch.setattr(looking, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(looking.psutil, "Process", fail)
    assert looking.watch()(2) is None


def test_what_children_compute_is_ours() -> None:
    """This very process: it and all that it has waited for have computed something."""
    before = looking._ours()
    sum(range(10**6))
    assert looking._ours() >= before > 0
