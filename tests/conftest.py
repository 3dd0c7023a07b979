"""What tests share: a small suite, machines that need not exist, a stand-in executor."""

from __future__ import annotations

import atexit
import gc
import pickle
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from functools import partial
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pytest

from cmx_bench import cli
from cmx_bench.metrics import first_of
from cmx_bench.present.drawing import Plot, canvas
from cmx_bench.present.drawing.theme import StyleName
from cmx_bench.results import records
from cmx_bench.results.records import Record
from cmx_bench.spec import suite
from cmx_bench.spec.suite import SuiteFile
from cmx_bench.worker import forking
from cmx_bench.worker.job import Job, Outcome, Round

T = TypeVar("T")
# Exit code, stdout and stderr of a command line.
Cli: TypeAlias = Callable[..., tuple[int, str, str]]

TINY = """\
name: tiny
models:
  - {name: mixer, label: Small ConvMixer, convmixer: {dim: 8, depth: 2, kernel_size: 3}}
  - {name: net, timm: resnet10t}
measures: [params, throughput]
replicates: 3
settings:
  cpu: [{name: cpu, batch_size: 2, image_size: 56}]
"""

# Models to be trained and evaluated together, with two seeds.
TRAINED = """\
name: trained
num_classes: 10
models:
  - {name: one, mixer: {dim: 16, depth: 1, patch_size: 4}}
  - {name: other, mixer: {dim: 24, depth: 1, patch_size: 4}}
measures: [accuracy]
accuracy:
  dataset: digits
  preprocessing: shared
  train: {name: short, epochs: 1, batch_size: 16, optimizer: {lr: 0.01}}
  seeds: [0, 7]
settings:
  cpu: [{name: cpu, batch_size: 64, image_size: 16}]
"""

CPU: dict[str, Any] = {
    "device": "cpu", "device_name": "A CPU", "cores": 2, "threads": 2, "cxx": True, "torch": "2.15",
}  # fmt: skip
GPU: dict[str, Any] = CPU | {
    "device": "cuda:0", "device_name": "A GPU", "compute_capability": "9.0", "triton": "3.9",
    "cc": True, "python_headers": True, "device_count": 4,
}  # fmt: skip


def pytest_collection() -> None:
    """What the tests import stays: Python need not search it for garbage again and again."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # or packages of C++ complain that it is still there


# What a server of processes loads that need no torch: it begins in a tenth of the time.
LIGHT = """\
from cmx_bench.worker import forking
with forking.loading():
    pass
"""


@pytest.fixture(scope="module")
def light_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A server of processes that begins in this file, with the environment of the first test that
    needs it, and loads no torch. The one that all tests share goes on beside it."""
    folder = tmp_path_factory.mktemp("light")
    (folder / "light.py").write_text(LIGHT)
    light: Any = forkserver.ForkServer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forkserver, "_forkserver", light)
        for name in forkserver.__all__:
            patch.setattr(forkserver, name, getattr(light, name))
        patch.syspath_prepend(folder)
        patch.setattr(forking, "PRELOAD", "light")
        yield
        light._stop()


_draw = canvas.save
_DRAWN: dict[bytes, dict[str, bytes]] = {}


@pytest.fixture
def drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same figure, of the same points, is drawn once for tests that render a run again and
    again. That it has the same bytes every time is tested where it is drawn."""

    def save(plot: Plot, name: StyleName, kinds: Collection[str]) -> dict[str, bytes]:
        key = pickle.dumps((plot, name, kinds))
        if key not in _DRAWN:
            _DRAWN[key] = _draw(plot, name, kinds)
        return _DRAWN[key]

    monkeypatch.setattr(canvas, "save", save)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are blank for tests of what stands around them: to draw takes most of the time."""
    blank = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"></svg>'
    monkeypatch.setattr(canvas, "save", lambda plot, name, kinds: dict.fromkeys(kinds, blank))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium, for the tests of pages."""
    from .browsing import launched

    with launched() as started:
        yield started


@pytest.fixture
def write_suite(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str = TINY) -> Path:
        path = tmp_path / "suite.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def tiny(write_suite: Callable[..., Path]) -> SuiteFile:
    return suite.load(str(write_suite()))


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home, as a container's with a number alone: neither HOME nor an entry in
    passwd."""

    def refuse(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", refuse)


@pytest.fixture
def cmx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command line in an empty working folder: exit code, stdout, stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cmx-bench", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        atexit.unregister(gc.freeze)  # `report` expects its process to end
        return int(end.value.code or 0), *capsys.readouterr()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")  # whatever terminal or worker the tests run in
    return call


def interruptible(
    line: list[str], environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """A command in a session of its own that heeds SIGINT even where the tests run in the
    background of a shell, which has it ignored by all that it starts."""
    return subprocess.Popen(
        line, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )  # fmt: skip


def wait_until(happens: Callable[[], T], command: subprocess.Popen[Any]) -> T:
    """The first true result while a command runs, which has the core between two looks."""
    while not (result := happens()):
        with suppress(subprocess.TimeoutExpired):
            command.wait(0.05)
        assert command.poll() is None
    return result


class StandIn:
    """An executor that measures nothing: it answers each job as told, and notes the order."""

    def __init__(self, answer: Callable[[Job], Outcome] | None = None) -> None:
        self.answer = answer or (lambda job: samples(job, 100.0 + job.replicate))
        self.seen: list[tuple[str, int]] = []

    def __call__(self, rounds: Iterable[Round], timeout: float) -> Iterator[tuple[Job, Outcome]]:
        for job in (job for this in rounds for job in this.jobs if this.begin(job)):
            self.seen.append((job.cell.key, job.replicate))
            yield job, self.answer(job)


def samples(job: Job, value: float, reason: str = "") -> Outcome:
    """One sample of the first metric of the job's measure."""
    return Outcome({} if reason else {first_of(job.cell.measure): [value]}, reason, CPU)


@pytest.fixture
def stand_in() -> type[StandIn]:
    return StandIn


@pytest.fixture
def cpu() -> dict[str, Any]:
    return dict(CPU)


@pytest.fixture
def gpu() -> dict[str, Any]:
    return dict(GPU)


def append_record(folder: Path, record: Record) -> None:
    """Adds a record to a run's, as a run does."""
    with records.appending(folder) as append:
        append(records.line_of(record))
