"""Runs in a fresh process of one side: builds a model, then times passes as the driver asks."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import compiled, runtimes, taking
from cmx_bench.measures import forward as forwards
from cmx_bench.measures.forward import Forward
from cmx_bench.measures.probes import look_for
from cmx_bench.measures.ready import prepare, prepare_module
from cmx_bench.measures.timing import elapsed, rest, warm_up
from cmx_bench.measures.waiting import Moment, seconds, stopwatch
from cmx_bench.models.building import build, origin
from cmx_bench.worker import machine, sources
from cmx_bench.worker.job import LOOK
from cmx_bench.worker.sampling import print_error, reason_of

# Shorter than for a throughput: turns are compared with each other, and both sides are as warm.
_WARM_UP_SECONDS = (0.2, 0.5)
_TASKS = Path("/proc/self/task")
_HUNG_UP = (EOFError, BrokenPipeError, ConnectionResetError)


def serve(driver: Connection) -> None:
    """Carries out one order; one for timing lasts until the driver hangs up.

    Orders and answers are plain dictionaries and numbers, so that versions of this package can be
    compared with each other.
    """
    with suppress(*_HUNG_UP):
        order = driver.recv()
        try:
            setting, model = Setting(**order["setting"]), Model(**order["model"])
        except TypeError as error:
            driver.send({"reason": f"this version of cmx-bench has other models: {error}"})
            return
        try:
            forwards.apply_flags(setting)
            if "trace" in order:
                driver.send(_trace(order, model, setting))
            else:
                _time(order, model, setting, driver)
        except _HUNG_UP:
            raise
        except BaseException as error:  # whatever a model does fails its cell, and no more
            print_error(error)
            driver.send({"reason": reason_of(error, setting)})


def _time(order: Mapping[str, Any], model: Model, setting: Setting, driver: Connection) -> None:
    """Answers with the environment and the seconds of a pass; then carries out what is asked.

    A number of passes is answered with the seconds that they took, on a CPU less the waiting for a
    core; `{"cores": [1]}` when all threads are held on them, `LOOK` with the conditions at the
    moment.
    """
    environment = machine.capture(setting.device, setting)
    if order["cores"]:
        hold(order["cores"])
    compiled.share(f"{model.name}/{setting.key}")
    built = with_extra_layers(build(model, setting.image_size), order["extra_layers"])
    placed = forwards.place(built, setting)
    forward = prepare_module(placed, setting, model).forward
    look = look_for(setting)
    look()  # what it does once must not let a GPU cool down between warm-up and first turn
    passes = warm_up(forward, setting.device, _WARM_UP_SECONDS)
    forwards.compilation(model, setting)
    timed: Callable[[int], float] = partial(elapsed, forward, device=setting.device)
    if setting.kind == "cpu":
        timed = partial(_time_on_cpu, forward, now=stopwatch())
    driver.send(
        {"environment": environment, "pass_seconds": min(passes[1:]), "origin": origin(model)}
    )
    while True:
        asked = driver.recv()
        if asked == LOOK:
            driver.send(look())
        elif isinstance(asked, int):
            driver.send(_turn(setting, timed, asked))
        else:
            hold(asked["cores"])
            driver.send({})


def _turn(setting: Setting, timed: Callable[[int], float], passes: int) -> float:
    """The seconds that a turn took, told when the other side may begin its own."""
    seconds_taken = timed(passes)
    if setting.runtime != "torch":  # whose threads spin on the cores that the other side needs
        rest()
    return seconds_taken


def _time_on_cpu(forward: Forward, passes: int, now: Callable[[], Moment]) -> float:
    """Seconds for so many passes on a CPU, less those for which others had the core."""
    begin = now()
    for _ in range(passes):
        forward()
    return seconds(begin, now())


def hold(cores: Collection[int]) -> None:
    """Holds every thread of this process on these cores; those that begin later inherit that. Where
    /proc is hidden, that is this thread alone and those that it begins."""
    threads = [int(task.name) for task in _TASKS.iterdir()] if _TASKS.is_dir() else [0]
    for thread in threads:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(thread, cores)


def _trace(order: Mapping[str, Any], model: Model, setting: Setting) -> dict[str, Any]:
    """What a measure gives, and the files that ran for it; where none is asked for, those that ran
    to make the model and have it pass once."""
    environment = machine.capture(setting.device, setting)
    measured: dict[str, Any] = {"values": {}}
    with sources.tracing() as traced:
        if "measure" in order:
            measured = _measure(order, model, setting)
        else:
            # As `_time` does, but eagerly: what is compiled runs no code of the model's. The
            # package of another runtime is imported, which loads its libraries: an export takes
            # too long when traced.
            if setting.runtime != "torch":
                runtimes.functions(setting.runtime)
            eager = replace(setting, compile="none", freeze=False, runtime="torch")
            elapsed(prepare(model, eager).forward, 1, setting.device)
    return {**measured, "environment": environment, "sources": sources.describe(traced)}


def _measure(order: Mapping[str, Any], model: Model, setting: Setting) -> dict[str, Any]:
    """What a measure gives: samples, and what else belongs to them."""
    taken = taking.take(order["measure"], model, setting)
    return {"values": taken.values, "details": taken.details}


def with_extra_layers(model: nn.Module, layers: int) -> nn.Module:
    """`model` made slower by so many small convolutions; itself where there are none."""
    return _ExtraLayers(model, layers) if layers else model


class _ExtraLayers(nn.Module):
    """A model that also passes a corner of its first image through convolutions."""

    def __init__(self, model: nn.Module, layers: int) -> None:
        super().__init__()
        self.model = model
        self.layers = nn.Sequential(*(nn.Conv2d(16, 16, 3, padding=1) for _ in range(layers)))

    def forward(self, images: Tensor) -> Tensor:
        added = self.layers(images[:1, :1, :24, :24].expand(-1, 16, -1, -1)).mean()
        output: Tensor = self.model(images) + 0 * added
        return output
