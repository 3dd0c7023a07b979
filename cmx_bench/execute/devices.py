"""Several devices of this machine, each a slot. A process for each device does the work."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from cmx_bench.cell import Setting
from cmx_bench.errors import CmxError
from cmx_bench.execute import interpreters, learners, on_device, rounds, slots
from cmx_bench.execute.on_device import Order, Work
from cmx_bench.execute.slots import Opening, Slot, SlotLostError, Tell
from cmx_bench.measures import compiled
from cmx_bench.spec import disk
from cmx_bench.worker import lookup, scratch
from cmx_bench.worker.job import EvaluationJob, Evaluator, Executor, Heard, Job, Place, Round
from cmx_bench.worker.local import LostError

# Not by -m: it would unpickle orders of other classes than those of its own module, `__main__`.
_PROGRAM = f"import sys, {on_device.__name__} as it; it.main(*sys.argv[1:])"


@contextmanager
def engaging(
    places: Sequence[Place], tell: Callable[[str], None]
) -> Iterator[tuple[Executor, Evaluator]]:
    """What executes and evaluates on several devices of this machine side by side; where none are
    named, on the one of the plan.

    Args:
        tell: hears of devices that are left out of a round, in a line each.
    """
    if not places:
        yield rounds.execute, learners.evaluate
        return
    with opening(places, tell) as opened:
        yield partial(slots.execute, opened), partial(slots.evaluate, opened)


@contextmanager
def opening(places: Sequence[Place], tell: Callable[[str], None]) -> Iterator[Opening]:
    """What opens slots on several devices of this machine, a slot a device; `tell` as above."""
    with compiled.folder(scratch.folder()) as shared:
        beside = [_Beside(place) for place in places]
        try:
            yield partial(_opening, beside, compiled.variables(shared), tell)
        except BaseException:  # whoever is in a hurry waits for nothing that is under way
            for each in beside:
                each.kill()
            raise
        finally:
            for each in beside:
                each.end()


@contextmanager
def _opening(
    beside: Sequence[_Beside], variables: Mapping[str, str], tell: Callable[[str], None],
    this: Round,
) -> Iterator[Sequence[Slot]]:  # fmt: skip
    ready = _ready(_choose(beside, this.jobs), this, variables, tell)
    try:
        yield ready
    except BaseException:
        for each in ready:
            each.kill()
        raise
    wait([each.ask(Work.close) for each in ready])


def _choose(beside: Sequence[_Beside], jobs: Sequence[Job]) -> list[_Beside]:
    """At most one device a job, of a kind that takes it. Which of them gets what is a matter of
    chance, so that intervals over processes hold how the devices differ."""
    free, chosen = random.sample(beside, len(beside)), list[_Beside]()
    for job in jobs:
        taker = next((each for each in free if each.takes(job.cell.setting)), None)
        if taker is not None:
            free.remove(taker)
            chosen.append(taker)
    return chosen


def _ready(
    chosen: Sequence[_Beside], this: Round, variables: Mapping[str, str],
    tell: Callable[[str], None],
) -> list[_Beside]:  # fmt: skip
    """Those that are ready for a round; one that is not is begun anew, once.

    Raises:
        CmxError: none is.
    """
    asked = {each: each.open(this, variables) for each in chosen}
    wait(asked.values())
    again = {each: each.open(this, variables) for each, future in asked.items()
             if future.exception()}  # fmt: skip
    wait(again.values())
    errors = {each: error for each, future in (asked | again).items()
              if (error := future.exception()) is not None}  # fmt: skip
    for each, error in errors.items():
        if not isinstance(error, SlotLostError | LostError) or len(errors) == len(chosen):
            raise error
        tell(f"{each.name} is left out of this round: {error}")
    return [each for each in chosen if each not in errors]


class _Beside:
    """A process beside a device, begun when it is first needed and again where it was lost; a
    `Slot`. A thread waits for its answers."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._pool = ThreadPoolExecutor(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._log = Path(os.devnull)

    @property
    def name(self) -> str:
        """As `--device` names it."""
        return self._place.device

    def takes(self, setting: Setting) -> bool:
        """Whether the device is of the setting's kind."""
        is_of_kind = setting.hardware in ("", self._place.hardware)
        return is_of_kind and setting.kind == self.name.partition(":")[0]

    def carry_out(self, order: Job | EvaluationJob, timeout: float, tell: Tell) -> Future[None]:
        """Executes a job on the device, or evaluates there, into the job's folder itself."""
        cells = [order.cell] if isinstance(order, Job) else list(order.cells)
        mine = [replace(cell, setting=replace(cell.setting, device=self.name)) for cell in cells]
        here: Job | EvaluationJob = (
            replace(order, cell=mine[0]) if isinstance(order, Job) else replace(order, cells=mine)
        )
        asked = {cell.key: cell for cell in cells}

        def hear(said: Heard) -> None:
            tell((asked[said[0].key], said[1]) if isinstance(said, tuple) else said)

        return self.ask(partial(Work.carry_out, order=here, timeout=timeout), hear)

    def open(self, this: Round, variables: Mapping[str, str]) -> Future[None]:
        """Begins a round, and the process where there is none."""
        log = this.jobs[0].log
        if self._process is None or self._process.poll() is not None:
            self._begin(log)
        return self.ask(partial(Work.open, repeated=this.repeated, log=log, variables=variables))

    def ask(self, order: Order, hear: Tell = lambda _: None) -> Future[None]:
        """Begins to have an order carried out; `hear` hears what the process says of it, and the
        future may raise `SlotLostError`."""
        return self._pool.submit(self._answer, order, hear)

    def kill(self) -> None:
        """Ends the process, and so all that it began."""
        if self._process is not None:
            self._process.kill()

    def end(self) -> None:
        """Lets the process end, where it has nothing to do any more."""
        self._pool.shutdown()  # its thread waits for nothing, or for a process that was killed
        if self._process is not None and self._pipe is not None:
            self._pipe.close()
            interpreters.await_end(self._process)

    def _begin(self, log: Path) -> None:
        if self._pipe is not None:
            self._pipe.close()
        self._log = log
        ours, theirs = Pipe()
        cores = ",".join(map(str, self._place.cores))
        variables = {**lookup.variables(lookup.import_path()), **scratch.variables()}
        with theirs, disk.writing(log), disk.appending(log) as output:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), cores],
                pass_fds=[theirs.fileno()], env=os.environ | variables,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        self._pipe = ours

    def _answer(self, order: Order, hear: Tell) -> None:
        assert self._pipe is not None
        try:
            self._pipe.send(order)
            while (said := self._pipe.recv()) is not None:
                if isinstance(said, CmxError):
                    raise said
                hear(said)
        except (EOFError, OSError):
            raise SlotLostError(f"the process of {self.name} was lost; see {self._log}") from None
