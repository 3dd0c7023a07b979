"""Tasks in several processes: results in order, and no waiting for one that was killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial

import pytest

from cmx_bench.errors import CmxError
from cmx_bench.gate.site import abreast
from cmx_bench.measures import jiffies


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abreast, "_MOST", 2)
    monkeypatch.setattr(jiffies, "usable_cores", lambda: 2)


def test_results_come_in_the_order_of_the_tasks() -> None:
    tasks = [partial(divmod, 100, number) for number in range(1, 9)]
    assert list(abreast.run_all(tasks)) == [divmod(100, number) for number in range(1, 9)]
    others = list(abreast.run_all([os.getpid, os.getpid]))
    assert os.getpid() not in others


def test_a_single_task_needs_no_process() -> None:
    assert list(abreast.run_all([os.getpid])) == [os.getpid()]


def test_a_process_that_is_killed_is_one_line() -> None:
    tasks: list[Callable[[], object]] = [
        partial(signal.raise_signal, signal.SIGKILL), os.getpid,
    ]  # fmt: skip
    with pytest.raises(CmxError, match=r"was killed \(out of memory\?\); the same command goes on"):
        list(abreast.run_all(tasks))
