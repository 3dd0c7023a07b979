"""NVML's facts of a GPU: set-up, heat, energy, what holds it back, and other processes on it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any, TypeAlias

import torch

from cmx_bench.measures.conditions import Reading

# By name, what asks nvidia-ml-py about a GPU's handle.
_Questions: TypeAlias = Mapping[str, Callable[[ModuleType, Any], Any]]

_WORD = 64  # bits of a word of a set of cores, an unsigned long

_FACTS: _Questions = {
    "driver": lambda nvml, _: str(nvml.nvmlSystemGetDriverVersion()),
    "max_sm_clock_hz": lambda nvml, gpu: (
        1_000_000 * nvml.nvmlDeviceGetMaxClockInfo(gpu, nvml.NVML_CLOCK_SM)
    ),
    "application_sm_clock_hz": lambda nvml, gpu: (
        1_000_000 * nvml.nvmlDeviceGetApplicationsClock(gpu, nvml.NVML_CLOCK_SM)
    ),
    "power_limit_w": lambda nvml, gpu: nvml.nvmlDeviceGetEnforcedPowerLimit(gpu) / 1000,
    "ecc": lambda nvml, gpu: bool(nvml.nvmlDeviceGetEccMode(gpu)[0]),
    "mig": lambda nvml, gpu: bool(nvml.nvmlDeviceGetMigMode(gpu)[0]),
    "persistence_mode": lambda nvml, gpu: bool(nvml.nvmlDeviceGetPersistenceMode(gpu)),
    "compute_mode": lambda nvml, gpu: int(nvml.nvmlDeviceGetComputeMode(gpu)),
}


def _clock_reasons(nvml: ModuleType, gpu: Any) -> int:
    """Since nvidia-ml-py 12.535 under a newer name, which older drivers do not know."""
    with suppress(nvml.NVMLError, AttributeError):
        return int(nvml.nvmlDeviceGetCurrentClocksEventReasons(gpu))
    return int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu))


_HELD_BACK: _Questions = {
    "gpu_clock_reasons": _clock_reasons,
    # Counters of the time for which a limit held the clock down, in nanoseconds.
    "gpu_power_capped": lambda nvml, gpu: (
        nvml.nvmlDeviceGetViolationStatus(gpu, nvml.NVML_PERF_POLICY_POWER).violationTime / 1e9
    ),
    "gpu_heat_capped": lambda nvml, gpu: (
        nvml.nvmlDeviceGetViolationStatus(gpu, nvml.NVML_PERF_POLICY_THERMAL).violationTime / 1e9
    ),
    "gpu_temperature": lambda nvml, gpu: nvml.nvmlDeviceGetTemperature(
        gpu, nvml.NVML_TEMPERATURE_GPU
    ),
}


def facts(device: str) -> dict[str, Any]:
    """Driver, limits and modes of a GPU, as far as NVML tells; `compute_mode` is NVML's number.

    No question of NVML is answered with a locked clock.
    """
    return _ask(device, _FACTS)


def reader(device: str) -> Callable[[], Reading]:
    """Reads what holds a GPU back and its company; nothing where NVML is silent."""
    if (handle := open_device(device)) is None:
        return dict
    nvml, gpu = handle
    newest = 0  # the time of the last sample of processes that was read, by the driver's clock

    def read() -> Reading:
        nonlocal newest
        reading: dict[str, float] = _answers(_HELD_BACK, nvml, gpu)
        with suppress(nvml.NVMLError, AttributeError):
            samples: Sequence[Any] = []
            with suppress(nvml.NVMLError_NotFound):  # no process has computed since
                samples = nvml.nvmlDeviceGetProcessUtilization(gpu, newest)
            newest = max([newest, *(sample.timeStamp for sample in samples)])
            # They are only counted: in a container NVML gives the host's process numbers, among
            # which ours is unknown, but one of those that compute is this process. One that holds
            # a context and computes nothing disturbs nobody.
            computing = {sample.pid for sample in samples if sample.smUtil > 0}
            reading["gpu_foreign_processes"] = max(0, len(computing) - 1)
        return reading

    return read


def joules(device: str) -> float | None:
    """What a GPU has used since its driver was loaded; None where NVML does not count it, as on
    GPUs before Volta, or counts it for others too, as beside other parts of a GPU (MIG)."""
    answers = _ask(device, {
        "mig": _FACTS["mig"],
        "joules": lambda nvml, gpu: nvml.nvmlDeviceGetTotalEnergyConsumption(gpu) / 1000,
    })  # fmt: skip
    return None if answers.get("mig") else answers.get("joules")


def cores(device: str) -> frozenset[int] | None:
    """The logical cores that are nearest to a GPU; None where NVML does not tell."""
    count = -(-(os.cpu_count() or 1) // _WORD)
    words = _ask(
        device, {"words": lambda nvml, gpu: nvml.nvmlDeviceGetCpuAffinity(gpu, count)}
    ).get("words")
    if words is None:
        return None
    places = range(_WORD * len(words))
    return frozenset(place for place in places if words[place // _WORD] >> place % _WORD & 1)


def celsius(device: str) -> float | None:
    """How warm a GPU is; None where NVML does not tell."""
    name = "gpu_temperature"
    temperature = _ask(device, {name: _HELD_BACK[name]}).get(name)
    return None if temperature is None else float(temperature)


def open_device(device: str) -> tuple[ModuleType, Any] | None:
    """nvidia-ml-py and the handle of a GPU, for a MIG instance that of the whole GPU.

    None without nvidia-ml-py, or where the driver does not answer.
    """
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return None
    uuid = str(torch.cuda.get_device_properties(device).uuid)
    uuid = uuid.removeprefix("GPU-").removeprefix("MIG-")
    with suppress(nvml.NVMLError):
        nvml.nvmlInit()
        with suppress(nvml.NVMLError):
            return nvml, nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
        instance = nvml.nvmlDeviceGetHandleByUUID(f"MIG-{uuid}")
        return nvml, nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(instance)
    return None


def _ask(device: str, questions: _Questions) -> dict[str, Any]:
    """The answers about a GPU; none where NVML is silent."""
    handle = open_device(device)
    return {} if handle is None else _answers(questions, *handle)


def _answers(questions: _Questions, nvml: ModuleType, gpu: Any) -> dict[str, Any]:
    """What a driver, or a nvidia-ml-py, does not know of is left out."""
    facts_of: dict[str, Any] = {}
    for name, ask in questions.items():
        with suppress(nvml.NVMLError, AttributeError):
            facts_of[name] = ask(nvml, gpu)
    return facts_of
