"""A look at what others do, with stand-ins for the system's counters."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from cmx_bench.execute import looking
from cmx_bench.results.neighbours import Neighbours

Times = namedtuple("Times", "user nice system idle iowait irq softirq steal guest guest_nice")
CALM = Times(100.0, 0.0, 50.0, 1000.0, 20.0, 1.0, 1.0, 10.0, 7.0, 0.0)
Install = Callable[..., None]


@pytest.fixture
def counters(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Two readings of the clock and the counters, and of what this process and its own computed."""

    def install(seconds: float, after: Times, ours: float) -> None:
        clock, times, own = iter([0.0, seconds]), iter([CALM, after]), iter([3.0, 3.0 + ours])
        monkeypatch.setattr(looking, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        monkeypatch.setattr(looking.psutil, "cpu_times", lambda: next(times))
        monkeypatch.setattr(looking.psutil, "cpu_count", lambda: 2)
        monkeypatch.setattr(looking, "_ours", lambda: next(own))

    return install


def test_what_others_compute_is_neither_ours_nor_idle(counters: Install) -> None:
    """Of 10 s of two cores 4 were idle or waiting, 2 stolen, and 14 busy, of which 6 were ours; a
    guest's time is in the user's already."""
    after = CALM._replace(user=110.0, system=53.0, irq=2.0, idle=1003.0, iowait=21.0, steal=12.0,
                          guest=12.0)  # fmt: skip
    counters(10.0, after, 6.0)
    assert looking.watch()(2) == Neighbours(10.0, 2, 2, busy=0.8, steal=0.1)


def test_a_moment_tells_nothing(counters: Install) -> None:
    counters(0.5, CALM._replace(user=101.0), 0.0)
    assert looking.watch()(2) is None


def _no_file(*_: object) -> None:
    raise FileNotFoundError(2, "No such file or directory", "/proc/stat")


def _no_value(*_: object) -> None:
    raise TypeError("scputimes.__new__() missing 7 required positional arguments")


@pytest.mark.parametrize("fail", [_no_file, _no_value])
@pytest.mark.parametrize("name", ["cpu_times", "Process"])
def test_a_system_without_proc_tells_nothing(
    monkeypatch: pytest.MonkeyPatch, name: str, fail: Callable[..., None]
) -> None:
    """As psutil fails without /proc, and with an empty /proc/stat."""
    clock = iter([0.0, 10.0])
    monkeypatch.setattr(looking, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(looking.psutil, name, fail)
    assert looking.watch()(2) is None


def test_what_children_compute_is_ours() -> None:
    """This very process: it and all that it has waited for have computed something."""
    before = looking._ours()
    sum(range(10**6))
    assert looking._ours() >= before > 0
