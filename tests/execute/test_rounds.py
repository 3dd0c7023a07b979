"""Real rounds: fresh interpreters, fresh processes, cells that fail."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable
from contextlib import chdir, nullcontext
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.errors import RecordsError
from cmx_bench.execute import rounds
from cmx_bench.measures import MEASURES, compiled
from cmx_bench.worker import limits
from cmx_bench.worker.job import Job, Round

SETTING = Setting("cpu", "cpu", "fp32", "nchw", "none", 2, 28)
MIXER = Model(
    "m",
    "M",
    "convmixer",
    "convmixer",
    "",
    {"dim": 4, "depth": 1, "kernel_size": 3, "patch_size": 7},
)


def job(tmp_path: Path, model: Model = MIXER, measure: str = "params") -> Job:
    return Job(Cell(model, measure, SETTING), 0, tmp_path / "log.txt")


def rounds_of(jobs: Iterable[Job]) -> list[Round]:
    """The rounds of these jobs, none of which is held back."""
    return [Round(tuple(group), repeated) for (_, repeated), group in groupby(jobs, key=_round)]


def _round(job: Job) -> tuple[int, bool]:
    return job.replicate, MEASURES[job.cell.measure].repeats(job.cell.setting.kind)


def test_a_cell_is_measured(tmp_path: Path) -> None:
    [(_, outcome)] = rounds.execute(rounds_of([job(tmp_path)]), 300)
    assert outcome.reason == ""
    assert outcome.values["params"] == [4 * (1 * (9 + 4 + 6) + 3 * 49 + 1000 + 3) + 1000]
    assert outcome.environment["fp32_precision_matmul"] == "ieee"
    assert outcome.environment["device"] == "cpu"


def test_one_code_for_all_cells_of_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the working folder, as `python -m` has it, whether a cell is repeated or not; and
    files there that are called like Python's or torch break nothing."""
    here, site = tmp_path / "here", tmp_path / "site"
    for folder, width in ((here, 3), (site, 5)):
        folder.mkdir()
        (folder / "twice.py").write_text(
            f"from torch import nn\ndef build(): return nn.Conv2d(3, {width}, 1)\n"
        )
    for name in ("queue.py", "torch.py", "sympy.py"):
        (here / name).write_text("raise RuntimeError('the wrong one')\n")
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
    monkeypatch.setattr(sys, "path", [str(here), str(site), *sys.path])
    model = Model("m", "M", "m", "python", "twice:build")
    jobs = [job(tmp_path, model, measure) for measure in ("params", "memory", "load_time")]
    with chdir(here):
        outcomes = [outcome for _, outcome in rounds.execute(rounds_of(jobs), 300)]
    assert [outcome.reason for outcome in outcomes] == ["", "", ""]
    assert outcomes[0].values["params"] == [3 * 3 + 3]
    content = hashlib.sha256((here / "twice.py").read_bytes()).hexdigest()
    assert {tuple(outcome.details["origin"].values()) for outcome in outcomes} == {
        ("twice.py", content)
    }


def test_a_cell_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    broken = Model("b", "B", "convmixer", "convmixer", "", {"dim": 4})
    failed, measured = rounds.execute(rounds_of([job(tmp_path, broken), job(tmp_path)]), 300)
    assert failed[1].values == {}
    assert failed[1].reason.startswith("b: cannot be built: TypeError: ")
    assert measured[1].reason == ""
    assert "Traceback" in (tmp_path / "log.txt").read_text()


def test_a_cell_that_takes_too_long(tmp_path: Path) -> None:
    [(_, outcome)] = rounds.execute(rounds_of([job(tmp_path)]), 0.001)
    assert outcome.reason == "the process took longer than 0.001 s, at batch 2"


@pytest.fixture(scope="module")
def reasons(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Why four timings failed, the last one in a second round.

    One wants too much memory; the others tell where the C library lies, which is drawn once for an
    interpreter and all that it forks.
    """
    folder = tmp_path_factory.mktemp("rounds")
    (folder / "where.py").write_text(
        "import ctypes\n"
        "def build():\n"
        "    raise RuntimeError(ctypes.cast(ctypes.CDLL(None).printf, ctypes.c_void_p).value)\n"
    )
    where = Cell(Model("m", "M", "m", "python", "where:build"), "throughput", SETTING)
    huge = Cell(MIXER, "throughput", replace(SETTING, batch_size=10**9, image_size=224))
    jobs = [
        Job(cell, number, folder / "log.txt")
        for cell, number in [(where, 0), (huge, 0), (where, 0), (where, 1)]
    ]
    with chdir(folder):
        return [outcome.reason for _, outcome in rounds.execute(rounds_of(jobs), 300)]


def test_each_round_has_an_interpreter_of_its_own(reasons: list[str]) -> None:
    first, _, second, third = reasons
    assert "RuntimeError" in first
    assert first == second != third


def test_out_of_memory_names_the_batch(reasons: list[str]) -> None:
    assert reasons[1] == "out of memory at batch 1000000000 on cpu"


# A model that kills the server of its round, as the system may where memory runs out; once, or
# every time.
DEADLY = """\
import pathlib, psutil, torch
def build(times):
    deaths = pathlib.Path(DEATHS)
    if deaths.stat().st_size < times:
        with deaths.open("a") as file:
            file.write("x")
        psutil.Process().parent().PARENTkill()
        while True:
            pass
    return torch.nn.Softsign()
"""


@pytest.mark.parametrize(
    ("parent", "is_short"), [("", True), ("parent().", True), ("parent().", False)]
)
def test_an_interpreter_that_dies_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parent: str, is_short: bool
) -> None:
    """Whether what forks is killed, or what had that begun. A model that goes on doing it, and not
    a lack of memory, fails for it."""
    monkeypatch.setattr(limits, "may_lack_memory", lambda: is_short)
    deaths = tmp_path / "deaths"
    deaths.touch()
    code = DEADLY.replace("DEATHS", repr(str(deaths))).replace("PARENT", parent)
    (tmp_path / "deadly.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    once, twice = (
        Cell(Model("m", "M", "m", "python", "deadly:build", {"times": times}), "load_time", SETTING)
        for times in (1, 3)
    )
    cells = (once, twice, once) if parent else (once,)  # whoever died, the same goes on
    jobs = [Job(cell, 0, tmp_path / "log.txt") for cell in cells]
    first, *others = (outcome for _, outcome in rounds.execute(rounds_of(jobs), 300))
    assert (first.reason, first.lost) == ("", False)
    for lost, last in [others] if parent else []:
        assert "was lost with its interpreter" in lost.reason
        assert lost.lost is is_short
        assert (last.reason, deaths.read_text()) == ("", "xxx")


def test_a_log_that_cannot_be_written_is_no_fault_of_the_model(tmp_path: Path) -> None:
    lacking = Job(job(tmp_path).cell, 0, tmp_path / "gone" / "log.txt")
    with pytest.raises(RecordsError, match=r"log\.txt: cannot be written: No such file"):
        list(rounds.execute(rounds_of([lacking]), 300))


def test_a_cell_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the first of its processes, which says how long that took; the next finds it done."""
    monkeypatch.setattr(compiled, "folder", lambda _: nullcontext(tmp_path / "shared"))
    (tmp_path / "soft.py").write_text(  # of torch's own modules not every version compiles anything
        "from torch import nn\n\nclass Soft(nn.Module):\n"
        "    def forward(self, x):\n        return nn.functional.softsign(x)\n"
    )
    monkeypatch.chdir(tmp_path)
    model = Model("m", "M", "m", "python", "soft:Soft")
    cell = Cell(model, "throughput", replace(SETTING, compile="default"))
    jobs = iter([Job(cell, 0, tmp_path / "log.txt")] * 2)

    def built() -> list[tuple[Path, int]]:
        files = (tmp_path / "shared").rglob("*.so")
        return sorted((path, path.stat().st_mtime_ns) for path in files)

    ends = rounds.execute(rounds_of(jobs), 300)
    first = next(ends)[1]
    assert first.reason == ""
    assert set(first.values) == {"throughput", "compile_time"}
    there = built()
    assert there
    second = next(ends)[1]
    assert (second.reason, set(second.values)) == ("", {"throughput"})
    assert built() == there
