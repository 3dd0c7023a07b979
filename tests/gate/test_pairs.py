"""Real pairs of real processes of a tiny model, and what may go wrong with a side."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.errors import CmxError
from cmx_bench.execute import interpreters
from cmx_bench.execute.interpreters import Server
from cmx_bench.gate import pairs
from cmx_bench.gate.cores import PairCores
from cmx_bench.gate.pairs import PairError
from cmx_bench.models.building import build
from cmx_bench.worker.local import LostError

TINY = {"dim": 16, "depth": 2, "kernel_size": 3, "patch_size": 7}
MODEL = Model("tiny", "Tiny", "convmixer", "convmixer", "", TINY)
CELL = Cell(MODEL, "throughput", Setting("ci", "cpu", "fp32", "nchw", "none", 1, 56, threads=1))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    log = tmp_path_factory.mktemp("sides") / "log.txt"
    with (
        interpreters.opening("base", sys.executable, log, {}, 120) as base,
        interpreters.opening("head", sys.prefix, log, {}, 120) as head,  # an environment, or /usr
    ):
        interpreters.await_ready(base)
        interpreters.await_ready(head)
        yield base, head


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "TOGETHER_SECONDS", 0.0)
    monkeypatch.setattr(pairs, "TURNS_SECONDS", 0.0)


def test_a_pair(both: tuple[Server, Server]) -> None:
    pair = pairs.measure(CELL, *both, random.Random(0))
    assert pair.cell == CELL.key
    kinds = [block.together for block in pair.blocks]
    assert kinds.count(True) in (0, pairs.FEWEST_TOGETHER)
    assert kinds.count(False) in (0, pairs.FEWEST_IN_TURNS)
    assert pair.passes * pair.seconds("base") > 0
    assert pair.environments[0]["torch"] == pair.environments[1]["torch"]
    usable = os.sched_getaffinity(0)
    assert pair.cores is None if len(usable) == 1 else set(pair.cores or ()) <= usable


@pytest.mark.parametrize(
    ("sharp", "together"), [(math.inf, [True] * 6), (0.0, [True] * 6 + [False] * 3)]
)
def test_turns_follow_where_side_by_side_is_not_sharp(
    both: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch, sharp: float, together: list[bool]
) -> None:
    core = min(os.sched_getaffinity(0))
    places = PairCores([core], ([core], [core]))
    monkeypatch.setattr(pairs.cores, "draw", lambda *_: places)
    monkeypatch.setattr(pairs, "SHARP", sharp)
    pair = pairs.measure(CELL, *both, random.Random(0))
    assert [block.together for block in pair.blocks] == together
    assert pair.cores == [core]


def test_extra_layers_make_head_slower(both: tuple[Server, Server]) -> None:
    """Fifty layers beside two: whatever else the machine does."""
    pair = pairs.measure(CELL, *both, random.Random(0), extra_layers=50)
    assert pair.log_ratio > 0.5


@pytest.mark.parametrize(
    ("target", "args", "message"),
    [
        ("os:abort", {}, "the process was killed by SIGABRT"),
        ("os:_exit", {"status": 7}, r"the process ended without a result \(exit code 7\)"),
    ],
)
def test_a_worker_that_dies_says_how(
    both: tuple[Server, Server], target: str, args: dict[str, int], message: str
) -> None:
    deadly = replace(MODEL, source="python", target=target, args=args)
    order = pairs.describe(replace(CELL, model=deadly)) | {"measure": "params", "trace": True}
    with pytest.raises(PairError, match=message):
        pairs.ask_once(both[0], order)


def test_an_exact_measure(both: tuple[Server, Server]) -> None:
    for side in both:
        order = pairs.describe(CELL) | {"measure": "params", "trace": True}
        values = pairs.ask_once(side, order)["values"]
        parameters = build(MODEL, 56).parameters()
        assert values["params"] == [sum(parameter.numel() for parameter in parameters)]


def test_a_model_that_fails_says_why_for_each_side(both: tuple[Server, Server]) -> None:
    wrong = replace(MODEL, args=TINY | {"depth": "many"})
    with pytest.raises(PairError) as caught:
        pairs.measure(replace(CELL, model=wrong), *both, random.Random(0))
    assert list(caught.value.reasons) == ["base", "head"]
    assert "tiny: cannot be built: TypeError" in caught.value.reasons["head"]


def test_an_order_leaves_out_what_a_model_or_a_setting_has_none_of() -> None:
    """So that a version of this package that lacks a field can be compared with this one."""
    named = {"name", "label", "family", "source", "target", "args", "num_classes"}
    order = pairs.describe(CELL)
    assert order["model"].keys() == named
    assert Model(**order["model"]) == MODEL
    assert "hardware" not in order["setting"]
    slower = replace(CELL.setting, cudnn_benchmark=False)
    for setting in (CELL.setting, slower):
        order = pairs.describe(replace(CELL, setting=setting))
        assert Setting(**order["setting"]) == setting
    given = pairs.describe(replace(CELL, model=replace(MODEL, recipe="a")))
    assert given["model"]["recipe"] == "a"


def test_too_slow_an_answer(both: tuple[Server, Server]) -> None:
    with pytest.raises(PairError, match="longer than 0 s"):
        pairs.ask_once(
            replace(both[0], timeout=0), pairs.describe(CELL) | {"measure": "macs", "trace": True}
        )


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no/such/python", "no/such/python: no such interpreter"),
        (".", r"^\.: neither a virtual environment nor a folder of Python packages"),
    ],
)
def test_no_such_side(
    path: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(CmxError, match=message),
        interpreters.opening("base", path, tmp_path / "log", {}),
    ):
        pass


def test_an_interpreter_without_the_package(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -P -S -E "$@"\n')
    python.chmod(0o755)
    with pytest.raises(CmxError, match=r"cannot serve \(ModuleNotFoundError: .*install this"):
        interpreters.package_of(str(python))
    with (
        interpreters.opening("base", str(python), tmp_path / "log", {}) as server,
        pytest.raises(LostError, match="base: the interpreter could not be started"),
    ):
        interpreters.await_ready(server)


@pytest.mark.parametrize("inside", [".", "src"])
def test_a_checkout_comes_before_what_is_installed(tmp_path: Path, inside: str) -> None:
    """A package of the checkout shadows the installed one of this name."""
    package = tmp_path / inside / "torch"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('the torch of the checkout')\n")
    log = tmp_path / "log"
    order = pairs.describe(CELL) | {"measure": "params", "trace": True}
    with interpreters.opening("head", str(tmp_path), log, {}) as head, pytest.raises(PairError):
        pairs.ask_once(head, order)
    assert "the torch of the checkout" in log.read_text()


def test_the_working_folder_is_the_last_place_to_import_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`python -m cmx_bench` has it first: a head that is the folder would be base as well."""
    (tmp_path / "packaging").mkdir()
    (tmp_path / "packaging" / "__init__.py").write_text("raise RuntimeError('this one')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    python, environment = interpreters._interpreter(Path(sys.executable))
    subprocess.run([python, "-c", "import packaging"], env=environment, check=True)
