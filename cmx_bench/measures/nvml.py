"""What NVML tells of a GPU: its clock, what holds it back, who else is there, heat and energy."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType

import torch

from cmx_bench.measures.conditions import Reading


def opened(device: str) -> tuple[ModuleType, object] | None:
    """NVML and its handle of a GPU; None without nvidia-ml-py or with a silent driver."""
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return None
    uuid = str(torch.cuda.get_device_properties(device).uuid).removeprefix("GPU-")
    try:
        nvml.nvmlInit()
        return nvml, nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except nvml.NVMLError:
        return None


def reader(device: str) -> Callable[[], Reading]:
    """Reads a GPU's clock and company; nothing where NVML is silent."""
    found = opened(device)
    return dict if found is None else lambda: gpu_reading(*found)


def joules(device: str) -> float | None:
    """What a GPU has used since its driver was loaded; None where NVML does not count it, as on
    GPUs before Volta and on parts of one (MIG)."""
    if (found := opened(device)) is None:
        return None
    nvml, handle = found
    with suppress(nvml.NVMLError):
        return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000
    return None


def celsius(device: str) -> float | None:
    """How warm a GPU is; None where NVML does not tell."""
    if (found := opened(device)) is None:
        return None
    nvml, handle = found
    with suppress(nvml.NVMLError):
        return float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
    return None


# The driver's older name for the same; the newer one came with nvidia-ml-py 12.535.
_CLOCK_REASONS = (
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlDeviceGetCurrentClocksThrottleReasons",
)


def gpu_reading(nvml: ModuleType, handle: object) -> Reading:
    """What NVML tells of a GPU on which this process computes.

    Processes are only counted: in a container NVML may give the host's process numbers, among which
    ours is unknown, but one of those listed is this process. An empty list, which some containers
    get, therefore tells nothing.
    """
    reading: dict[str, float] = {}
    with suppress(nvml.NVMLError):
        reading["gpu_sm_clock"] = 1e6 * nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)
    for name in _CLOCK_REASONS:
        with suppress(nvml.NVMLError, AttributeError):
            reading["gpu_clock_reasons"] = getattr(nvml, name)(handle)
            break
    # The name without a version raises an error of another kind under an older driver.
    with suppress(nvml.NVMLError, AttributeError):
        if numbers := {one.pid for one in nvml.nvmlDeviceGetComputeRunningProcesses_v3(handle)}:
            reading["gpu_foreign_processes"] = len(numbers) - 1
    return reading
