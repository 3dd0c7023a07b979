"""The part that runs on a node of a cluster. It describes the node and executes jobs."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, TypeAlias

import psutil

import cmx_bench
from cmx_bench import accuracy
from cmx_bench.errors import CmxError
from cmx_bench.execute.on_device import Work
from cmx_bench.measures import compiled, jiffies
from cmx_bench.results import checkouts, runfolder
from cmx_bench.training.orphans import end_with
from cmx_bench.worker import local, scratch
from cmx_bench.worker.job import EvaluationJob, Heard, Job, Seen

# What nodes and the driver must have in common: they send each other data of these.
_PACKAGES = ("cmx-bench", "torch", "torchvision", "timm")
# What an evaluation leaves that is for the run's folder; states of trainings stay on the node.
_RESULTS = (
    "**/predictions/*.npz",
    "**/predictions/*.csv",
    "trained/*.safetensors",
    "trained/*.json",
)
_MOST_OF_A_LOG = 2**20  # bytes that a job's processes printed, the last of them

# By their paths within a run's folder.
Files: TypeAlias = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a node says of itself: versions by package, without those that are not there; what
    stands for the `code` of this package, for two checkouts of one version may differ; what its
    devices of each kind are, by which nodes of one hardware are known; and the variables with which
    its agents share a scratch folder."""

    versions: Mapping[str, str]
    code: str
    devices: Mapping[str, str]
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """What is heard of an order, and what a cell with its outcome has left and printed."""

    said: Heard
    left: Files = field(default_factory=dict)
    printed: bytes = b""


class Agent:
    """An actor of Ray's on a node, which loads no torch: what does runs in processes below it, and
    they end with it."""

    def __init__(self, here: Path, variables: Mapping[str, str] | None = None) -> None:
        """An agent that works in the folder `here`, where the node has it, as a command would."""
        end_with(os.getppid())  # Ray's own processes outlive it where all of it dies at once
        _undo_ray()
        os.environ.update(variables or {})
        with suppress(OSError):
            os.chdir(here)
        self._work = Work()
        self._log = scratch.folder() / f"log-{os.getpid()}.txt"
        self._printed = 0  # bytes of the log that the driver has
        self._sent: dict[str, int] = {}  # the files of results that it has, by their times
        self._told: Iterator[Told] = iter(())

    def facts(self) -> Facts:
        """The node's description of itself."""
        return facts()

    def is_there(self) -> bool:
        """Whether the agent has begun and holds all its resources."""
        return True

    def call(self, target: str, arguments: tuple[object, ...], timeout: float | None) -> Any:
        """What a function returns in a fresh process, or the error that it raises."""
        try:
            return local.call(target, *arguments, timeout=timeout)
        except CmxError as error:
            return error

    def missing(self, paths: Sequence[Path], modules: Sequence[str]) -> list[str]:
        """Those of these paths at which nothing lies, and those modules that cannot be found."""
        folders = [str(Path.cwd()), *sys.path]
        lost = [name for name in modules if PathFinder.find_spec(name, folders) is None]
        return [str(path) for path in paths if not path.exists()] + [f"module {x}" for x in lost]

    def open(self, repeated: bool) -> CmxError | None:
        """Loads torch into what forks the processes of a round; why that failed, if it did."""
        try:
            self._work.open(repeated, self._log, compiled.variables(scratch.folder() / "compiled"))
        except CmxError as error:
            return error
        return None

    def begin(self, order: Job | EvaluationJob, kept: Files, timeout: float) -> None:
        """Begins to execute a job, or to evaluate in a folder of its own, where it finds what is
        `kept` of the run."""
        if isinstance(order, Job):
            order = replace(order, log=self._log)
        else:
            order = replace(order, folder=scratch.folder() / f"run-{os.getpid()}")
            if order.task.cache is not None:  # that of the driver's home
                order = replace(order, task=replace(order.task, cache=accuracy.cache_folder()))
            runfolder.write_files(order.folder, kept)
            dict(_new_in(order.folder, self._sent))
        self._told = self._follow(order, timeout)

    def hear(self) -> Told | CmxError | None:
        """What is new of the order that was begun, as soon as anything is; the error that ends it,
        None where it has ended."""
        try:
            return next(self._told, None)
        except CmxError as error:
            return error

    def _follow(self, order: Job | EvaluationJob, timeout: float) -> Iterator[Told]:
        for said in self._work.carry_out(order, timeout):
            if isinstance(said, Seen):
                yield Told(said)
            else:
                folder = None if isinstance(order, Job) else order.folder
                left = {} if folder is None else dict(_new_in(folder, self._sent))
                yield Told(said, left, self._new_in_log(order.log))

    def _new_in_log(self, log: Path) -> bytes:
        if not log.exists():
            return b""
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(self._printed, size - _MOST_OF_A_LOG))
            self._printed = size
            return file.read()


def facts() -> Facts:
    """Those of this process."""
    versions = {}
    for package in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    versions["cmx-bench"] = cmx_bench.__version__  # of the code that runs, installed or not
    code = checkouts.code_of(Path(cmx_bench.__file__).parent)
    return Facts(versions, code, _devices(), dict(scratch.variables()))


def _new_in(folder: Path, before: dict[str, int]) -> Iterator[tuple[str, bytes]]:
    """The results in a run's folder that were written since those known `before`, which grow."""
    for path in sorted(path for pattern in _RESULTS for path in folder.glob(pattern)):
        name, when = path.relative_to(folder).as_posix(), path.stat().st_mtime_ns
        if before.get(name) != when:
            before[name] = when
            yield name, path.read_bytes()


def _undo_ray() -> None:
    """Has what this process starts find what a command on its node finds: Ray gives its workers a
    number of threads, modules of its own, and a lower priority, which timings must not have."""
    import ray

    raylet = psutil.Process(int(os.environ["RAY_RAYLET_PID"]))
    if "OMP_NUM_THREADS" not in raylet.environ():
        os.environ.pop("OMP_NUM_THREADS", None)
    home = Path(ray.__file__).parent
    sys.path[:] = [folder for folder in sys.path if home not in Path(folder).parents]
    with suppress(PermissionError):  # the user's own may not be raised by him
        os.setpriority(os.PRIO_PROCESS, 0, raylet.nice())


def _devices() -> dict[str, str]:
    """What tells devices of one kind from others, read without torch: two nodes on which it is
    equal have the same hardware."""
    names = ("model name", *jiffies.CPU_FIELDS)
    fields = jiffies.system_text(Path("/proc/cpuinfo")).splitlines()
    lines = [line for line in fields if line.partition("\t")[0] in names]
    cpu = f"{os.cpu_count()} {sorted(set(lines))}"
    driver = Path("/proc/driver/nvidia")
    gpus = map(jiffies.system_text, driver.glob("gpus/*/information"))
    models = {line for gpu in gpus for line in gpu.splitlines() if line.startswith("Model:")}
    version = jiffies.system_text(driver / "version").splitlines()
    return {"cpu": cpu, "cuda": f"{cpu} {version} {sorted(models)}"}
