"""What a GPU says, by stand-ins for nvidia-ml-py."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from cmx_bench.measures import nvml

UUID = "8e5b4f0e-0000-1111-2222-333344445555"


class NvmlError(Exception):
    pass


class NvmlNotFoundError(NvmlError):
    pass


def lack(*_: object) -> Any:
    raise NvmlError("Function Not Found")


def stand_in(**functions: Any) -> ModuleType:
    """A stand-in for nvidia-ml-py; the driver lacks the functions that are `missing`."""
    module = ModuleType("pynvml")
    module.__dict__.update(
        NVMLError=NvmlError,
        NVMLError_NotFound=NvmlNotFoundError,
        NVML_CLOCK_SM=1,
        NVML_TEMPERATURE_GPU=0,
        NVML_PERF_POLICY_POWER=0,
        NVML_PERF_POLICY_THERMAL=1,
        nvmlInit=lambda: None,
        nvmlSystemGetDriverVersion=lambda: "580.1",
        nvmlDeviceGetHandleByUUID={f"GPU-{UUID}": "the GPU"}.__getitem__,
        nvmlDeviceGetMaxClockInfo=lambda gpu, clock: 1980,
        nvmlDeviceGetApplicationsClock=lack,
        nvmlDeviceGetEnforcedPowerLimit=lambda gpu: 350_000,
        nvmlDeviceGetEccMode=lambda gpu: [1, 1],
        nvmlDeviceGetMigMode=lambda gpu: [0, 0],
        nvmlDeviceGetPersistenceMode=lambda gpu: 1,
        nvmlDeviceGetComputeMode=lambda gpu: 3,
        nvmlDeviceGetCurrentClocksEventReasons=lambda gpu: 0x44,
        nvmlDeviceGetViolationStatus=lambda gpu, policy: SimpleNamespace(
            violationTime=(2_500_000_000, 0)[policy]
        ),
        nvmlDeviceGetTemperature=lambda gpu, sensor: 61,
        nvmlDeviceGetProcessUtilization=lambda gpu, newest: [],
    )
    module.__dict__.update(functions)
    return module


@pytest.fixture(autouse=True)
def properties(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid=UUID)
    )


def install(monkeypatch: pytest.MonkeyPatch, module: ModuleType | None) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", module)


HELD_BACK = {
    "gpu_clock_reasons": 0x44, "gpu_power_capped": 2.5, "gpu_heat_capped": 0.0,
    "gpu_temperature": 61,
}  # fmt: skip


def test_how_a_gpu_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, stand_in())
    assert nvml.facts("cuda:0") == {
        "driver": "580.1", "max_sm_clock_hz": 1_980_000_000, "power_limit_w": 350.0, "ecc": True,
        "mig": False, "persistence_mode": True, "compute_mode": 3,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["Event", "Throttle"])
def test_a_clocks_reasons_under_either_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    module = stand_in(nvmlDeviceGetCurrentClocksEventReasons=lack)
    setattr(module, f"nvmlDeviceGetCurrentClocks{name}Reasons", lambda gpu: 0x44)
    install(monkeypatch, module)
    assert nvml.reader("cuda:0")() == HELD_BACK | {"gpu_foreign_processes": 0}


def test_what_a_gpu_does_not_tell_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    module = stand_in(
        nvmlDeviceGetCurrentClocksEventReasons=lack,
        nvmlDeviceGetViolationStatus=lack,
        nvmlDeviceGetProcessUtilization=lack,
    )
    del module.__dict__["nvmlDeviceGetTemperature"]  # as an older nvidia-ml-py lacks some
    install(monkeypatch, module)
    assert nvml.reader("cuda:0")() == {}


def test_processes_that_compute_nothing_are_no_company(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look counts those of the samples since the last one; 7 is this process."""
    taken = [(7, 10, 90), (8, 10, 0), (7, 20, 60), (8, 20, 30), (9, 20, 5)]

    def samples(gpu: object, newest: int) -> list[SimpleNamespace]:
        assert gpu == "the GPU"
        newer = [SimpleNamespace(pid=pid, timeStamp=time, smUtil=share)
                 for pid, time, share in taken if newest < time <= now[0]]  # fmt: skip
        if not newer:
            raise NvmlNotFoundError("Not Found")
        return newer

    install(monkeypatch, stand_in(nvmlDeviceGetProcessUtilization=samples))
    read = nvml.reader("cuda:0")
    now, counts = [0], []
    for now[0] in (10, 20, 30):
        counts.append(read()["gpu_foreign_processes"])
    assert counts == [0, 2, 0]


def test_a_mig_instance_is_asked_about_as_its_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def handle(uuid: str) -> str:
        if uuid != f"MIG-{UUID}":
            raise NvmlNotFoundError("Not Found")
        return "an instance"

    module = stand_in(
        nvmlDeviceGetHandleByUUID=handle,
        nvmlDeviceGetDeviceHandleFromMigDeviceHandle={"an instance": "the GPU"}.__getitem__,
    )
    install(monkeypatch, module)
    assert nvml.open_device("cuda:0") == (module, "the GPU")


@pytest.mark.parametrize("silent", [None, stand_in(nvmlInit=lack)])
def test_without_nvidia_ml_py_or_a_driver_that_answers(
    monkeypatch: pytest.MonkeyPatch, silent: ModuleType | None
) -> None:
    install(monkeypatch, silent)
    assert nvml.facts("cuda:0") == {}
    assert nvml.reader("cuda:0")() == {}
