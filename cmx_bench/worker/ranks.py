"""Ranks, processes that train one model together; the process that starts, watches and ends them
trains nothing itself, so that it can tell the reason whichever of them fails."""

from __future__ import annotations

import faulthandler
import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from mmap import mmap
from multiprocessing.connection import Connection, wait
from typing import TypeAlias

import psutil

from cmx_bench.training.batches import Part
from cmx_bench.training.orphans import end_with_parent
from cmx_bench.worker import local
from cmx_bench.worker.job import Outcome, Seen
from cmx_bench.worker.local import Child, ProcessError

# A rank hangs if it stands still for so long while others are ahead of it, or is stopped: it passes
# no point of the training, neither it nor the processes that prepare its images use a core, and
# none waits for a disk. A long step uses a core, and where all wait for the same none is behind.
_PATIENCE = 20  # looks
_LOOK = 1.0  # seconds from look to look; a machine that slept meanwhile makes one look of it
_IDLE = 0.02  # CPU seconds from look to look, of threads that only wait
_LAST_WORDS = 1.0  # seconds, for what failed before what was heard first

# Of a rank: the training by it, given the pipe for a `Seen` now and then, which part of each batch
# is its own, and what it calls at every point that all ranks pass.
RankWork: TypeAlias = Callable[[Connection, Part, Callable[[], None]], Outcome]


@dataclass(slots=True)
class _Rank:
    """A rank that runs, and what was seen of it at the last look: the points it had passed, CPU
    seconds of itself and of those that help it, and for how many looks it has stood still."""

    part: Part
    child: Child
    seen: psutil.Process
    passed: int = 0
    busy: float = 0.0
    helped: float = 0.0
    still: int = 0

    @property
    def name(self) -> str:
        return f"rank {self.part.rank} of {self.part.count}"


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a rank ended, and when. One that died said nothing, and comes before any failure: none
    leaves because it failed, so that only a death makes others fail."""

    outcome: Outcome
    moment: float
    said: bool = True


def lead(pipe: Connection, count: int, work: RankWork) -> Outcome:
    """How the training ends that `count` ranks do together; none is left when it returns.

    Args:
        pipe: for what the first rank says meanwhile.
    """
    passed = memoryview(mmap(-1, 8 * count)).cast("Q")  # shared with what is forked
    ranks = [_start(Part(number, count), work, passed) for number in range(count)]
    try:
        return _follow(pipe, ranks, passed)
    finally:
        for rank in ranks:
            rank.child.process.kill()
        for rank in ranks:
            rank.child.process.join()


def _start(part: Part, work: RankWork, passed: memoryview[int]) -> _Rank:
    """A rank, forked before anything touches a GPU."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_live, args=(theirs, part, work, passed))
    process.start()
    theirs.close()
    return _Rank(part, Child(process, ours), psutil.Process(process.pid))


def _live(pipe: Connection, part: Part, work: RankWork, passed: memoryview[int]) -> None:
    """The life of a rank, which lasts until `lead` ends it: one that leaves while others train
    takes their connections with it. So no process group is ever taken apart."""
    end_with_parent()
    faulthandler.register(signal.SIGUSR1, all_threads=False)

    def advance() -> None:
        passed[part.rank] += 1

    trained = work(pipe, part, advance)
    advance()
    pipe.send(_Ended(trained, time.monotonic()))
    signal.pause()


def _follow(pipe: Connection, ranks: Sequence[_Rank], passed: Sequence[int]) -> Outcome:
    """How the first rank ended, or why one failed before."""
    left = {rank.child.pipe: rank for rank in ranks}
    failures: list[_Ended] = []
    until, last_look = math.inf, time.monotonic()
    while left and (now := time.monotonic()) < until:
        for speaker in wait(list(left), _LOOK):
            said = _hear(rank := left[speaker])  # type: ignore[index]
            if isinstance(said, Seen):
                pipe.send(said)
                continue
            del left[rank.child.pipe]
            if said.outcome.reason:
                failures.append(said)
            elif rank.part.rank == 0:
                return said.outcome
        if not failures and now >= last_look + _LOOK:
            failures += _find_hung(list(left.values()), passed, now - last_look)
            last_look = now
        if failures:
            until = min(until, time.monotonic() + _LAST_WORDS)
    return min(failures, key=lambda failure: (failure.said, failure.moment)).outcome


def _hear(rank: _Rank) -> Seen | _Ended:
    try:
        said: Seen | _Ended = local.receive(rank.child, None)
    except ProcessError as error:
        return _Ended(Outcome({}, f"{rank.name} {error}", {}), time.monotonic(), said=False)
    return said


def _find_hung(ranks: Sequence[_Rank], passed: Sequence[int], seconds: float) -> list[_Ended]:
    """The ranks that hang, none most of the time; then log.txt gets a traceback of each.

    Args:
        seconds: since the last look, more than `_LOOK` where this process waits for a core itself.
    """
    for rank in ranks:
        with suppress(psutil.NoSuchProcess):
            _look(rank, passed[rank.part.rank], seconds / _LOOK)
    hung = {rank.name: why for rank in ranks if (why := _why_hung(rank, passed))}
    if hung:
        for rank in ranks:
            os.kill(rank.seen.pid, signal.SIGUSR1)
    reasons = (f"{name} {why}; log.txt says where" for name, why in hung.items())
    return [_Ended(Outcome({}, reason, {}), time.monotonic()) for reason in reasons]


def _why_hung(rank: _Rank, passed: Sequence[int]) -> str | None:
    if rank.still < _PATIENCE:
        return None
    seconds = _PATIENCE * _LOOK
    if rank.seen.status() == psutil.STATUS_STOPPED:
        return f"was stopped for {seconds:g} s (SIGSTOP?)"
    if rank.passed == min(passed) < max(passed):
        return f"hung: it did nothing for {seconds:g} s, and the others waited for it"
    return None


def _look(rank: _Rank, passed: int, looks: float) -> None:
    """Sees whether a rank has moved since the last look, or the processes that help it have.

    Args:
        looks: how many would have fitted in the time since the last, at least one.
    """
    idle = _IDLE * looks
    busy = _cpu_seconds(rank.seen)
    moved = passed != rank.passed or busy > rank.busy + idle
    rank.passed, rank.busy = passed, busy
    if not moved:  # only then, for it takes longer
        helpers = rank.seen.children(recursive=True)
        helped = sum(map(_cpu_seconds, helpers))
        moved = helped > rank.helped + idle or any(map(_waits_for_disk, [rank.seen, *helpers]))
        rank.helped = helped
    rank.still = 0 if moved else rank.still + 1


def _cpu_seconds(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        return sum(process.cpu_times()[:2])
    return 0.0


def _waits_for_disk(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() == psutil.STATUS_DISK_SLEEP)
    return False
