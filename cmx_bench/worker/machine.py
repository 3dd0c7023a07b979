"""Describes this process's machine: devices, versions, and the switches of torch."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement

import cmx_bench
from cmx_bench.cell import Setting
from cmx_bench.errors import PlanError
from cmx_bench.measures import jiffies, runtimes
from cmx_bench.measures.instructions import cpu_field
from cmx_bench.results.checkouts import commit_of
from cmx_bench.results.environment import variables
from cmx_bench.results.records import Environment
from cmx_bench.worker import local


def check_installation() -> None:
    """Refuses the most common broken installation: a torchvision that does not fit torch.

    Imports torch and torchvision, which every measurement needs anyway.

    Raises:
        PlanError: torch or torchvision is missing, or they do not fit together.
    """
    try:
        torch, vision = (importlib.metadata.version(name) for name in ("torch", "torchvision"))
        needs = [Requirement(need) for need in importlib.metadata.requires("torchvision") or []]
    except importlib.metadata.PackageNotFoundError as error:
        raise PlanError(f"{error.name} is not installed; run: pip install cmx-bench") from error
    for need in needs:
        if need.name == "torch" and not need.specifier.contains(torch, prereleases=True):
            raise PlanError(_misfit(torch, vision, f"needs torch{need.specifier}"))
    try:
        importlib.import_module("torchvision")
    except (ImportError, OSError, RuntimeError) as error:
        # A CPU build of torch beside a CUDA build of torchvision: the versions fit, the code does
        # not ("operator torchvision::nms does not exist").
        raise PlanError(_misfit(torch, vision, f"fails with {error}")) from error


def _misfit(torch: str, vision: str, problem: str) -> str:
    return (
        f"torchvision {vision} does not fit torch {torch} (it {problem}); "
        f"run: pip install --upgrade --force-reinstall torch torchvision"
    )


def capture(device: str, setting: Setting | None = None) -> Environment:
    """The environment of this process as it stands now, flags of torch included.

    Args:
        device: "cpu" or "cuda:N".
        setting: whose runtime belongs to the environment, where it is another than torch.
    """
    import timm
    import torch
    from timm.layers.config import use_fused_attn

    from cmx_bench.models import native

    environment: Environment = {
        "cmx_bench": cmx_bench.__version__,
        "python": platform.python_version(),
        "os": platform.platform(),
        "torch": str(torch.__version__),  # its own class would load torch wherever it is read
        "torchvision": importlib.metadata.version("torchvision"),
        "timm": timm.__version__,
        "cores": jiffies.usable_cores(),
        "whole_cores": jiffies.usable_whole_cores(),
        "cxx": shutil.which(native.compiler()[0]) is not None,
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "threads": torch.get_num_threads(),
        "cpu": cpu_field("model name") or _brand() or platform.processor() or platform.machine(),
        "cpu_model": "-".join(filter(None, map(cpu_field, jiffies.CPU_FIELDS))) or None,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "mkldnn": torch._C._has_mkldnn and bool(torch.backends.mkldnn.enabled),
        "fp32_precision_matmul": torch.backends.cuda.matmul.fp32_precision,
        "fp32_precision_conv": torch.backends.cudnn.conv.fp32_precision,  # type: ignore[attr-defined]
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "fused_attention": bool(use_fused_attn()),
        **variables(os.environ, os.environ.get(local.OURS, "").split()),
    }
    if setting is not None and setting.runtime != "torch":
        environment |= {"runtime": runtimes.version(setting)}
    if device == "cpu":
        return environment | {"device": device, "device_name": environment["cpu"]}
    return environment | {"device": device, **_of_gpu(device)}


def _of_gpu(device: str) -> Environment:
    """What belongs to a GPU, to the libraries that use it, and to their switches."""
    import torch

    from cmx_bench.measures import nvml
    from cmx_bench.measures.forward import SDPA

    properties = torch.cuda.get_device_properties(device)
    backends, has_nccl = torch.backends.cuda, torch.distributed.is_nccl_available()
    return {
        "device_name": properties.name,
        "device_count": torch.cuda.device_count(),
        "device_uuid": str(properties.uuid),
        "device_memory_bytes": properties.total_memory,
        "compute_capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        "cublas": _version("nvidia-cublas", "nvidia-cublas-cu12"),
        "nccl": ".".join(map(str, torch.cuda.nccl.version())) if has_nccl else None,  # type: ignore[no-untyped-call]
        "triton": _version("triton"),
        "cc": bool(os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")),
        "python_headers": Path(sysconfig.get_path("include", "posix_prefix"), "Python.h").exists(),
        "sdpa": ", ".join(name for name in SDPA if getattr(backends, f"{name}_sdp_enabled")()),
        **nvml.facts(device),
    }


def _version(*names: str) -> str | None:
    for name in names:
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return None


def resolve_device(device: str, asked: str = "") -> str:
    """ "auto", "cpu", "cuda" or "cuda:N" as "cpu" or "cuda:N".

    Args:
        asked: what `--device` says, where the device is one of several.

    Raises:
        PlanError: this machine has no such device, or torch cannot use it.
    """
    if device == "cpu":
        return device
    if device == "auto":
        return "cpu" if _obstacle(0) else "cuda:0"
    if not re.fullmatch(r"cuda(:\d{1,4})?", device):
        raise PlanError(f"--device {device}: expected auto, cpu, cuda or cuda:N")
    index = int(device.partition(":")[2] or 0)
    if obstacle := _obstacle(index):
        raise PlanError(f"--device {asked or device}: {obstacle}, or try --device cpu")
    return f"cuda:{index}"


def unused_gpu() -> str:
    """Why "auto" does not use a GPU that is there; empty if there is none, or if it is used."""
    obstacle = _obstacle(0)
    return obstacle if _DRIVER.exists() or _TOO_OLD in obstacle else ""


_DRIVER = Path("/proc/driver/nvidia/version")
_TOO_OLD = "driver on your system is too old"  # torch's words


@cache
def _obstacle(index: int) -> str:
    """Why torch cannot use the GPU of this number and what to do, in a line; empty where it can."""
    import torch

    with warnings.catch_warnings(record=True) as caught:  # torch says it in this way, once
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        return _why_none([str(warning.message) for warning in caught])
    if index >= count:
        return f"the last GPU of this machine is cuda:{count - 1}; choose it"
    major, minor = torch.cuda.get_device_capability(index)
    kernels = torch.cuda.get_arch_list()
    if not any(_runs_on(kernel, major, minor) for kernel in kernels):
        return (f"this torch has no kernels for {torch.cuda.get_device_name(index)} (sm_{major}"
                f"{minor}), only for {', '.join(kernels)}; install another")  # fmt: skip
    return ""


def _why_none(said: Sequence[str]) -> str:
    """Why there are no GPUs, from what torch warned of."""
    import torch

    if torch.version.cuda is None:
        return "this torch was built without CUDA; install one from pytorch.org"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and not re.match(r"\d|GPU-|MIG-", visible.strip()):
        what = f"={visible}" if visible else " is empty, which"
        return f"CUDA_VISIBLE_DEVICES{what} hides every GPU; unset it"
    if said:
        why = said[0].removeprefix("CUDA initialization: ").partition(". Please")[0]
        return f"{why}; update the driver, install a torch for an older CUDA"
    shown = "" if visible is None else f" of CUDA_VISIBLE_DEVICES={visible}"
    return f"torch finds no GPU{shown} here; look at what nvidia-smi says"


def _runs_on(kernel: str, major: int, minor: int) -> bool:
    """Whether code for "sm_80" or "compute_80" runs on a GPU of this compute capability.

    Machine code does so within a major version, PTX on all later ones (CUDA C++ Programming Guide,
    "Binary Compatibility" and "PTX Compatibility").
    """
    kind, _, version = kernel.partition("_")
    number = int(re.sub(r"\D", "", version))
    return number <= 10 * major + minor and (kind == "compute" or number // 10 == major)


def _brand() -> str:
    """What macOS calls its CPU; empty elsewhere."""
    if sys.platform != "darwin":
        return ""
    asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def git_commit() -> str | None:
    """The commit of the checkout that cmx-bench runs from, with `-dirty`; None without one."""
    root = Path(cmx_bench.__file__).resolve().parent.parent
    return commit_of(root) if (root / ".git").exists() else None
