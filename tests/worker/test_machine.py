"""Devices: which there are, and what is said of those that torch cannot use."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from cmx_bench.errors import PlanError
from cmx_bench.results.environment import must_match
from cmx_bench.worker import local, machine


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    machine._obstacle.cache_clear()
    yield
    machine._obstacle.cache_clear()


def gpus(
    patch: pytest.MonkeyPatch, count: int, cuda: str | None = "13.2", driver: bool = True,
    kernels: tuple[str, ...] = ("sm_80", "sm_90"), capability: tuple[int, int] = (9, 0),
) -> None:  # fmt: skip
    """A torch that finds so many GPUs."""
    patch.setattr(torch.version, "cuda", cuda)
    patch.setattr(torch.cuda, "is_available", lambda: count > 0)
    patch.setattr(torch.cuda, "device_count", lambda: count)
    patch.setattr(torch.cuda, "get_device_capability", lambda index: capability)
    patch.setattr(torch.cuda, "get_device_name", lambda index: "A GPU")
    patch.setattr(torch.cuda, "get_arch_list", lambda: list(kernels))
    patch.setattr(machine, "_DRIVER", Path(os.devnull if driver else "/nowhere"))
    patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize(
    ("device", "expected"),
    [("auto", "cuda:0"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1"), ("cpu", "cpu")],
)
def test_devices(monkeypatch: pytest.MonkeyPatch, device: str, expected: str) -> None:
    gpus(monkeypatch, 2)
    assert machine.resolve_device(device) == expected
    assert machine.unused_gpu() == ""


@pytest.mark.parametrize(
    ("counts", "visible", "device", "expected"),
    [
        ({"count": 1}, None, "cuda:1", "the last GPU of this machine is cuda:0; choose it"),
        ({"count": 0}, None, "cuda", "torch finds no GPU here; look at what nvidia-smi says"),
        ({"count": 0}, "", "cuda",
         "CUDA_VISIBLE_DEVICES is empty, which hides every GPU; unset it"),
        ({"count": 0}, "-1", "cuda", "CUDA_VISIBLE_DEVICES=-1 hides every GPU; unset it"),
        ({"count": 0}, "7", "cuda",
         "torch finds no GPU of CUDA_VISIBLE_DEVICES=7 here; look at what nvidia-smi says"),
        ({"count": 0, "cuda": None}, None, "cuda",
         "this torch was built without CUDA; install one from pytorch.org"),
        ({"count": 1, "capability": (6, 1)}, None, "cuda",
         "this torch has no kernels for A GPU (sm_61), only for sm_80, sm_90; install another"),
    ],
)  # fmt: skip
def test_why_there_is_no_such_device(
    monkeypatch: pytest.MonkeyPatch, counts: dict[str, int], visible: str | None, device: str,
    expected: str,
) -> None:  # fmt: skip
    gpus(monkeypatch, **counts)  # type: ignore[arg-type]
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(PlanError) as error:
        machine.resolve_device(device)
    assert str(error.value) == f"--device {device}: {expected}, or try --device cpu"
    if device == "cuda":
        assert machine.resolve_device("auto") == "cpu"
        assert machine.unused_gpu() == expected  # the driver is loaded


def test_without_a_driver_nobody_misses_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 0, driver=False)
    assert machine.resolve_device("auto") == "cpu"
    assert machine.unused_gpu() == ""


@pytest.mark.parametrize(
    ("kernel", "capability", "runs"),
    [("sm_80", (8, 6), True), ("sm_86", (8, 0), False), ("sm_80", (9, 0), False),
     ("compute_80", (9, 0), True), ("sm_90a", (9, 0), True), ("sm_120", (12, 0), True),
     ("sm_120", (10, 0), False)],
)  # fmt: skip
def test_which_code_runs_on_which_gpu(kernel: str, capability: tuple[int, int], runs: bool) -> None:
    assert machine._runs_on(kernel, *capability) == runs


OLD_DRIVER = """
int cuInit(unsigned flags) { return 0; }
int cuDriverGetVersion(int *version) { *version = 9000; return 0; }
int cuGetProcAddress(const char *name, void **found, int version, unsigned long flags)
{ *found = 0; return 500; }
"""
ASKS = """
from cmx_bench.errors import CmxError
from cmx_bench.worker import local, machine
try:
    machine.resolve_device("cuda")
except CmxError as error:
    print(error)
print(machine.resolve_device("auto"))
print(machine.unused_gpu())
"""


@pytest.mark.skipif(torch.version.cuda is None, reason="this torch was built without CUDA")
@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_a_driver_older_than_torch(tmp_path: Path) -> None:
    """A stand-in for libcuda: torch says that it is too old, and nothing of that is printed."""
    (tmp_path / "driver.c").write_text(OLD_DRIVER)
    line = ["gcc", "-shared", "-fPIC", "-o", str(tmp_path / "libcuda.so.1"),
            str(tmp_path / "driver.c")]  # fmt: skip
    subprocess.run(line, check=True)
    environment = {"LD_LIBRARY_PATH": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    hidden = {"CUDA_VISIBLE_DEVICES"}
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run([sys.executable, "-c", ASKS], env=kept | environment, text=True,
                          capture_output=True, check=True)  # fmt: skip
    why = ("The NVIDIA driver on your system is too old (found version 9000); update the driver, "
           "install a torch for an older CUDA")  # fmt: skip
    assert done.stdout.splitlines() == [f"--device cuda: {why}, or try --device cpu", "cpu", why]
    assert "driver" not in done.stderr


def test_what_is_captured_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    from cmx_bench.measures import nvml

    properties = SimpleNamespace(name="A GPU", uuid="1-2", total_memory=8, major=9, minor=0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(nvml, "facts", lambda device: {"power_limit_w": 350.0})
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    monkeypatch.delenv("CUDA_MODULE_LOADING", raising=False)
    torch.backends.cuda.enable_math_sdp(False)
    captured = machine.capture("cuda:1")
    torch.backends.cuda.enable_math_sdp(True)
    assert captured["sdpa"] == "flash, mem_efficient, cudnn"
    assert captured["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert "CUDA_MODULE_LOADING" not in captured
    assert captured["power_limit_w"] == 350.0
    assert captured.keys() >= {"cublas", "nccl", "triton", "cc", "python_headers", "device_uuid"}
    names = ("sdpa", "CUBLAS_WORKSPACE_CONFIG", "power_limit_w", "triton")
    assert all(map(must_match, names))


@pytest.mark.usefixtures("light_server")
def test_what_chooses_kernels_and_allocators_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process that is timed and in one that is not, for which this package sets more."""
    given = {"LD_PRELOAD": "", "KMP_AFFINITY": "compact", "OMP_WAIT_POLICY": "ACTIVE",
             "ATEN_CPU_CAPABILITY": "default"}  # fmt: skip
    asks = "import json; from cmx_bench.worker.machine import capture; print(capture('cpu'))"
    environment = os.environ | given | {"PYTHONPATH": os.pathsep.join(sys.path)}
    line = [sys.executable, "-c", asks]
    done = subprocess.run(line, env=environment, text=True, capture_output=True, check=True)
    captured = ast.literal_eval(done.stdout)
    assert {name: captured[name] for name in given} == given
    assert captured["cpu_capability"] == "DEFAULT"
    assert captured["mkldnn"] is True
    assert all(must_match(name) for name in (*given, "cpu_capability", "mkldnn", "cpu_model"))
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    ours = {"OMP_WAIT_POLICY", "MALLOC_TRIM_THRESHOLD_"}
    inside = local.call("builtins:eval", "dict(__import__('os').environ)")
    assert inside.keys() >= ours
    for name, value in inside.items():
        monkeypatch.setenv(name, value)
    assert not machine.capture("cpu").keys() & ours


@pytest.mark.parametrize(
    ("cpuinfo", "system", "cpu", "kind"),
    [
        ("model name\t: EPYC\ncpu family\t: 25\nmodel\t\t: 1\nstepping\t: 1\n", "linux", "EPYC",
         "25-1-1"),
        ("CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\n"
         "CPU revision\t: 1\n", "linux", "aarch64", "0x41-0xd0c-0x3-1"),
        ("", "darwin", "Apple M4", None),
    ],
)  # fmt: skip
def test_what_tells_cpus_apart(
    monkeypatch: pytest.MonkeyPatch, cpuinfo: str, system: str, cpu: str, kind: str | None
) -> None:
    said = SimpleNamespace(stdout="Apple M4\n")
    monkeypatch.setattr(machine.jiffies, "system_text", lambda path: cpuinfo)
    monkeypatch.setattr(machine.subprocess, "run", lambda *line, **how: said)
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    monkeypatch.setattr(machine.platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(machine.sys, "platform", system)
    captured = machine.capture("cpu")
    assert (captured["cpu"], captured["cpu_model"]) == (cpu, kind)


@pytest.mark.parametrize(
    ("named", "there"),
    [
        ("no-such-compiler", False),
        (f"{sys.executable} -O2", True),
        (" ", bool(shutil.which("g++"))),
    ],
)
def test_a_compiler_is_there_where_the_first_word_of_its_command_is(
    named: str, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", named)
    assert machine.capture("cpu")["cxx"] is there
