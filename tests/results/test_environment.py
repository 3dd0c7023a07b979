"""Which environments may be compared."""

from __future__ import annotations

from typing import Any

import pytest

from cmx_bench.cell import slug
from cmx_bench.results import environment


def test_the_commit_of_a_run_is_that_of_the_users_checkout() -> None:
    assert environment.commit({"git_commit": "a", "project_commit": "b"}) == "b"
    assert environment.commit({"git_commit": "a", "project_commit": None}) == "a"
    known = {"device_name": "EPYC", "device": "cpu", "cmx_bench": "0.1.0"}
    assert environment.describe(known) == "EPYC (cpu), cmx_bench 0.1.0"
    assert environment.describe(known | {"git_commit": "ab"}).endswith(
        "cmx_bench 0.1.0 at commit ab"
    )
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
     ("whole_cores", (1, 2)),
     *((name, (None, "1")) for name in (
         "KMP_BLOCKTIME", "OMP_PROC_BIND", "GOMP_CPU_AFFINITY", "MALLOC_ARENA_MAX", "MKL_CBWR",
         "TORCHINDUCTOR_FREEZING", "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE",
         "PYTORCH_CUDA_ALLOC_CONF", "GLIBC_TUNABLES", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
         "TORCH_MKLDNN_MATMUL_MIN_DIM", "TORCH_LINEAR_FLATTEN_3D", "DISABLE_ADDMM_CUDA_LT",
         "ENABLE_PERSISTENT_TMA_MATMUL", "TORCH_CUBLASLT_UNIFIED_WORKSPACE",
         "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "CUDA_SCALE_LAUNCH_QUEUES"))],
)  # fmt: skip
def test_gpus_under_other_limits_or_beside_other_cpus_are_not_compared(
    gpu: dict[str, Any], field: str, values: tuple[object, object]
) -> None:
    first, other = ({**gpu, field: value} for value in values)
    assert environment.differences(first, other) == {field: values}


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


def test_variables_of_other_libraries_and_of_python_are_recorded() -> None:
    given = {"JE_MALLOC_CONF": "thp:always", "PYTHONMALLOC": "debug", "BLIS_NUM_THREADS": "1",
             "PYTHONTRACEMALLOC": "1", "THP_MEM_ALLOC_ENABLE": "1"}  # fmt: skip
    assert environment.variables({**given, "PYTHONPATH": "/a", "PYTHONHASHSEED": "1"}) == given


def test_no_folder_of_a_user_is_recorded() -> None:
    given = {"LD_PRELOAD": "/home/me/lib/libjemalloc.so.2:/opt/libiomp5.so libx.so"}
    expected = {"LD_PRELOAD": "libjemalloc.so.2:libiomp5.so libx.so"}
    assert environment.variables(given) == expected


@pytest.mark.parametrize(
    ("machines", "names"),
    [
        ([{}], [""]),
        ([{}, {"device_uuid": "other", "hostname": "other"}], ["", ""]),
        ([{}, {"device_name": "B GPU"}, {}], ["A GPU", "B GPU", "A GPU"]),
        ([{}, {"device_memory_bytes": 16 << 30}, {"device_memory_bytes": (16 << 30) + 9}],
         ["A GPU, memory_gib None", "A GPU, memory_gib 16", "A GPU, memory_gib 16"]),
        ([{"driver": "570.1"}, {"driver": "580.2"}, {"device_name": "B GPU"}],
         ["A GPU, driver 570.1", "A GPU, driver 580.2", "B GPU"]),
    ],
)  # fmt: skip
def test_kinds_of_device_are_called_by_their_names_and_by_what_tells_them_apart(
    gpu: dict[str, Any], machines: list[dict[str, Any]], names: list[str]
) -> None:
    assert environment.hardware([gpu | facts for facts in machines]) == names


@pytest.mark.parametrize(
    "machines",
    [
        # Two names that give one slug, a name without letters, and no fact that tells three apart.
        [{"device_name": "A GPU"}, {"device_name": "A-GPU"}],
        [{"device_name": "甲"}, {"device_name": "乙"}, {"device_name": "C"}],
        [{"cores": 2, "driver": "1"}, {"cores": 2, "driver": "2"}, {"cores": 4, "driver": "1"}],
        [{"device_name": "A GPU, cores 2", "cores": 4}, {"cores": 2}, {"cores": 4}],
    ],
)
def test_no_two_kinds_have_one_slug(gpu: dict[str, Any], machines: list[dict[str, Any]]) -> None:
    given = [gpu | facts for facts in machines]
    names = environment.hardware(given)
    assert len({slug(name) for name in names} - {""}) == len(machines)
    assert environment.hardware(given[::-1]) == names[::-1]


def test_a_kind_is_what_timings_are_compared_by(gpu: dict[str, Any]) -> None:
    for name, value in {"cpu": "other", "power_limit_w": 350.0, "threads": 7, "torch": "3"}.items():
        first, other = gpu, gpu | {name: value}
        assert bool(environment.differences(first, other)) is (
            len({*environment.hardware([first, other])}) == 2
        )


def test_a_cpu_beside_a_gpu_lacks_no_software(gpu: dict[str, Any], cpu: dict[str, Any]) -> None:
    whole = gpu | {"cudnn": 91002, "cuda": "13.0"}
    assert environment.other_software(whole, cpu) == {}
    assert environment.other_software(whole, gpu) == {
        "cuda": ("13.0", None), "cudnn": (91002, None)}  # fmt: skip
    assert environment.other_software(whole, cpu | {"torch": "3"}) == {"torch": ("2.15", "3")}
