"""Energy, by made-up counters: a system's files, and a stand-in for nvidia-ml-py."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import SkipError
from cmx_bench.measures import energy

MODEL = Model(
    "m", "M", "convmixer", "convmixer", "",
    {"dim": 8, "depth": 1, "kernel_size": 3, "patch_size": 7}, num_classes=10,
)  # fmt: skip
CPU = Setting("cpu", "cpu", "fp32", "nchw", "none", 4, 28)


def package(root: Path, zone: str, name: str, microjoules: int, size: int = 10_000_000) -> None:
    folder = root / zone
    folder.mkdir(parents=True, exist_ok=True)
    files = {"name": name, "energy_uj": microjoules, "max_energy_range_uj": size}
    for file, value in files.items():
        (folder / file).write_text(f"{value}\n")


def test_packages_are_added_and_their_parts_are_not(tmp_path: Path) -> None:
    package(tmp_path, "intel-rapl:0", "package-0", 1_000_000)
    package(tmp_path, "intel-rapl:0:0", "core", 500_000)
    package(tmp_path, "intel-rapl:0:2", "dram", 500_000)
    package(tmp_path, "intel-rapl:1", "package-1", 2_000_000)
    package(tmp_path, "intel-rapl:2", "psys", 9_000_000)
    package(tmp_path, "intel-rapl-mmio:0", "package-0", 1_000_000)
    used = energy.cpu_meter(tmp_path)()
    package(tmp_path, "intel-rapl:0", "package-0", 4_000_000)
    package(tmp_path, "intel-rapl:0:0", "core", 900_000)
    package(tmp_path, "intel-rapl:1", "package-1", 2_500_000)
    package(tmp_path, "intel-rapl:2", "psys", 9_900_000)
    package(tmp_path, "intel-rapl-mmio:0", "package-0", 4_000_000)
    assert used() == pytest.approx(3.5)


def test_a_counter_that_begins_anew(tmp_path: Path) -> None:
    package(tmp_path, "intel-rapl:0", "package-0", 9_500_000)
    package(tmp_path, "intel-rapl:1", "package-1", 1_000_000)
    used = energy.cpu_meter(tmp_path)()
    package(tmp_path, "intel-rapl:0", "package-0", 250_000)
    package(tmp_path, "intel-rapl:1", "package-1", 1_250_000)
    assert used() == pytest.approx(0.75 + 0.25)


@pytest.mark.parametrize("zones", [{}, {"intel-rapl:0": "psys"}])
def test_a_system_without_counters_is_skipped(tmp_path: Path, zones: dict[str, str]) -> None:
    for zone, name in zones.items():
        package(tmp_path, zone, name, 1)
    with pytest.raises(SkipError, match=r"counts no energy .*: measure on a machine that does"):
        energy.cpu_meter(tmp_path)


def test_counters_that_a_container_hides_are_skipped(tmp_path: Path) -> None:
    """Docker covers the folder that the links in /sys/class/powercap lead to."""
    (tmp_path / "intel-rapl:0").symlink_to(tmp_path / "hidden")
    with pytest.raises(SkipError, match="counts no energy"):
        energy.cpu_meter(tmp_path)
    package(tmp_path, "intel-rapl:1", "package-1", 1)
    (tmp_path / "intel-rapl:1" / "energy_uj").unlink()
    with pytest.raises(SkipError, match="cannot be read .*: measure on a machine where it can"):
        energy.cpu_meter(tmp_path)


def test_counters_for_root_alone_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "intel-rapl:0", "package-0", 1)
    read_text = Path.read_text

    def refuse(path: Path, **options: str) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return read_text(path, **options)

    monkeypatch.setattr(Path, "read_text", refuse)  # the tests may run as root
    with pytest.raises(SkipError, match=r": sudo chmod a\+r \S+/intel-rapl:\*/energy_uj$"):
        energy.cpu_meter(tmp_path)


class NvmlError(Exception):
    pass


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """nvidia-ml-py beside a GPU whose counter stands at 5, 6, 7 … J."""
    module = ModuleType("pynvml")
    joules = count(5)
    module.__dict__.update(
        NVMLError=NvmlError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: uuid,
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: 1000 * next(joules),
    )
    monkeypatch.setitem(sys.modules, "pynvml", module)
    properties = SimpleNamespace(uuid="1234")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    yield module


def test_a_gpu_counts_in_millijoules(gpu: ModuleType) -> None:
    used = energy.gpu_meter("cuda:0")()
    assert used() == 1.0
    assert used() == 2.0


def test_a_gpu_that_does_not_count_is_skipped(gpu: ModuleType) -> None:
    def refuse(handle: object) -> int:
        raise NvmlError("Not Supported")

    gpu.__dict__["nvmlDeviceGetTotalEnergyConsumption"] = refuse
    with pytest.raises(
        SkipError, match=r"not report the energy of this GPU: pip install 'cmx-bench\[nvidia\]'"
    ):
        energy.gpu_meter("cuda:0")


@pytest.fixture
def metered(monkeypatch: pytest.MonkeyPatch) -> Callable[[float, float], None]:
    """A processor that idles at so many watts and uses so many joules for a pass, which lasts
    0.1 s, on a machine that nobody disturbs."""

    def give(watts: float, joules: float) -> None:
        now, used = [0.0], [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds
            used[0] += watts * seconds

        def elapsed(forward: object, passes: int, device: str) -> float:
            used[0] += joules * passes
            return 0.1 * passes

        def begin() -> Callable[[], float]:
            before = used[0]
            return lambda: used[0] - before

        monkeypatch.setattr(energy, "cpu_meter", lambda: begin)
        monkeypatch.setattr(
            energy, "time", SimpleNamespace(sleep=sleep, perf_counter=lambda: now[0])
        )
        monkeypatch.setattr(energy, "elapsed", elapsed)
        monkeypatch.setattr(energy, "warm_up", lambda forward, device: [3.0, 0.1, 0.1, 0.1])
        monkeypatch.setattr(energy, "look_for", lambda setting: lambda: {"probe": 1.0})

    return give


def test_joules_an_image_and_idle_power(metered: Callable[[float, float], None]) -> None:
    metered(50.0, 8.0)
    watched = energy.measure(MODEL, CPU)
    assert watched.values == {"energy": [pytest.approx(2.0)], "idle_power": [pytest.approx(50.0)]}
    assert watched.covariates == {"core_speed": [1.0], "disturbed": [0.0], "discarded": [0.0]}
    assert watched.discarded == {}


def test_whoever_is_there_beside_is_noted(
    metered: Callable[[float, float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counter counts for all: no block is left out for it, and the process is marked."""
    metered(50.0, 8.0)
    probes = iter([1.0, 2.0])
    monkeypatch.setattr(energy, "look_for", lambda setting: lambda: {"probe": next(probes)})
    watched = energy.measure(MODEL, CPU)
    assert watched.covariates == {"core_speed": [0.5], "disturbed": [1.0], "discarded": [0.0]}
    assert watched.values["energy"] == [pytest.approx(2.0)]
