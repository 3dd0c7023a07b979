"""Conditions: read from a made-up system, judged by the rule, never by what a block took."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from cmx_bench.cell import Setting
from cmx_bench.measures import conditions

JIFFY = 1 / os.sysconf("SC_CLK_TCK")


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


# --- what the system says -------------------------------------------------------------------------


def test_cores_by_jiffies() -> None:
    text = "cpu  100 20 30 1000 50 4 6 7 99 99\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 5\n"
    assert conditions._cores(text) == {
        "jiffies": 1217, "busy_jiffies": 160, "idle_jiffies": 1050, "stolen_jiffies": 7,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "\n", "intr 5\n", "cpu  1 2 3\n"])
def test_what_cannot_be_read_is_left_out(text: str) -> None:
    assert conditions._cores(text) == {}


def test_a_system_that_tells_nothing(tmp_path: Path) -> None:
    assert conditions._system(tmp_path)().keys() == {"clock", "own_seconds"}


def test_a_systems_counters_become_covariates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heat = "sys/devices/system/cpu/cpu{}/thermal_throttle/core_throttle_count"
    root = written(tmp_path, {
        "proc/stat": "cpu 100 0 0 500 0 0 0 3\n",
        "proc/self/cgroup": "0::/a/b\n",
        "sys/fs/cgroup/a/b/cpu.stat": "usage_usec 9\nthrottled_usec 1000000\n",
        "sys/fs/cgroup/a/cpu.stat": "usage_usec 9\nthrottled_usec 500000\n",
        "sys/fs/cgroup/cpu.stat": "usage_usec 9\n",
        heat.format(0): "4\n", heat.format(1): "5\n",
    })  # fmt: skip
    now = [0.0, 0.0]
    monkeypatch.setattr(conditions.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(conditions.time, "process_time", lambda: now[1])
    read = conditions._system(root)
    before = read()
    written(root, {
        "proc/stat": "cpu 300 0 0 680 0 0 0 23\n",
        "sys/fs/cgroup/a/cpu.stat": "usage_usec 9\nthrottled_usec 750000\n",
        heat.format(1): "6\n",
    })  # fmt: skip
    now[:] = [200 * JIFFY, 150 * JIFFY]
    [block] = conditions.covariates([before, read()])
    assert block == {
        "steal": pytest.approx(20 / 400),
        "foreign_load": pytest.approx(0.25),  # 200 jiffies busy, 150 by this process, of 200
        "idle_cores": pytest.approx(0.9),  # 180 jiffies of 200
        "throttled": pytest.approx(0.25),
        "thermal_throttles": 1,
    }


@pytest.mark.parametrize(
    ("cgroup", "file", "text"),
    [
        ("2:cpu,cpuacct:/\n1:name=systemd:/\n", "cpu/cpu.stat", "throttled_time 2000000000"),
        ("2:cpu:/x\n", "cpu/x/cpu.stat", "throttled_time 2000000000"),
        ("0::/docker/as-the-host-sees-it\n", "cpu.stat", "throttled_usec 2000000"),
    ],
)
def test_limits_of_either_kind_of_control_group(
    tmp_path: Path, cgroup: str, file: str, text: str
) -> None:
    root = written(tmp_path, {"proc/self/cgroup": cgroup, f"sys/fs/cgroup/{file}": f"{text}\n"})
    assert conditions._limits(conditions._limit_files(root)) == {"throttled": pytest.approx(2.0)}


def test_a_control_group_without_limits_says_nothing(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/\n3:cpuset:/\n", "sys/fs/cgroup/cpu.stat": "usage_usec 1\n"}
    root = written(tmp_path, files | {"sys/fs/cgroup/cpuset/cpu.stat": "throttled_usec 5\n"})
    assert conditions._limits(conditions._limit_files(root)) == {}


def test_this_process_can_be_read() -> None:
    look = conditions.look_for(Setting("cpu", "cpu", "fp32", "nchw", "none", 1, 32))
    [block] = conditions.covariates([look(), look()])
    assert block["probe"] > 0
    assert 0 < block["core_speed"] <= 1


# --- what a GPU says ------------------------------------------------------------------------------


class NvmlError(Exception):
    pass


class NvmlLibraryMismatchError(Exception):
    pass


def nvml(pids: list[int] | None, reasons: dict[str, int]) -> ModuleType:
    """A stand-in for nvidia-ml-py. The driver lacks the functions of the names that are not in
    `reasons`, and of the processes where `pids` is None."""
    module = ModuleType("pynvml")

    def missing(handle: object) -> int:
        raise NvmlError("Function Not Found")

    def mismatch(handle: object) -> None:
        raise NvmlLibraryMismatchError("use a versioned function")

    def known(value: int) -> object:
        return lambda handle: value

    module.__dict__.update(
        NVMLError=NvmlError,
        NVML_CLOCK_SM=1,
        nvmlDeviceGetClockInfo=lambda handle, kind: 1410,
        nvmlDeviceGetComputeRunningProcesses=mismatch,  # what it raises with an older driver
        nvmlDeviceGetComputeRunningProcesses_v3=(
            (lambda handle: [SimpleNamespace(pid=pid) for pid in pids])
            if pids is not None
            else missing
        ),
        nvmlDeviceGetCurrentClocksEventReasons=missing,
    )
    for name, value in reasons.items():
        setattr(module, f"nvmlDeviceGetCurrentClocks{name}Reasons", known(value))
    return module


@pytest.mark.parametrize("name", ["Event", "Throttle"])
def test_a_gpu_under_either_name(name: str) -> None:
    assert conditions.gpu_reading(nvml([7, 8, 8], {name: 0x44}), None) == {
        "gpu_sm_clock": 1.41e9,
        "gpu_clock_reasons": 0x44,
        "gpu_foreign_processes": 1,
    }


@pytest.mark.parametrize("pids", [[], None])
def test_what_a_gpu_does_not_tell_is_left_out(pids: list[int] | None) -> None:
    assert conditions.gpu_reading(nvml(pids, {}), None) == {"gpu_sm_clock": 1.41e9}


def test_an_older_nvidia_ml_py_lacks_the_name() -> None:
    older = nvml([7], {})
    del older.__dict__["nvmlDeviceGetComputeRunningProcesses_v3"]
    assert conditions.gpu_reading(older, None) == {"gpu_sm_clock": 1.41e9}


def test_a_gpus_covariates_are_those_of_both_ends() -> None:
    before = {"gpu_sm_clock": 1e8, "gpu_clock_reasons": 0x41, "gpu_foreign_processes": 0}
    after = {"gpu_sm_clock": 1e9, "gpu_clock_reasons": 0x04, "gpu_foreign_processes": 2}
    assert conditions.covariates([before, after]) == [
        {"gpu_sm_clock": 1e9, "gpu_clock_reasons": 0x45, "gpu_foreign_processes": 2}
    ]


# --- the rule -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("covariates", "reasons"),
    [
        ({}, []),
        ({"steal": 0.01}, []),
        ({"steal": 0.05}, ["steal"]),
        ({"throttled": 1e-6}, ["throttling"]),
        ({"thermal_throttles": 1}, ["heat"]),
        ({"core_speed": 0.92}, []),
        ({"core_speed": 0.90}, ["a slowed core"]),
        ({"foreign_load": 0.4}, []),  # two jiffies more or less in a block of 0.1 s
        ({"foreign_load": 1.0}, ["foreign load"]),
        ({"foreign_load": 1.0, "idle_cores": 0.9}, ["foreign load"]),
        ({"foreign_load": 30.0, "idle_cores": 1.0}, []),  # they have a core left
        ({"probe": 5.0, "gpu_sm_clock": 1.0}, []),
        ({"gpu_foreign_processes": 1}, ["foreign GPU processes"]),
        ({"gpu_clock_reasons": 0x01 | 0x02 | 0x04 | 0x10 | 0x100}, []),
        ({"gpu_clock_reasons": 0x08}, ["a GPU held back"]),  # hardware slowdown
        ({"gpu_clock_reasons": 0x20}, ["a GPU held back"]),  # too hot, says the driver
        ({"gpu_clock_reasons": 0x40 | 0x04}, ["a GPU held back"]),  # too hot, says the hardware
        ({"gpu_clock_reasons": 0x80}, ["a GPU held back"]),  # power brake
        ({"core_speed": 0.5, "steal": 0.1}, ["steal", "a slowed core"]),
    ],
)
def test_the_rule(covariates: dict[str, float], reasons: list[str]) -> None:
    assert conditions.reasons(covariates) == reasons
    assert conditions.disturbed(covariates) is bool(reasons)


def probed(*seconds: float) -> list[conditions.Covariates]:
    return conditions.covariates([{"probe": one} for one in seconds])


@pytest.mark.parametrize(
    ("probes", "speeds"),
    [
        ((4.0, 4.0, 2.0, 8.0, 2.0, 2.0), [0.5, 0.5, 0.25, 0.25, 1]),
        ((4.0, 4.0, 2.0, 1.0, 4.0), [1, 1, 1, 1]),  # two lucky probes set no bar
        ((4.0, 2.0), [0.5]),
    ],
)
def test_core_speed_is_of_the_slower_probe_against_the_third_best_of_all(
    probes: tuple[float, ...], speeds: list[float]
) -> None:
    assert [block["core_speed"] for block in probed(*probes)] == speeds


@pytest.mark.parametrize(
    ("speeds", "counted"),
    [
        ([1, 0.5, 1, 1, 0.9], "x-xx-"),
        ([1, 0.5, 1, 0.8, 0.7], "x-xx-"),  # two undisturbed ones: the best of the others fills up
        ([0.5, 0.6, 0.7, 0.8, 0.6], "-xxxx"),  # equals alike, whenever they were taken
        ([0.5, 1], "xx"),
        ([1, 1, 1, 1, 0.5], "xxxx-"),
    ],
)
def test_the_undisturbed_count_and_else_the_least_disturbed(
    speeds: list[float], counted: str
) -> None:
    answer = conditions.kept([{"core_speed": speed} for speed in speeds])
    assert "".join("x" if one else "-" for one in answer) == counted


def test_blocks_that_are_equally_disturbed_all_count() -> None:
    """The first three of them would be biased in time."""
    assert conditions.kept([{"gpu_foreign_processes": 1.0}] * 8) == [True] * 8


def test_discarded_samples_and_their_conditions_are_kept_in_order() -> None:
    blocks = [{"core_speed": speed, "steal": 0.0} for speed in (1, 0.5, 1, 1)]
    del blocks[2]["steal"]
    watched = conditions.judged("throughput", [10.0, 5.0, 11.0, 12.0], blocks)
    assert watched.values == {"throughput": [10, 11, 12]}
    assert watched.discarded == {"throughput": [5]}
    assert watched.covariates == {
        "core_speed": [1, 0.5, 1, 1], "disturbed": [0, 1, 0, 0], "discarded": [0, 1, 0, 0],
    }  # fmt: skip


def test_a_process_that_stays_disturbed_says_so() -> None:
    blocks = [{"core_speed": speed} for speed in (1, 0.5, 0.4, 0.8)]
    watched = conditions.judged("throughput", [1.0, 2.0, 3.0, 4.0], blocks)
    assert watched.values == {"throughput": [1, 2, 4]}
    assert watched.covariates["disturbed"] == [0, 1, 1, 1]
    assert watched.covariates["discarded"] == [0, 0, 1, 0]


def test_the_judgement_is_blind_to_the_samples() -> None:
    blocks = [{"core_speed": speed} for speed in (1, 0.5, 1, 1)]
    for samples in ([1.0, 2, 3, 4], [9.0, 1, 9, 9], [1.0, 9, 1, 1]):
        assert conditions.judged("x", samples, blocks).covariates["discarded"] == [0, 1, 0, 0]
