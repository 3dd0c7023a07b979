"""What this process sees of its machine: devices, versions, and torch's switches as they stand."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
from packaging.requirements import Requirement

import cmx_bench
from cmx_bench.errors import InstallError, PlanError
from cmx_bench.results.records import Environment


def check_installation() -> None:
    """Refuses the most usual broken installation, a torchvision that does not fit its torch.

    Imports torch and torchvision, which every measurement needs anyway.

    Raises:
        InstallError: torch or torchvision is missing, or they do not fit together.
    """
    try:
        torch, vision = (importlib.metadata.version(name) for name in ("torch", "torchvision"))
        needs = [Requirement(need) for need in importlib.metadata.requires("torchvision") or []]
    except importlib.metadata.PackageNotFoundError as error:
        raise InstallError(f"{error.name} is not installed; run: pip install cmx-bench") from error
    for need in needs:
        if need.name == "torch" and not need.specifier.contains(torch, prereleases=True):
            raise InstallError(_misfit(torch, vision, f"needs torch{need.specifier}"))
    try:
        importlib.import_module("torchvision")
    except (ImportError, OSError, RuntimeError) as error:
        # A CPU build of torch beside a CUDA build of torchvision: the versions fit, the code does
        # not ("operator torchvision::nms does not exist").
        raise InstallError(_misfit(torch, vision, f"fails with {error}")) from error


def _misfit(torch: str, vision: str, problem: str) -> str:
    return (
        f"torchvision {vision} does not fit torch {torch} (it {problem}); "
        f"run: pip install --upgrade --force-reinstall torch torchvision"
    )


def capture(device: str) -> Environment:
    """The environment of this process as it stands now, flags of torch included.

    Args:
        device: "cpu" or "cuda:N".
    """
    import timm
    import torch
    from timm.layers.config import use_fused_attn

    environment: Environment = {
        "cmx_bench": cmx_bench.__version__,
        "python": platform.python_version(),
        "os": platform.platform(),
        "torch": str(torch.__version__),  # its own class would load torch wherever it is read
        "torchvision": importlib.metadata.version("torchvision"),
        "timm": timm.__version__,
        "cores": usable_cores(),
        "cxx": bool(shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++")),
        "memory_bytes": int(psutil.virtual_memory().total),
        "threads": torch.get_num_threads(),
        "cpu": _cpu_name(),
        "fp32_precision_matmul": torch.backends.cuda.matmul.fp32_precision,
        "fp32_precision_conv": torch.backends.cudnn.conv.fp32_precision,  # type: ignore[attr-defined]
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "fused_attention": bool(use_fused_attn()),
    }
    if device == "cpu":
        return environment | {"device": device, "device_name": environment["cpu"]}
    properties = torch.cuda.get_device_properties(device)
    return environment | {
        "device": device,
        "device_name": properties.name,
        "device_count": torch.cuda.device_count(),
        "device_uuid": str(properties.uuid),
        "device_memory_bytes": properties.total_memory,
        "compute_capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        **_nvml(str(properties.uuid)),
    }


def resolve_device(device: str) -> str:
    """ "auto", "cpu", "cuda" or "cuda:N" as "cpu" or "cuda:N".

    Raises:
        PlanError: this machine has no such device.
    """
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return "cuda:0" if count else "cpu"
    if device == "cpu":
        return device
    if not re.fullmatch(r"cuda(:\d+)?", device):
        raise PlanError(f"--device {device}: expected auto, cpu, cuda or cuda:N")
    index = int(device.partition(":")[2] or 0)
    if index >= count:
        raise PlanError(f"--device {device}: this machine has {count} CUDA devices; try cpu")
    return f"cuda:{index}"


def usable_cores() -> int:
    """The logical cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else platform.machine()


def git_commit() -> str | None:
    """The commit of the checkout that cmx-bench runs from, with `-dirty`; None without one."""
    root = Path(cmx_bench.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _nvml(uuid: str) -> Environment:
    """Driver version, highest clock in Hz, power limit in watts of one GPU, as far as NVML tells.

    Nothing where nvidia-ml-py is missing; what a virtual GPU does not support is left out.
    """
    try:
        import pynvml
    except ImportError:
        return {}
    found: Environment = {}
    with suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        found["driver"] = str(pynvml.nvmlSystemGetDriverVersion())
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid.removeprefix('GPU-')}")
        clock = pynvml.nvmlDeviceGetMaxClockInfo(handle, pynvml.NVML_CLOCK_SM)
        found["max_sm_clock_hz"] = 1_000_000 * clock
        found["power_limit_w"] = pynvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000
    return found
