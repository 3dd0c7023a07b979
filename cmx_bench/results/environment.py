"""When two samples may be compared: where all that changes a timing is equal."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from cmx_bench.results.records import Environment

# Variables of the environment by which libraries choose kernels, threads and allocators: recorded
# where they are set. Places of caches and what is printed choose nothing, nor do the two that
# scikit-learn sets.
_VARIABLE = re.compile(
    r"(?!\w+_(DIR|PATH|VERBOSE)$)(?!KMP_(INIT_AT_FORK|DUPLICATE_LIB_OK)$)"
    r"((OMP|GOMP|KMP|MKL|OPENBLAS|ONEDNN|DNNL|ATEN|MALLOC|TCMALLOC|MIMALLOC|PYTORCH|CUBLAS|CUBLASLT"
    r"|CUDNN|TRITON|TORCHINDUCTOR|TORCHDYNAMO|TORCH_(COMPILE|ALLOW|BLAS|CUDNN|LINALG))_\w+"
    r"|LD_PRELOAD|DYLD_INSERT_LIBRARIES|GLIBC_TUNABLES|NVIDIA_TF32_OVERRIDE"
    r"|CUDA_(LAUNCH_BLOCKING|MODULE_LOADING|DEVICE_MAX_CONNECTIONS))"
)
# Two timings may be compared only where all of these, and all such variables, are equal.
_FACTS = (
    "device_name",
    "cpu",  # of a GPU's machine too: it launches
    "cpu_model",  # clouds call several CPUs "Intel(R) Xeon(R) Processor"
    "cpu_capability",
    "mkldnn",
    "cores",
    "threads",
    "python",
    "torch",
    "timm",
    "cuda",
    "cudnn",
    "cublas",
    "triton",
    "driver",
    "power_limit_w",
    "max_sm_clock_hz",
    "application_sm_clock_hz",
    "ecc",
    "mig",
    "fp32_precision_matmul",
    "fp32_precision_conv",
    "cudnn_benchmark",
    "fused_attention",
    "sdpa",
)

# What tells machines apart, whatever is installed on them: two GPUs of one model differ by 8 % on
# average.
_MACHINE = ("device_name", "device_uuid", "cpu", "cpu_model", "cores")


def variables(environ: Mapping[str, str], ours: Collection[str] = ()) -> dict[str, str]:
    """Those that choose kernels, threads and allocators; of files the names alone.

    Args:
        ours: variables that this package has set itself.
    """
    chosen = sorted(name for name in environ if _VARIABLE.fullmatch(name) and name not in ours)
    return {name: re.sub(r"[^\s:,]*/", "", environ[name]) for name in chosen}


def must_match(name: str) -> bool:
    """Whether timings are compared only where this field is equal."""
    return name in _FACTS or _VARIABLE.fullmatch(name) is not None


def comparable(environment: Environment) -> Environment:
    """The fields by which timings are compared, in their order."""
    names = [*_FACTS, *sorted(name for name in environment if _VARIABLE.fullmatch(name))]
    return {name: environment[name] for name in names if environment.get(name) is not None}


def machine(environment: Environment) -> Environment:
    """The fields that tell machines apart, unknown ones too."""
    return {name: environment.get(name) for name in _MACHINE}


def commit(machine: Environment) -> str:
    """The commit that a run was started at: of the user's checkout, or else of cmx-bench's own;
    empty where neither is known."""
    return str(machine.get("project_commit") or machine.get("git_commit") or "")


def digest(environment: Environment) -> str:
    """Twelve hexadecimal digits that name an environment."""
    text = json.dumps(environment, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def differences(
    one: Environment, other: Environment, more: tuple[str, ...] = ()
) -> dict[str, tuple[Any, Any]]:
    """The comparable fields, and `more`, in which two environments differ, with both values."""
    names = dict.fromkeys((*_FACTS, *comparable(one), *comparable(other), *more))
    return {
        name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)
    }


def described(environment: Environment) -> str:
    """An environment in a line: the device, and the versions that timings depend on most."""
    device = f"{environment.get('device_name', 'unknown device')} ({environment.get('device')})"
    names = ("python", "torch", "timm", "cuda", "cmx_bench", "git_commit")
    return ", ".join([device, *(f"{n} {environment[n]}" for n in names if environment.get(n))])
