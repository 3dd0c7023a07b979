"""Ranks in trouble: whichever has it, the true reason is told and no process is left."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import psutil
import pytest

from cmx_bench.training.batches import Part
from cmx_bench.worker import ranks
from cmx_bench.worker.job import Outcome, Seen
from cmx_bench.worker.local import Child

Advance = Callable[[], None]
DONE = Outcome({}, "", {}, details={"top1": 0.5})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs is seen after half a second; one of a few that share a core does not."""
    monkeypatch.setattr(ranks, "_LOOK", 0.05)
    monkeypatch.setattr(ranks, "_PATIENCE", 10)
    monkeypatch.setattr(ranks, "_IDLE", 0.05 * ranks._IDLE)


def led(work: ranks.RankWork, count: int = 2) -> Outcome:
    ours, theirs = Pipe()
    with ours, theirs:
        return ranks.lead(theirs, count, work)


def in_trouble(trouble: Callable[[], object], who: int = 1, after: int = 3) -> ranks.RankWork:
    """Ranks of which one has trouble behind so many points; the others wait for it for ever."""

    def work(pipe: Connection, part: Part, advance: Advance) -> Outcome:
        for _ in range(after):
            advance()
        if part.rank == who:
            trouble()
            return DONE
        advance()
        time.sleep(600)
        return DONE

    return work


def test_the_first_rank_speaks_for_all_and_none_is_left() -> None:
    def work(pipe: Connection, part: Part, advance: Advance) -> Outcome:
        pipe.send(Seen(os.getpid(), 10))
        return Outcome({}, "", {}, details={"rank": part.rank})

    ours, theirs = Pipe()
    details = ranks.lead(theirs, 3, work).details
    assert details == {"rank": 0}
    while ours.poll():
        assert not psutil.pid_exists(ours.recv().images)


@pytest.mark.parametrize("who", [0, 1])
@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (lambda: signal.raise_signal(signal.SIGKILL), "was killed by SIGKILL (out of memory?)"),
        (lambda: os._exit(7), "ended without a result (exit code 7)"),
        (lambda: signal.raise_signal(signal.SIGSTOP), "was stopped for 0.5 s (SIGSTOP?)"),
        (lambda: time.sleep(600), "hung: it did nothing for 0.5 s, and the others waited for it"),
    ],
)
@pytest.mark.parametrize("after", [0, 3])
def test_the_rank_in_trouble_is_named(
    trouble: Callable[[], object], reason: str, who: int, after: int
) -> None:
    trained = led(in_trouble(trouble, who, after))
    assert trained.reason.startswith(f"rank {who} of 2 {reason}")


def await_end(rank: int) -> None:
    """Waits until a rank that is no child of this process has ended."""
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(rank).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)


def test_of_failures_the_first_is_told() -> None:
    def work(pipe: Connection, part: Part, advance: Advance) -> Outcome:
        return Outcome({}, "the second", {}) if part.rank else Outcome({}, "the first", {})

    reading, writing = os.pipe()

    def later(pipe: Connection, part: Part, advance: Advance) -> Outcome:
        if part.rank:
            os.write(writing, str(os.getpid()).encode())
        else:
            await_end(int(os.read(reading, 20)))
        return work(pipe, part, advance)

    assert led(later).reason == "the second"


def test_who_lost_a_dead_rank_is_not_told_of() -> None:
    """It may be heard first."""
    reading, writing = os.pipe()

    def work(pipe: Connection, part: Part, advance: Advance) -> Outcome:
        if part.rank == 1:
            os.close(reading)
            os.write(writing, b"going")
            os._exit(3)
        os.read(reading, 5)
        return Outcome({}, "connection closed by peer", {})

    assert led(work).reason == "rank 1 of 2 ended without a result (exit code 3)"


def test_one_that_computes_does_not_hang() -> None:
    def compute() -> None:
        until = time.process_time() + 1.0
        while time.process_time() < until:
            pass

    def let_compute() -> None:
        child = multiprocessing.get_context("fork").Process(target=compute)
        child.start()
        child.join()

    for trouble in (compute, let_compute):
        assert led(in_trouble(trouble, who=0)) == DONE


def test_none_hangs_where_all_wait_for_the_same() -> None:
    def work(pipe: Connection, part: Part, advance: Advance) -> Outcome:
        advance()
        time.sleep(1.0)
        return DONE

    assert led(work) == DONE


def test_ranks_end_with_a_killed_leader() -> None:
    """One of them is stopped, and hears nothing."""

    def work(pipe: Connection, part: Part, advance: Advance) -> Outcome:
        pids.send(os.getpid())
        signal.raise_signal(signal.SIGSTOP if part.rank else signal.SIGCONT)
        signal.pause()
        return DONE

    ours, pids = Pipe()
    leader = multiprocessing.get_context("fork").Process(target=led, args=(work,))
    leader.start()
    orphans = [psutil.Process(ours.recv()) for _ in range(2)]
    leader.kill()
    leader.join()
    _, alive = psutil.wait_procs(orphans, 60)
    assert not alive


@pytest.mark.parametrize(("looks", "still"), [(1.0, 0), (4.0, 1)])
def test_a_rank_may_idle_for_longer_where_looks_are_far_apart(
    monkeypatch: pytest.MonkeyPatch, looks: float, still: int
) -> None:
    process = psutil.Process()
    rank = ranks._Rank(Part(0, 1), Child(multiprocessing.Process(), Pipe()[0]), process)
    monkeypatch.setattr(psutil.Process, "children", lambda process, recursive: [])
    monkeypatch.setattr(ranks, "_cpu_seconds", lambda process: 2.5 * ranks._IDLE)
    ranks._look(rank, 0, looks)
    assert rank.still == still
