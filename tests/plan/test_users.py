"""Users' models that die, hang or end when they are tried for a plan, in real processes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.errors import SuiteError
from cmx_bench.plan import making, users
from cmx_bench.plan.users import Asked, Tried
from cmx_bench.spec import suite
from cmx_bench.spec.suite import SuiteFile

from ..conftest import CPU, TINY

MODELS = """\
import ctypes, os, time
from torch import nn

def segv(): ctypes.string_at(0)
def exit0(): os._exit(0)
def base(): raise BaseException("of its own")
def kbd(): raise KeyboardInterrupt
def sysexit(): raise SystemExit(0)
def allfds(): os.closerange(3, 4096)
def hang(): time.sleep(10000)
def fork():
    if os.fork() == 0:
        time.sleep(10000)
    os._exit(0)

def good():
    print("good")
    return nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.Flatten(), nn.LazyLinear(10))

class Forward(nn.Conv2d):
    def __init__(self, how):
        super().__init__(3, 10, 4, 4)
        self.how = how

    def forward(self, x):
        globals()[self.how]()
        return super().forward(x).mean((2, 3))
"""
ONCE = "net: the process that builds and runs it once "
ENDS = {
    "segv": f"{ONCE}was killed by SIGSEGV",
    "exit0": rf"{ONCE}ended without a result \(exit code 0\)",
    "base": "net: (cannot be built|does not run on 56 px images): BaseException: of its own",
    "kbd": "net: (cannot be built|does not run on 56 px images): KeyboardInterrupt: no message",
    "sysexit": "net: (cannot be built|does not run on 56 px images): SystemExit: 0",
    "allfds": rf"{ONCE}ended without a result \(exit code 1\)",
    "hang": f"{ONCE}took longer than 2 s",
    "fork": rf"{ONCE}ended without a result \(exit code 0\)",
}


@pytest.fixture
def suite_of(write_suite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "misbuilt_models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)

    def load(model: str, more: str = "", timeout: float = 100.0) -> SuiteFile:
        text = TINY.replace("timm: resnet10t}", f"python: 'misbuilt_models:{model}}}{more}")
        return suite.load(str(write_suite(f"{text}timeout: {timeout}\n")), trusted=True)

    return load


@pytest.mark.parametrize("model", ["HOW'", "Forward', args: {how: HOW}"])
@pytest.mark.parametrize("how", ENDS)
def test_a_model_that_ends_its_process_has_a_trouble(
    suite_of: Callable[..., SuiteFile], how: str, model: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The others are planned, and nothing but the trouble is said."""
    file = suite_of(model.replace("HOW", how), timeout=2.0 if how == "hang" else 100.0)
    plan = making.make(file, CPU, Asked(trusted=True, tried=users.try_models(file, "cpu")))
    [trouble] = plan.troubles
    assert re.fullmatch(rf".*suite.yaml:4:5: {ENDS[how]}", trouble)
    assert [cell.model.name for cell in plan.cells] == ["mixer", "net"] * 2
    assert capfd.readouterr() == ("", "")


def test_a_misnamed_one_is_refused_with_its_place(suite_of: Callable[..., SuiteFile]) -> None:
    with pytest.raises(SuiteError, match=r"suite.yaml:4:25: net: .* 'god', did you mean 'good'"):
        users.try_models(suite_of("god'"), "cpu")
    with pytest.raises(SuiteError, match=r"suite.yaml:4:59: .*takes no argument 'hwo'.* 'how'"):
        users.try_models(suite_of("Forward', args: {hwo: good}"), "cpu")


def test_a_good_one_is_known_by_all_that_a_plan_needs(
    suite_of: Callable[..., SuiteFile], capfd: pytest.CaptureFixture[str]
) -> None:
    file = suite_of("good'", "\n  - {match: net, families: [mixer], within: 90%, by: both}")
    tried = users.try_models(file, "cpu")
    assert capfd.readouterr() == ("", "")
    cost = tried.costs["net", 56]
    params = 4 * 3 * 16 + 4 + 10 * 4 * 14**2 + 10
    macs = 14**2 * 4 * 3 * 16 + 10 * 4 * 14**2
    assert (cost.params, cost.macs, cost.trouble, cost.origin["file"]) == (
        params, macs, "", "misbuilt_models.py"
    )  # fmt: skip
    assert tried.amounts == {("net", "params", 56): params, ("net", "macs", 56): macs}


def test_one_that_others_match_and_nobody_can_count(suite_of: Callable[..., SuiteFile]) -> None:
    file = suite_of("segv'", "\n  - {match: net, families: [mixer]}")
    tried = users.try_models(file, "cpu")
    with pytest.raises(SuiteError, match="net: the process that counts its params was killed by"):
        making.make(file, CPU, Asked(trusted=True, tried=tried))


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        ("kill", "misbuilt_models:kill, which is to count own::gram, is no function"),
        ("god", "misbuilt_models:god, .*, is no function, did you mean 'good'?"),
    ],
)
def test_a_function_that_is_to_count_and_is_none(
    write_suite: Any, suite_of: Callable[..., SuiteFile], function: str, problem: str
) -> None:
    suite_of("good'")  # writes the module
    text = TINY + f"macs: {{rules: {{own::gram: 'misbuilt_models:{function}'}}}}\n"
    file = suite.load(str(write_suite(text)), trusted=True)
    with pytest.raises(SuiteError, match=f":9:27: rules: {problem}"):
        users.try_models(file, "cpu")


def test_without_such_models_no_process_is_started(tiny: SuiteFile) -> None:
    def call(target: str, *arguments: object, timeout: float | None = None) -> None:
        raise AssertionError(target)

    assert users.try_models(tiny, "cpu", call) == Tried()
