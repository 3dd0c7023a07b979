"""Decides when two samples may be compared: everything that changes a timing must be equal."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from cmx_bench.cell import slug
from cmx_bench.results.records import Environment
from cmx_bench.units import plain

# Variables of the environment by which libraries choose kernels, threads and allocators: recorded
# where they are set. Places of caches and what is printed choose nothing, nor do the two that
# scikit-learn sets.
_VARIABLE = re.compile(
    r"(?!\w+_(DIR|PATH|VERBOSE)$)(?!KMP_(INIT_AT_FORK|DUPLICATE_LIB_OK)$)"
    r"((OMP|GOMP|KMP|MKL|OPENBLAS|GOTO|BLIS|VECLIB|ONEDNN|DNNL|TBB|ATEN|MALLOC|JE_MALLOC|TCMALLOC"
    r"|MIMALLOC|PYTORCH|CUBLAS|CUBLASLT|CUDNN|TRITON|TORCHINDUCTOR|TORCHDYNAMO"
    r"|AOT_INDUCTOR|TORCH_(ALLOW|BLAS|COMPILE|CUBLAS|CUBLASLT|CUDNN|DYNAMO|JIT|LINALG|LINEAR"
    r"|MKLDNN|DISABLE_NATIVE))_\w+|DISABLE_ADDMM_CUDA_LT|ENABLE_\w*TMA\w*"
    r"|PYTHON(MALLOC|TRACEMALLOC|DEVMODE|OPTIMIZE|_GIL|_JIT)|THP_MEM_ALLOC_ENABLE|LD_PRELOAD"
    r"|DYLD_INSERT_LIBRARIES|LRU_CACHE_CAPACITY|GLIBC_TUNABLES|NVIDIA_TF32_OVERRIDE"
    r"|CUDA_(LAUNCH_BLOCKING|MODULE_LOADING|DEVICE_MAX_CONNECTIONS|SCALE_LAUNCH_QUEUES"
    r"|(FORCE|DISABLE)_PTX_JIT|MPS_ACTIVE_THREAD_PERCENTAGE))"
)
# Two timings may be compared only where all of these, and all such variables, are equal. The CPU
# counts for a GPU too: it launches. Clouds call several CPUs "Intel(R) Xeon(R) Processor", which
# the model tells apart.
_FACTS = (
    "device_name", "cpu", "cpu_model", "cpu_capability", "mkldnn", "cores", "whole_cores",
    "threads", "python", "torch", "runtime", "timm", "cuda", "cudnn", "cublas", "triton", "driver",
    "power_limit_w", "max_sm_clock_hz", "application_sm_clock_hz", "ecc", "mig",
    "fp32_precision_matmul", "fp32_precision_conv", "cudnn_benchmark", "fused_attention", "sdpa",
)  # fmt: skip

# Those that belong to a machine and not to what is installed on it: only in these may the kinds of
# device of one run differ. What tells namesakes apart is the first that does.
_HARDWARE = (
    "device_name", "memory_gib", "cores", "whole_cores", "cpu", "cpu_model", "cpu_capability",
    "threads", "driver", "power_limit_w", "max_sm_clock_hz", "application_sm_clock_hz", "ecc",
    "mig",
)  # fmt: skip

# What tells machines apart, whatever is installed on them: two GPUs of one model differ by 8 % on
# average.
_MACHINE = ("device_name", "device_uuid", "cpu", "cpu_model", "cores")


def variables(environ: Mapping[str, str], ours: Collection[str] = ()) -> dict[str, str]:
    """The variables that choose kernels, threads and allocators; of files only the names.

    Args:
        ours: variables that this package has set itself.
    """
    chosen = sorted(name for name in environ if _VARIABLE.fullmatch(name) and name not in ours)
    return {name: re.sub(r"[^\s:,]*/", "", environ[name]) for name in chosen}


def must_match(name: str) -> bool:
    """Whether timings are compared only if this field is equal."""
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


def digest(facts: Environment | list[Any]) -> str:
    """Twelve hexadecimal digits that name an environment, or what is chosen of one."""
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def differences(
    one: Environment, other: Environment, more: tuple[str, ...] = ()
) -> dict[str, tuple[Any, Any]]:
    """The comparable fields, and `more`, in which two environments differ, with both values."""
    names = dict.fromkeys((*_FACTS, *comparable(one), *comparable(other), *more))
    return {
        name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)
    }


def kind(machine: Environment) -> Environment:
    """What the kind of a device is made of: timings of two machines may share a column where this
    is equal. Cards of one name come with several sizes of memory, and other chips beside it."""
    memory = machine.get("device_memory_bytes")
    return comparable(machine) | ({} if memory is None else {"memory_gib": round(memory / 2**30)})


def hardware(machines: Sequence[Environment]) -> list[str]:
    """The name of each machine's kind of device, as `Setting.hardware` has it: that of the device
    and, where kinds are called alike, what tells them apart. Empty where all are of one kind."""
    kinds = [kind(machine) for machine in machines]
    names = {digest(each): _name(each, kinds) for each in kinds}
    if len(names) == 1:
        return [""] * len(kinds)
    if len({slug(name) for name in names.values()} - {""}) < len(names):
        names = {number: f"{name}, {number}" for number, name in names.items()}
    return [names[digest(each)] for each in kinds]


def _name(kind: Environment, kinds: Sequence[Environment]) -> str:
    """The device's name. Among namesakes the first fact follows in which all of them differ."""
    name = plain(str(kind.get("device_name")))
    alike = {digest(each): each for each in kinds if _slug(each, "device_name") == slug(name)}
    for fact in _HARDWARE if len(alike) > 1 else ():
        if len({_slug(each, fact) for each in alike.values()}) == len(alike):
            return f"{name}, {fact} {kind.get(fact)}"
    return name


def _slug(machine: Environment, fact: str) -> str:
    return slug(str(machine.get(fact)))


def other_machines(
    kinds: Mapping[str, Environment], others: Mapping[str, Environment], more: tuple[str, ...]
) -> Iterator[tuple[str, Any, Any]]:
    """In what the machines of two runs differ, of each kind of device: what differs, with the kind
    where there are several, and both values. Runs are of the same kinds first of all.

    Args:
        kinds: a machine of each kind: `Run.kinds`.
        more: what must be equal besides what timings are compared by.
    """
    if kinds.keys() != others.keys():
        one, other = (" and ".join(filter(None, names)) or "one kind" for names in (kinds, others))
        yield "hardware", one, other
        return
    for hardware, machine in kinds.items():
        where = f" on {hardware}" if hardware else ""
        for name, values in differences(machine, others[hardware], more).items():
            yield f"{name}{where}", *values


def other_software(one: Environment, other: Environment) -> dict[str, tuple[Any, Any]]:
    """What two machines have installed, or set by variables, in different ways, with both values.
    Between a CPU and a GPU, what only GPUs have (cuDNN) does not count."""
    alike = str(one.get("device")).startswith("cpu") == str(other.get("device")).startswith("cpu")
    apart = differences(one, other, ("cmx_bench", "git_commit", "torchvision"))
    return {
        name: values
        for name, values in apart.items()
        if name not in _HARDWARE and (alike or name not in _FACTS or None not in values)
    }


def describe(environment: Environment) -> str:
    """An environment in a line: the device, and the versions that timings depend on most."""
    device = f"{environment.get('device_name', 'unknown device')} ({environment.get('device')})"
    names = ("python", "torch", "timm", "cuda", "cmx_bench")
    versions = (f"{name} {environment[name]}" for name in names if environment.get(name))
    commit = environment.get("git_commit")
    return ", ".join([device, *versions]) + f" at commit {commit}" * bool(commit)
