"""What --device names, and which cores each of several devices gets."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from cmx_bench.errors import PlanError
from cmx_bench.measures import jiffies, nvml
from cmx_bench.worker import several
from cmx_bench.worker.job import Place

from .test_machine import gpus


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("auto", ("auto",)),
        ("cuda:3", ("cuda:3",)),
        ("cuda:all", ("cuda:all",)),
        ("cuda:2,0", ("cuda:2", "cuda:0")),
    ],
)
def test_what_a_device_names(device: str, expected: tuple[str, ...]) -> None:
    assert several.parse(device) == expected


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("cuda:0,1,0", "names cuda:0 twice; name it once"),
        ("cuda:0,", "expected auto, cpu, cuda, cuda:N, several as in cuda:0,1, or cuda:all"),
        ("cuda:0,cuda:1", "expected auto"),
        ("cpu:0,1", "expected auto"),
        ("cuda:0, 1", "expected auto"),
    ],
)
def test_what_names_no_devices(device: str, reason: str) -> None:
    with pytest.raises(PlanError, match=f"--device {device}: {reason}"):
        several.parse(device)


@pytest.fixture
def four(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, object]]:
    """What is captured of four GPUs, of which the last has another power limit."""
    gpus(monkeypatch, 4)
    facts: dict[str, dict[str, object]] = {
        f"cuda:{number}": {"device_uuid": f"GPU-{number}", "device_name": "A GPU",
                           "power_limit_w": 300.0 if number < 3 else 350.0}
        for number in range(4)
    }  # fmt: skip
    monkeypatch.setattr(several, "capture", facts.__getitem__)
    monkeypatch.setattr(nvml, "cores", lambda device: None)
    monkeypatch.setattr(jiffies.os, "sched_getaffinity", lambda process: set(range(8)))
    monkeypatch.setattr(jiffies, "system_text", lambda path: "")
    return facts


@pytest.mark.usefixtures("four")
def test_devices_of_one_kind() -> None:
    assert several.find("cuda:2,0") == (
        Place("cuda:2", "GPU-2", (0, 1, 2, 3)), Place("cuda:0", "GPU-0", (4, 5, 6, 7))
    )  # fmt: skip


@pytest.mark.usefixtures("four")
def test_devices_of_two_kinds() -> None:
    """That of the last one has another power limit."""
    assert [(place.device, place.hardware) for place in several.find("cuda:all")] == [
        *((f"cuda:{number}", "A GPU, power_limit_w 300.0") for number in range(3)),
        ("cuda:3", "A GPU, power_limit_w 350.0"),
    ]


@pytest.mark.usefixtures("four")
def test_a_device_that_is_not_there() -> None:
    with pytest.raises(
        PlanError,
        match="--device cuda:1,4: the last GPU of this machine is cuda:3; choose it, or try",
    ):
        several.find("cuda:1,4")


@pytest.mark.usefixtures("four")
def test_too_few_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jiffies.os, "sched_getaffinity", lambda process: {5})
    with pytest.raises(PlanError, match="--device cuda:0,1: 2 devices need a core each, and 1 are"):
        several.find("cuda:0,1")


def two_threads_a_core(system: Path) -> Path:
    """Eight logical cores: 0 and 4 are one core, and so on."""
    for thread in range(8):
        topology = system / f"cpu{thread}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{thread % 4},{thread % 4 + 4}\n")
    return system


def test_no_core_is_shared(tmp_path: Path) -> None:
    system = two_threads_a_core(tmp_path)
    assert several.share(range(8), [None] * 2, system) == [(0, 1, 4, 5), (2, 3, 6, 7)]
    assert several.share(range(8), [None] * 3, system) == [(0, 4), (1, 5), (2, 6)]


def test_near_cores_come_first(tmp_path: Path) -> None:
    """Three devices beside the first half: the third one takes what is left of the other."""
    system, near = two_threads_a_core(tmp_path), {2, 3, 6, 7}
    assert several.share(range(8), [near, near], system) == [(2, 3, 6, 7), (0, 1, 4, 5)]
    assert several.share(range(8), [near, near, near], system) == [(2, 6), (3, 7), (0, 4)]


def test_the_cores_beside_a_gpu_as_nvml_tells_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Error(Exception):
        pass

    def affinity(gpu: str, words: int) -> list[int]:
        assert words == 2
        return [0b1010, 1]

    module = SimpleNamespace(NVMLError=Error, nvmlDeviceGetCpuAffinity=affinity)
    monkeypatch.setattr(nvml, "open_device", lambda device: (module, "the GPU"))
    monkeypatch.setattr(nvml.os, "cpu_count", lambda: 96)
    assert nvml.cores("cuda:0") == {1, 3, 64}
    del module.nvmlDeviceGetCpuAffinity
    assert nvml.cores("cuda:0") is None
