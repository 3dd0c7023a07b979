"""The process of one side: on which cores its threads are held."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cmx_bench.worker import turns

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system holds no thread on a core"
)


@pytest.mark.parametrize("tasks", ["/proc/self/task", "nothing"])
def test_a_process_is_held_on_cores_where_proc_is_hidden_too(
    tasks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "_TASKS", tmp_path / tasks)
    usable = os.sched_getaffinity(0)
    try:
        turns.hold({min(usable)})
        assert os.sched_getaffinity(0) == {min(usable)}
    finally:
        turns.hold(usable)
