"""The process of one side: what it tells of its code, on which cores its threads are held."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from cmx_bench.cell import Model, Runtime, Setting
from cmx_bench.worker import local, turns

MIXER = Model("m", "M", "mixer", "mixer", "", {"dim": 8, "depth": 1, "patch_size": 7})
SETTING = Setting("s", "cpu", "fp32", "nchw", "none", 1, 14, threads=1)


@pytest.mark.parametrize("runtime", ["torch", "aotinductor", "onnxruntime", "openvino"])
def test_the_code_of_a_runtime_is_told(runtime: Runtime) -> None:
    """Else two sides with two versions of it would pass for the same."""
    package = "torch" if runtime == "aotinductor" else runtime
    pytest.importorskip(package)
    setting = replace(SETTING, runtime=runtime)
    sources = local.call("cmx_bench.worker.turns:_trace", {}, MIXER, setting)["sources"]
    ours = {file for file in sources["files"] if file.startswith("cmx_bench/measures/runtimes/")}
    of_runtime = set() if runtime == "torch" else {f"cmx_bench/measures/runtimes/{runtime}.py"}
    assert ours - {"cmx_bench/measures/runtimes/__init__.py"} == of_runtime
    assert package in sources["versions"]


on_linux = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system holds no thread on a core"
)


@on_linux
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


@pytest.mark.parametrize(("runtime", "rests"), [("torch", 0), ("onnxruntime", 1)])
def test_a_turn_ends_when_the_threads_of_a_runtime_rest(
    runtime: Runtime, rests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other side's turn begins with the answer."""
    rest = Mock()
    monkeypatch.setattr(turns, "rest", rest)
    assert turns._turn(replace(SETTING, runtime=runtime), lambda passes: 2.0 * passes, 3) == 6.0
    assert rest.call_count == rests
