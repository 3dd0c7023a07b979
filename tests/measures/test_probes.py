"""Probes of a made-up system, and of this one."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
import torch

from cmx_bench.cell import Runtime, Setting
from cmx_bench.measures import conditions, probes

from .events import note_events

JIFFY = 1 / os.sysconf("SC_CLK_TCK")


def write_files(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_system_that_tells_nothing(tmp_path: Path) -> None:
    assert probes._system(tmp_path)().keys() == {"clock", "own_seconds"}


def test_a_system_that_tells_half(tmp_path: Path) -> None:
    """As sandboxes do: the files are there, and empty or short."""
    root = write_files(tmp_path, {
        "proc/stat": "", "proc/self/task/7/schedstat": "0\n", "proc/self/cgroup": "\n",
        "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "",
    })  # fmt: skip
    assert probes._system(root)().keys() == {"clock", "own_seconds"}


def test_a_systems_counters_become_covariates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heat = "sys/devices/system/cpu/cpu{}/thermal_throttle/core_throttle_count"
    root = write_files(tmp_path, {
        "proc/stat": "cpu 100 0 0 500 0 0 0 3\n",
        "proc/self/task/7/schedstat": "9 1000000000 3\n",
        "proc/self/task/8/schedstat": "9 500000000 3\n",
        "proc/self/cgroup": "0::/a/b\n",
        "sys/fs/cgroup/a/b/cpu.stat": "usage_usec 9\nthrottled_usec 1000000\n",
        "sys/fs/cgroup/a/cpu.stat": "usage_usec 9\nthrottled_usec 500000\n",
        "sys/fs/cgroup/cpu.stat": "usage_usec 9\n",
        heat.format(0): "4\n", heat.format(1): "5\n",
    })  # fmt: skip
    now = [0.0, 0.0]
    monkeypatch.setattr(probes.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(probes.time, "process_time", lambda: now[1])
    read = probes._system(root)
    before = read()
    write_files(root, {
        "proc/stat": "cpu 300 0 0 680 0 0 0 23\n",
        "proc/self/task/8/schedstat": "9 600000000 4\n",
        "sys/fs/cgroup/a/cpu.stat": "usage_usec 9\nthrottled_usec 750000\n",
        heat.format(1): "6\n",
    })  # fmt: skip
    now[:] = [200 * JIFFY, 150 * JIFFY]
    [block] = conditions.covariates([before, read()])
    assert block == {
        "steal": pytest.approx(20 / 400),
        "foreign_load": pytest.approx(0.25),  # 200 jiffies busy, 150 by this process, of 200
        "idle_cores": pytest.approx(0.9),  # 180 jiffies of 200
        "waiting": pytest.approx(0.1 / (200 * JIFFY)),
        "throttled": pytest.approx(0.25),
        "thermal_throttles": 1,
    }


@pytest.mark.parametrize(
    ("cgroup", "file", "text"),
    [
        ("2:cpu,cpuacct:/\n1:name=systemd:/\n", "cpu/cpu.stat", "throttled_time 2000000000"),
        ("2:cpu:/x\n", "cpu/x/cpu.stat", "throttled_time 2000000000"),
        ("0::/docker/as-the-host-sees-it\n", "cpu.stat", "throttled_usec 2000000"),
    ],
)
def test_limits_of_either_kind_of_control_group(
    tmp_path: Path, cgroup: str, file: str, text: str
) -> None:
    root = write_files(tmp_path, {"proc/self/cgroup": cgroup, f"sys/fs/cgroup/{file}": f"{text}\n"})
    assert probes._system(root)()["throttled"] == pytest.approx(2.0)


def test_a_control_group_without_limits_says_nothing(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/\n3:cpuset:/\n", "sys/fs/cgroup/cpu.stat": "usage_usec 1\n"}
    root = write_files(tmp_path, files | {"sys/fs/cgroup/cpuset/cpu.stat": "throttled_usec 5\n"})
    assert "throttled" not in probes._system(root)()


def test_this_process_can_be_read() -> None:
    look = probes.look_for(Setting("cpu", "cpu", "fp32", "nchw", "none", 1, 32))
    [block] = conditions.covariates([look(), look()])
    assert block["probe"] > 0
    assert 0 < block["core_speed"] <= 1


@pytest.mark.parametrize(
    ("runtime", "order"),
    [
        ("torch", ["system", "probe", "system"]),
        ("onnxruntime", ["system", "rest", "probe", "rest", "system"]),
    ],
)
def test_a_probe_and_the_threads_of_a_runtime_do_not_meet(
    runtime: Runtime, order: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its threads spin behind a block on the probe's cores, and torch's behind a probe."""
    asked: list[str] = []

    def note(name: str) -> dict[str, float]:
        asked.append(name)
        return {}

    monkeypatch.setattr(probes, "_system", lambda: partial(note, "system"))
    monkeypatch.setattr(probes, "_probe", lambda: partial(note, "probe"))
    monkeypatch.setattr(probes, "rest", partial(note, "rest"))
    probes.look_for(Setting("s", "cpu", "fp32", "nchw", "none", 1, 32, runtime=runtime))()
    assert asked == order


def test_what_passes_while_probing_is_no_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that waits for its cores says so by its own time."""
    now = {"clock": 10.0, "waited": 3.0}

    def pass_on(clock: float, waited: float) -> dict[str, float]:
        now["clock"] += clock
        now["waited"] += waited
        return {"probe": clock}

    monkeypatch.setattr(probes, "_system", lambda: lambda: dict(now))
    monkeypatch.setattr(probes, "_probe", lambda: lambda: pass_on(0.01, 0.005))
    look = probes.look_for(Setting("cpu", "cpu", "fp32", "nchw", "none", 1, 32))
    readings = [look()]
    for waited in (0.0, 0.02):
        pass_on(0.1, waited)
        readings.append(look())
    blocks = conditions.covariates(readings)
    assert [block["waiting"] for block in blocks] == pytest.approx([0.0, 0.2])


def test_a_gpus_clock_is_timed_behind_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for torch.cuda writes down what is launched and read, in order."""
    asked: list[object] = []

    def read() -> dict[str, float]:
        asked.append("NVML")
        return {"gpu_temperature": 61}

    def system() -> dict[str, float]:
        asked.append("system")
        return {"clock": 1.0}

    note_events(monkeypatch, asked, 1.25)
    monkeypatch.setattr(torch.cuda, "_sleep", asked.append)
    monkeypatch.setattr(probes.nvml, "reader", lambda device: read)
    monkeypatch.setattr(probes, "_system", lambda: system)
    look = probes.look_for(Setting("x", "cuda:0", "fp32", "nchw", "none", 1, 32))
    assert look() == {
        "gpu_temperature": 61, "probe": 0.00125, "gpu_sm_clock": 1.6e9, "clock": 1.0,
    }  # fmt: skip
    assert asked == [200_000, "record", 2_000_000, "record", "NVML", "wait", "system"]
