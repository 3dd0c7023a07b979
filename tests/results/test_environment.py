"""Which environments may be compared."""

from __future__ import annotations

from typing import Any

import pytest

from cmx_bench.results import environment


def test_the_commit_of_a_run_is_that_of_the_users_checkout() -> None:
    assert environment.commit({"git_commit": "a", "project_commit": "b"}) == "b"
    assert environment.commit({"git_commit": "a", "project_commit": None}) == "a"
    assert environment.commit({}) == ""


def test_what_changes_a_timing_is_named(cpu: dict[str, Any]) -> None:
    assert environment.differences(cpu, cpu | {"git_commit": "abc", "os": "other"}) == {}
    assert environment.differences(cpu, cpu | {"threads": 1}) == {"threads": (2, 1)}
    assert environment.differences(cpu, cpu | {"cuda": "13.2"}) == {"cuda": (None, "13.2")}


@pytest.mark.parametrize(
    ("field", "values"),
    [("power_limit_w", (350.0, 700.0)), ("max_sm_clock_hz", (1_980_000_000, 1_755_000_000)),
     ("cpu", ("A Xeon", "An EPYC")), ("CUDA_MODULE_LOADING", (None, "EAGER")),
     ("cpu_capability", ("AVX512", "DEFAULT")), ("cpu_capability", (None, "DEFAULT")),
     ("cpu_model", ("6-85-7", "6-106-6")), ("ONEDNN_MAX_CPU_ISA", (None, "SSE41")),
     ("LD_PRELOAD", ("libjemalloc.so.2", None)), ("mkldnn", (True, False)),
     *((name, (None, "1")) for name in (
         "KMP_BLOCKTIME", "OMP_PROC_BIND", "GOMP_CPU_AFFINITY", "MALLOC_ARENA_MAX", "MKL_CBWR",
         "TORCHINDUCTOR_FREEZING", "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE",
         "PYTORCH_CUDA_ALLOC_CONF", "GLIBC_TUNABLES", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"))],
)  # fmt: skip
def test_gpus_under_other_limits_or_beside_other_cpus_are_not_compared(
    gpu: dict[str, Any], field: str, values: tuple[object, object]
) -> None:
    one, other = ({**gpu, field: value} for value in values)
    assert environment.differences(one, other) == {field: values}


@pytest.mark.parametrize("change", [{"threads": 1}, {"git_commit": "abc"}])
def test_a_digest_names_one_environment(cpu: dict[str, Any], change: dict[str, Any]) -> None:
    assert environment.digest(cpu) == environment.digest(dict(reversed(cpu.items())))
    assert environment.digest(cpu) != environment.digest(cpu | change)
    assert len(environment.digest(cpu)) == 12


def test_variables_that_choose_nothing_are_left_out() -> None:
    given = {"TORCHINDUCTOR_CACHE_DIR": "/a", "PYTORCH_KERNEL_CACHE_PATH": "/a", "HOME": "/a",
             "ONEDNN_VERBOSE": "1", "KMP_INIT_AT_FORK": "FALSE", "CUDA_VISIBLE_DEVICES": "1",
             "OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}  # fmt: skip
    assert environment.variables(given, ["OMP_WAIT_POLICY"]) == {"KMP_BLOCKTIME": "0"}


def test_no_folder_of_a_user_is_recorded() -> None:
    given = {"LD_PRELOAD": "/home/me/lib/libjemalloc.so.2:/opt/libiomp5.so libx.so"}
    expected = {"LD_PRELOAD": "libjemalloc.so.2:libiomp5.so libx.so"}
    assert environment.variables(given) == expected
