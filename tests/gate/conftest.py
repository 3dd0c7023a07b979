"""Cells, pairs and sides that need no process."""

from __future__ import annotations

import math
import random
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.execute import interpreters
from cmx_bench.execute.interpreters import Server
from cmx_bench.gate import ab, code, pairs
from cmx_bench.gate.blocks import Block
from cmx_bench.gate.pairs import Pair

SETTING = Setting("ci", "cpu", "fp32", "nchw", "none", 2, 56, threads=1)
MACHINE = {"device_name": "A CPU", "cores": 2, "torch": "2.15"}
ENVIRONMENTS = ({"torch": "2.14"}, {"torch": "2.15"})


def cell_of(name: str, measure: str = "throughput") -> Cell:
    return Cell(Model(name, name.upper(), "net", "timm", name), measure, SETTING)


def plan_of(*names: str) -> Any:
    """A plan of the throughput of these models, on two devices."""
    suite = SimpleNamespace(name="tiny", timeout=60.0)
    return SimpleNamespace(
        cells=tuple(cell_of(name) for name in names), devices=2, machine=MACHINE,
        suite_file=SimpleNamespace(suite=suite),
    )  # fmt: skip


def pair_of(name: str, log_ratio: float, seconds: float = 0.02) -> Pair:
    """A pair whose head takes `exp(log_ratio)` times as long as base."""
    head = seconds * math.exp(log_ratio)
    block = Block(True, (seconds, seconds), (head, head))
    return Pair(cell_of(name).key, 1, [0], (block,) * 3, ENVIRONMENTS, 3.0)


def normal(mean: Callable[[str, int], float], spread: float) -> Callable[[str, int], float]:
    """Log-ratios for `stand_in_pairs`. Each model and number of layers has a sequence of its own,
    for gates draw the order of pairs by lot."""
    lots: dict[tuple[str, int], random.Random] = {}

    def answer(name: str, layers: int) -> float:
        rng = lots.setdefault((name, layers), random.Random(f"{name}/{layers}"))
        return rng.gauss(mean(name, layers), spread)

    return answer


def stand_in_processes(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[Any, Any], Any]
) -> tuple[Server, Server]:
    """Servers of both sides, whose processes answer as a function of a worker and an order; where
    that does not say what ran, other code did on each side."""

    def answer(worker: Any, order: Any) -> dict[str, Any]:
        ran: dict[str, dict[str, str]] = {part: {} for part in code._PARTS}
        ran["versions"] = {"net": worker.side.name}
        return {"details": {}, "environment": {}, "sources": ran} | ask(worker, order)

    monkeypatch.setattr(interpreters, "process", lambda *_: nullcontext())
    monkeypatch.setattr(pairs, "ask", answer)
    base, head = (Server(name, socket.socket(), Path("log")) for name in ("base", "head"))
    return base, head


@pytest.fixture
def stand_in_pairs(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Puts a function of model and extra layers in the place of measuring.

    It gives the log-ratio of the next pair, or raises. Returns the models in the order in which
    they were measured, with a "|" for each new pair of servers.
    """

    def install(answer: Callable[[str, int], float]) -> list[str]:
        names: list[str] = []

        def measure(cell: Cell, base: Any, head: Any, rng: random.Random, layers: int = 0) -> Pair:
            names.append(cell.model.name)
            return pair_of(cell.model.name, answer(cell.model.name, layers))

        @contextmanager
        def both(
            paths: Mapping[str, str], log: Path, timeout: float, shared: Path
        ) -> Iterator[tuple[None, None]]:
            names.append("|")
            yield None, None

        monkeypatch.setattr(pairs, "measure", measure)
        monkeypatch.setattr(ab, "both", both)
        monkeypatch.setattr(code, "trace", lambda *_: None)
        return names

    return install
