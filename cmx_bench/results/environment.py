"""When two samples may be compared: where all that changes a timing is equal."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cmx_bench.results.records import Environment

# Variables of the environment that libraries of a GPU read: recorded where they are set.
VARIABLES = (
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_MODULE_LOADING",
    "CUDA_DEVICE_MAX_CONNECTIONS",
    "NVIDIA_TF32_OVERRIDE",
    "CUBLAS_WORKSPACE_CONFIG",
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
)
# Two timings may be compared only where all of these are equal.
COMPARABLE = (
    "device_name",
    "cpu",  # of a GPU's machine too: it launches
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
    *VARIABLES,
)


def digest(environment: Environment) -> str:
    """Twelve hexadecimal digits that name an environment."""
    text = json.dumps(environment, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def differences(
    one: Environment, other: Environment, more: tuple[str, ...] = ()
) -> dict[str, tuple[Any, Any]]:
    """The fields of `COMPARABLE` and `more` in which two environments differ, with both values."""
    return {
        name: (one.get(name), other.get(name))
        for name in (*COMPARABLE, *more)
        if one.get(name) != other.get(name)
    }


def described(environment: Environment) -> str:
    """An environment in a line: the device, and the versions that timings depend on most."""
    device = f"{environment.get('device_name', 'unknown device')} ({environment.get('device')})"
    names = ("python", "torch", "timm", "cuda", "cmx_bench", "git_commit")
    return ", ".join([device, *(f"{n} {environment[n]}" for n in names if environment.get(n))])
