"""Where the checks run, for how long, and how they say what they found: a line each.

`CMX_GPU` is unset (skipped without a GPU), `required` (no GPU is an error), or `cpu` (tries the
checks themselves, as far as a CPU can). `CMX_GPU_SECONDS` is the time they have together.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import STDOUT, TimeoutExpired
from typing import Any

import pytest
import torch

import cmx_bench

HERE = Path(__file__).parent
ASKED = os.environ.get("CMX_GPU", "")
SECONDS = float(os.environ.get("CMX_GPU_SECONDS", "560"))
BEGUN = time.monotonic()


def can_run() -> bool:
    return ASKED == "cpu" or torch.cuda.is_available()


def seconds_left() -> float:
    return SECONDS - (time.monotonic() - BEGUN)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the checks, and skips them or fails where there is no GPU."""
    checks = [item for item in items if HERE in item.path.parents]
    for item in checks:
        item.add_marker(pytest.mark.gpu)
    if not checks or can_run():
        return
    if ASKED == "required":
        pytest.exit("no GPU: torch.cuda.is_available() is False", returncode=1)
    for item in checks:
        item.add_marker(pytest.mark.skip("no GPU"))


@pytest.fixture(scope="session")
def device() -> str:
    return "cpu" if ASKED == "cpu" else "cuda:0"


@pytest.fixture
def gpu(device: str) -> str:
    """The device of a check that no CPU can stand in for."""
    if device == "cpu":
        pytest.skip("needs a GPU")
    return device


@pytest.fixture(autouse=True)
def in_time() -> None:
    if seconds_left() < 20:
        pytest.skip(f"the {SECONDS:g} s are over")


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Adds what was seen to the line of a check, whether it passes or not."""
    return lambda text: record_property("seen", text)


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, what it printed, how long it took."""

    rc: int
    text: str
    seconds: float

    @property
    def last(self) -> str:
        return (self.text.strip().splitlines() or [""])[-1]


# A command line of the product, with `limit` seconds and other variables.
Cmx = Callable[..., Done]


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all runs: `CMX_GPU_OUT`, or a temporary one."""
    named = os.environ.get("CMX_GPU_OUT")
    return Path(named).absolute() if named else tmp_path_factory.mktemp("gpu")


def start(*arguments: object, file: Path, **variables: str) -> subprocess.Popen[bytes]:
    """A command that prints into a file, which one that is left over cannot hold open; it heeds
    SIGINT even where a shell runs the tests in the background."""
    line = [sys.executable, "-m", "cmx_bench", *map(str, arguments)]
    home = Path(cmx_bench.__file__).parent.parent  # a checkout that is not installed
    if home.name != "site-packages":
        paths = filter(None, (str(home), os.environ.get("PYTHONPATH")))
        variables = {"PYTHONPATH": os.pathsep.join(paths), **variables}
    with file.open("wb") as printed:
        return subprocess.Popen(
            line, cwd=HERE, stdout=printed, stderr=STDOUT, env=os.environ | variables,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )  # fmt: skip


@pytest.fixture
def cmx(tmp_path: Path) -> Cmx:
    def call(*arguments: object, limit: float, **variables: str) -> Done:
        begin, file = time.monotonic(), tmp_path / "printed.txt"
        child = start(*arguments, file=file, **variables)
        try:
            rc = child.wait(max(1.0, min(limit, seconds_left())))
        except TimeoutExpired:
            rc = 124
            child.send_signal(signal.SIGINT)
            try:
                child.wait(15)
            except TimeoutExpired:
                child.kill()
        return Done(rc, file.read_text(), time.monotonic() - begin)

    return call


def records(folder: Path) -> list[dict[str, Any]]:
    file = folder / "records.jsonl"
    return [json.loads(text) for text in file.read_text().splitlines()] if file.exists() else []


def expect_measured(done: Done, lines: list[dict[str, Any]]) -> None:
    """Nothing failed; what is skipped says why in the report."""
    wrong = [
        f"{record['cell']}: {record['reason']}" for record in lines if record["status"] == "failed"
    ]
    assert lines and not wrong and done.rc in (0, 4), (
        f"rc {done.rc} after {done.seconds:.0f} s: {wrong or done.last}"
    )


def patterns(*chosen: str) -> list[str]:
    return [word for pattern in chosen for word in ("--only", pattern)]


# --- a line each ----------------------------------------------------------------------------------


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """No dots: the lines below say it."""
    if "gpu" not in report.keywords or not can_run():
        return None
    counts = report.when == "call" or report.outcome != "passed"
    return (report.outcome if counts else "", "", "")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if can_run() and (report.when == "call" or report.outcome != "passed"):
        terminal: Any = item.config.pluginmanager.get_plugin("terminalreporter")
        terminal.ensure_newline()
        terminal.write_line(line(report, call))
    return report


def line(report: pytest.TestReport, call: pytest.CallInfo[None]) -> str:
    """`PASS name: what was seen`; of a failure the first line of why."""
    word = {"passed": "PASS", "failed": "FAIL", "skipped": "SKIP"}[report.outcome]
    notes = [str(value) for name, value in report.user_properties if name == "seen"]
    if report.outcome != "passed" and call.excinfo is not None:
        notes.insert(0, (str(call.excinfo.value).splitlines() or [call.excinfo.typename])[0])
    name = report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " ")
    return f"{word} {name}{': ' if notes else ''}{'; '.join(notes)}"[:400]
