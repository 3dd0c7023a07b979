"""What a GPU says, by stand-ins for nvidia-ml-py."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import pytest

from cmx_bench.measures import nvml


class NvmlError(Exception):
    pass


class NvmlLibraryMismatchError(Exception):
    pass


def stand_in(pids: list[int] | None, reasons: dict[str, int]) -> ModuleType:
    """A stand-in for nvidia-ml-py. The driver lacks the functions of the names that are not in
    `reasons`, and of the processes where `pids` is None."""
    module = ModuleType("pynvml")

    def missing(handle: object) -> int:
        raise NvmlError("Function Not Found")

    def mismatch(handle: object) -> None:
        raise NvmlLibraryMismatchError("use a versioned function")

    def known(value: int) -> object:
        return lambda handle: value

    module.__dict__.update(
        NVMLError=NvmlError,
        NVML_CLOCK_SM=1,
        nvmlDeviceGetClockInfo=lambda handle, kind: 1410,
        nvmlDeviceGetComputeRunningProcesses=mismatch,  # what it raises with an older driver
        nvmlDeviceGetComputeRunningProcesses_v3=(
            (lambda handle: [SimpleNamespace(pid=pid) for pid in pids])
            if pids is not None
            else missing
        ),
        nvmlDeviceGetCurrentClocksEventReasons=missing,
    )
    for name, value in reasons.items():
        setattr(module, f"nvmlDeviceGetCurrentClocks{name}Reasons", known(value))
    return module


@pytest.mark.parametrize("name", ["Event", "Throttle"])
def test_a_gpu_under_either_name(name: str) -> None:
    assert nvml.gpu_reading(stand_in([7, 8, 8], {name: 0x44}), None) == {
        "gpu_sm_clock": 1.41e9,
        "gpu_clock_reasons": 0x44,
        "gpu_foreign_processes": 1,
    }


@pytest.mark.parametrize("pids", [[], None])
def test_what_a_gpu_does_not_tell_is_left_out(pids: list[int] | None) -> None:
    assert nvml.gpu_reading(stand_in(pids, {}), None) == {"gpu_sm_clock": 1.41e9}


def test_an_older_nvidia_ml_py_lacks_the_name() -> None:
    older = stand_in([7], {})
    del older.__dict__["nvmlDeviceGetComputeRunningProcesses_v3"]
    assert nvml.gpu_reading(older, None) == {"gpu_sm_clock": 1.41e9}
