"""Peak memory: by arithmetic, on systems that tell less, on a made-up GPU."""

from __future__ import annotations

import mmap
import resource
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cmx_bench import measures
from cmx_bench.cell import Model, Setting
from cmx_bench.errors import SkipError
from cmx_bench.measures import memory, ready

from .test_measures import CPU, MODEL, measure, measure_afresh


def test_memory_holds_the_weights_and_the_images() -> None:
    # 64 MiB of weights in one layer: far above the noise of a process.
    wide = replace(MODEL, args={"dim": 4096, "depth": 1, "kernel_size": 3, "patch_size": 7})
    weights = 4 * (4096 * (9 + 4096 + 6 + 147 + 10 + 3) + 10)
    assert weights < measure("planned_memory", wide)["planned_memory"][0] < 2 * weights
    assert 0.9 * weights < measure_afresh("memory", wide, CPU)["peak_memory"][0] < 4 * weights


@pytest.mark.parametrize("name", ["memory", "train_memory"])
def test_what_building_imports_is_no_memory_of_the_model(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a function does that imports transformers and builds a network of it."""
    (tmp_path / "large_code.py").write_text("TABLE = b'1' * (256 * 2**20)\n")
    (tmp_path / "own_late.py").write_text(
        "def build():\n    import large_code, torch\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 56 * 56, 10))\n"
    )
    monkeypatch.chdir(tmp_path)
    own = Model("m", "M", "m", "python", "own_late:build", num_classes=10)
    assert max(value for [value] in measure_afresh(name, own, CPU).values()) < 128 * 2**20


def test_building_for_the_imports_leaves_no_room_for_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights that are put on the CPU whatever the device is, each too small to be given back."""
    (tmp_path / "own_small.py").write_text(
        "import torch\n\n"
        "class Own(torch.nn.Linear):\n"
        "    def __init__(self):\n        super().__init__(3, 10)\n"
        "        small = (torch.ones(200_000, device='cpu') for _ in range(200))\n"
        "        self.more = torch.nn.ParameterList(map(torch.nn.Parameter, small))\n\n"
        "    def forward(self, image):\n"
        "        return super().forward(image.mean((2, 3))) * self.more[0][0]\n"
    )
    monkeypatch.chdir(tmp_path)
    own = Model("m", "M", "m", "python", "own_small:Own", num_classes=10)
    assert measure_afresh("memory", own, CPU)["peak_memory"][0] > 200 * 200_000 * 4


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("site-packages/other.so.2", False),
        ("site-packages/weights.bin", True),
        ("compiled.so", True),
    ],
)
def test_code_of_libraries_is_no_memory_of_the_model(
    name: str, counts: bool, tmp_path: Path
) -> None:
    """What else a process maps counts, as weights may be mapped and what is compiled."""
    size = 64 * 2**20
    (tmp_path / "site-packages").mkdir()
    (tmp_path / name).write_bytes(bytes(size))
    with (tmp_path / name).open("rb") as file:
        before, peak_before = memory.resident(), memory.forget_peak() and memory.peak_resident()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert sum(mapped[:: mmap.PAGESIZE]) == 0
            grown = memory.resident() - before, memory.peak_resident() - peak_before
    for bytes_grown in grown:
        assert (bytes_grown > 0.9 * size) is counts and bytes_grown < 1.1 * size


def test_the_peak_is_counted_anew() -> None:
    block = torch.ones(32 * 2**20)  # 128 MiB
    high = memory.peak_resident()
    del block
    memory.forget_peak()
    assert memory.peak_resident() < high - 100 * 2**20


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a system tells of this process in place of /proc: that no file can be written."""
    monkeypatch.setattr(memory, "_PROCESS", tmp_path)
    (tmp_path / "clear_refs").mkdir()
    return tmp_path


@pytest.mark.parametrize("status", [None, "", "VmRSS:\t 5 kB\n", "VmHWM:\t 99999999 kB\n"])
def test_a_peak_that_cannot_be_counted_anew_is_that_of_the_process(
    proc: Path, status: str | None
) -> None:
    """A read-only /proc, none, and sandboxes whose status has no peak; the record says so."""
    if status is not None:
        (proc / "status").write_text(status)
    for name in ("memory", "train_memory"):
        watched = measures.function(name)(MODEL, CPU)
        assert isinstance(watched, measures.Watched)
        assert watched.details == {"peak_since": "the start of the process"}
        most = 99_999_999 * 1024 if status and "VmHWM" in status else _own_peak()
        assert -(2**20) < max(value for [value] in watched.values.values()) < most


def _own_peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_a_status_without_a_peak_is_not_counted_anew(proc: Path) -> None:
    (proc / "clear_refs").rmdir()
    (proc / "status").write_text("VmRSS:\t 5 kB\n")
    assert not memory.forget_peak()
    assert memory.peak_resident() == pytest.approx(_own_peak() - memory._code(), rel=0.01)
    assert memory.peak_resident() >= memory.resident() - 2**20


def test_what_a_process_holds_is_not_told_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise memory.psutil.NoSuchProcess(1)

    monkeypatch.setattr(memory.psutil, "Process", missing)
    for name in ("memory", "train_memory"):
        with pytest.raises(SkipError, match="how much memory a process holds: mount /proc"):
            measures.function(name)(MODEL, CPU)


def test_device_memory_is_what_the_device_has_in_use_more_than_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a made-up GPU: of 1000 bytes 900 are free, and 640 once the model has run."""
    free = [900]

    def prepare(model: Model, setting: Setting) -> ready.Ready:
        free[0] -= 260
        return ready.Ready(lambda: torch.zeros(()))

    monkeypatch.setattr(memory, "prepare", prepare)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free[0], 1000))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 150)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 200)
    for name in ("synchronize", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda device: None)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    assert memory.measure(MODEL, replace(CPU, device="cuda:0")) == {
        "peak_memory": [150], "reserved_memory": [200], "device_memory": [260],
    }  # fmt: skip
