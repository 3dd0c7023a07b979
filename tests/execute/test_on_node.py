"""What an agent tells and keeps, without Ray around it; tests/execute/test_on_ray.py has agents."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import cmx_bench
from cmx_bench.execute import on_node
from cmx_bench.execute.on_node import Agent
from cmx_bench.results import runfolder


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """One in this process, which Ray has not begun."""
    monkeypatch.setattr(on_node, "_undo_ray", lambda: None)
    monkeypatch.setattr(on_node, "end_with", lambda parent: None)
    monkeypatch.chdir(tmp_path)
    return Agent(tmp_path)


def test_software_is_that_of_the_code_that_runs() -> None:
    facts = on_node.facts()
    assert facts.versions["cmx-bench"] == cmx_bench.__version__
    assert {"torch", "timm"} <= facts.versions.keys()
    assert facts == on_node.facts()
    assert len(facts.code) == 12


def test_devices_of_equal_hardware_are_told_alike() -> None:
    devices = on_node._devices()
    assert devices == on_node._devices()
    assert devices["cpu"].startswith(f"{os.cpu_count()} ")
    assert devices["cuda"].startswith(devices["cpu"])


def test_what_a_node_lacks_is_named(agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "own.py").touch()
    there, nowhere = tmp_path / "own.py", tmp_path / "images"
    assert agent.missing([there, nowhere], ["own", "torch", "no_such_module"]) == [
        str(nowhere), "module no_such_module",
    ]  # fmt: skip


def test_results_are_sent_once_and_again_where_they_changed(tmp_path: Path) -> None:
    runfolder.write_files(tmp_path, {"predictions/m.npz": b"1", "trained/m.state.pt": b"state"})
    before: dict[str, int] = {}
    assert dict(on_node._new_in(tmp_path, before)) == {"predictions/m.npz": b"1"}
    assert dict(on_node._new_in(tmp_path, before)) == {}
    path = tmp_path / "predictions/m.npz"
    path.write_bytes(b"2")
    os.utime(path, ns=(0, before["predictions/m.npz"] + 1))
    assert dict(on_node._new_in(tmp_path, before)) == {"predictions/m.npz": b"2"}


def test_of_a_log_what_is_new_is_sent_and_at_most_its_end(
    agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log.txt"
    assert agent._new_in_log(log) == b""
    log.write_bytes(b"first ")
    assert agent._new_in_log(log) == b"first "
    log.write_bytes(b"first second")
    assert agent._new_in_log(log) == b"second"
    monkeypatch.setattr(on_node, "_MOST_OF_A_LOG", 4)
    log.write_bytes(b"first second and more")
    assert agent._new_in_log(log) == b"more"
