"""Plans that are quickly run, and a watch that says nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.datasets import open_dataset, rgb
from cmx_bench.execute import opening, runner
from cmx_bench.execute.outlook import continuing
from cmx_bench.execute.runner import Watch
from cmx_bench.plan import Plan, making
from cmx_bench.results.records import Record
from cmx_bench.spec import suite
from cmx_bench.spec.suite import SuiteFile
from cmx_bench.worker.job import Executor, Job, Outcome

from ..conftest import CPU, TINY, StandIn
from ..plan.conftest import tried_once

__all__ = ["tried_once"]


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of digits: 48 to learn from, 24 to evaluate on, each in its class's folder."""
    root = tmp_path_factory.mktemp("few")
    for split, part, count in (("train", "train", 48), ("validation", "val", 24)):
        for item in islice(open_dataset("digits", None, split).items(), count):  # type: ignore[arg-type]
            file = root / part / str(item.label) / f"{item.key}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            rgb(item).save(file)
    return root


@pytest.fixture
def tiny_plan(tiny: SuiteFile, cpu: dict[str, Any]) -> Plan:
    return making.make(tiny, cpu)


@pytest.fixture
def tiny_five(write_suite: Callable[[str], Path], cpu: dict[str, Any]) -> Plan:
    """TINY with five processes for each timing."""
    return making.make(suite.load(str(write_suite(TINY.replace("cates: 3", "cates: 5")))), cpu)


def silent(job: Job, record: Record | None) -> None:
    pass


def measure(
    plan: Plan, folder: Path, executor: Executor, watch: Watch = silent, **more: Any
) -> list[Record]:
    """Measures what the folder lacks for a plan."""
    with continuing(plan, folder) as outlook:
        return runner.run(outlook, folder, executor, watch, **more)


def open_folder(plan: Plan, tmp_path: Path, out: Path | None = None, fresh: bool = False) -> Path:
    return opening.open_run(plan, tmp_path / "reports", out, fresh, "the command")


@pytest.fixture
def precise(write_suite: Callable[[str], Path], cpu: dict[str, Any]) -> Callable[..., Plan]:
    """A plan of TINY that wants a precision; the timings are those of `noisy`."""

    def make(precision: str, replicates: int = 3) -> Plan:
        text = TINY.replace("replicates: 3", f"replicates: {replicates}\nprecision: {precision}")
        return making.make(suite.load(str(write_suite(text))), cpu)

    return make


def noisy(job: Job) -> Outcome:
    """One model is steady, the other's processes differ by a tenth."""
    spread = 10.0 if job.cell.model.name == "net" else 0.001
    value = 100.0 + spread * (job.replicate % 2)
    return Outcome({job.cell.measure: [value]}, "", CPU)


def processes(executor: StandIn) -> dict[str, int]:
    keys = [key for key, _ in executor.seen if "/throughput/" in key]
    return {name: sum(key.startswith(name) for key in keys) for name in ("mixer", "net")}
