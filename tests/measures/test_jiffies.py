"""The counters of cores in the text of a system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cmx_bench.measures import jiffies


def test_cores_by_jiffies() -> None:
    text = "cpu  100 20 30 1000 50 4 6 7 99 99\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 5\n"
    assert jiffies.passed(text) == {
        "jiffies": 1217, "busy_jiffies": 160, "idle_jiffies": 1050, "stolen_jiffies": 7,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "\n", "intr 5\n", "cpu  1 2 3\n"])
def test_what_cannot_be_read_is_left_out(text: str) -> None:
    assert jiffies.passed(text) == {}


@pytest.mark.parametrize(
    ("group", "limits", "cores"),
    [
        ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "250000 100000"}, 2),
        ("0::/as-the-host-sees-it", {"cpu.max": "50000 100000"}, 1),
        ("4:cpu,cpuacct:/x",
         {"cpu/x/cpu.cfs_quota_us": "300000\n", "cpu/x/cpu.cfs_period_us": "100000\n"}, 3),
        ("4:cpu:/", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ("0::/", {"cpu.max": "1600000 100000"}, 8),
        ("0::/", {}, 8),
    ],
)  # fmt: skip
def test_a_container_has_the_cores_that_its_limit_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str, limits: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    files = {"proc/self/cgroup": f"{group}\n"}
    for name, text in (files | {f"sys/fs/cgroup/{it}": limits[it] for it in limits}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert jiffies.usable_cores(tmp_path) == cores


def test_whole_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 0 and 2 the system says that they are one core, of 1 that it is one, of 3 nothing."""
    for thread, siblings in {0: "0,2", 1: "1", 2: "0,2"}.items():
        (tmp_path / f"cpu{thread}/topology").mkdir(parents=True)
        (tmp_path / f"cpu{thread}/topology/thread_siblings_list").write_text(f"{siblings}\n")
    assert jiffies.whole_cores(range(4), tmp_path) == {"0,2": [0, 2], "1": [1], "": [3]}
    for affinity, cores in ({0, 2}, 1), ({0, 1}, 2), ({0, 1, 2}, 2), ({0, 3}, None):
        monkeypatch.setattr(os, "sched_getaffinity", lambda process, usable=affinity: usable)
        assert jiffies.usable_whole_cores(tmp_path) == cores
