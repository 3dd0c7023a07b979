"""`ab` and `selftest` as a user types them."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from itertools import count
from pathlib import Path

import psutil
import pytest

from cmx_bench.cli import judging
from cmx_bench.execute.interpreters import Server
from cmx_bench.gate import ab, pairs, selftest
from cmx_bench.gate.outputs import OUTPUTS
from cmx_bench.gate.verdict import Contrast
from cmx_bench.worker import local
from cmx_bench.worker.local import Call

from ..conftest import Cli, interruptible

SUITE = """\
name: tiny
models:
  - {name: mixer, label: Small ConvMixer, convmixer: {dim: 8, depth: 2, kernel_size: 3}}
measures: [params, throughput]
settings:
  cpu: [{name: cpu, batch_size: 2, image_size: 56, threads: 1}]
"""

TIMED = SUITE.replace("params, throughput", "throughput")

OWN = """\
name: own
models: [{name: net, python: "mypkg.net:Net"}]
measures: [params, throughput]
settings:
  cpu: [{name: cpu, batch_size: 2, image_size: 56, threads: 1}]
"""
NET = """\
import json, pathlib
from torch import nn

SETTINGS = json.loads((pathlib.Path(__file__).parent / "net.json").read_text())

class Net(nn.Sequential):
    def __init__(self):
        layers = [nn.Conv2d(3, 3, 3) for _ in range(SETTINGS["depth"])]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1000))
"""


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No self-test of this machine, and no CI around."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.fixture
def planned_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes that plan are this one's, whose server the tests of this file share."""

    @contextmanager
    def planning(head: str, package: Path) -> Iterator[Call]:
        yield local.call

    monkeypatch.setattr(ab, "planning", planning)


@pytest.fixture
def one_pair_of_servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Rounds share their servers, which take six seconds to start."""
    start, running = ab.both, list[tuple[Server, Server]]()

    @contextmanager
    def both(
        paths: Mapping[str, str], log: Path, timeout: float, shared: Path
    ) -> Iterator[tuple[Server, Server]]:
        if not running:
            running.append(stack.enter_context(start(paths, log, timeout, shared)))
        yield running[0]

    monkeypatch.setattr(ab, "both", both)
    with ExitStack() as stack:
        yield


@pytest.mark.usefixtures("one_pair_of_servers", "planned_here")
def test_ab_end_to_end(
    cmx: Cli, write_suite: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real pairs of a real model; a threshold so wide that four of the shortest decide."""
    monkeypatch.setattr(pairs, "TOGETHER_SECONDS", 0.0)
    monkeypatch.setattr(pairs, "TURNS_SECONDS", 0.0)
    suite = write_suite(SUITE)
    code, out, err = cmx("ab", suite, "--base", sys.executable, "--threshold", "90%", "--out", "x",
                         "--expect-equal")  # fmt: skip
    assert code == 0, err
    assert "PASS: 4 comparisons, none worse by 90 %" in out
    lines = [json.loads(line) for line in Path("x/pairs.jsonl").read_text().splitlines()]
    assert len(lines) >= 4
    assert {line["against"] for line in lines} == {"base"}
    asked = json.loads(Path("x/gate.json").read_text())
    assert set(lines[0]["environments"]) <= set(asked["environments"])
    assert asked["sides"]["head"] == sys.executable
    assert {*OUTPUTS} <= {path.name for path in Path("x").iterdir()}


def test_ab_of_two_checkouts_with_the_same_model(
    cmx: Cli, write_suite: Callable[[str], Path], tmp_path: Path
) -> None:
    """The plan and both sides find a user's model in the checkouts, and what it reads there."""
    for side in ("one", "other"):
        package = tmp_path / side / "mypkg"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "net.py").write_text(NET)
        (package / "net.json").write_text('{"depth": 2}')
    suite = write_suite(OWN)
    code, out, err = cmx("ab", suite, "--base", "one", "--head", "other", "--allow-import",
                         "--out", "x")  # fmt: skip
    assert (code, err) == (2, "")
    assert out.startswith("NOTHING COMPARED: 1 model uses the same code on both sides (")
    assert "mypkg (3 files, from one and from other)" in out.replace("\n", " ")
    asked = json.loads(Path("x/gate.json").read_text())
    [mine] = [
        package for package in asked["code"]["base"]["packages"] if package["name"] == "mypkg"
    ]
    assert (mine["files"], mine["differing"]) == (3, [])
    assert not Path("x/pairs.jsonl").exists()


@pytest.mark.usefixtures("planned_here")
def test_a_module_that_head_lacks(
    cmx: Cli, write_suite: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody finds it: the plan says where it was looked for, and the whole command."""
    monkeypatch.setattr(ab, "both", lambda *_: nullcontext((None, None)))
    same = Contrast("base", ("net",), ("net",))
    rounds = partial(ab.Rounds, watch=print, waiting=[], contrast=same)
    monkeypatch.setattr(ab, "compare", lambda plan, paths, gate, *_: rounds(plan, paths, gate))
    suite = write_suite(OWN.replace("mypkg", "nowhere"))
    code, _, err = cmx("ab", suite, "--base", sys.executable, "--allow-import")
    assert code == 2
    assert f"{suite}:2:30: net: there is no module 'nowhere'" in err
    assert f"PYTHONPATH=FOLDER python -m cmx_bench ab {suite} --base" in err


@pytest.fixture
def heeds_interrupts() -> Iterator[None]:
    """Has this process heed SIGINT even where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("planned_here", "heeds_interrupts")
def test_an_ab_that_is_interrupted_says_where_its_pairs_are(
    cmx: Cli, write_suite: Callable[[str], Path], stand_in_pairs: Callable[..., list[str]]
) -> None:
    """Interrupted while the third pair is measured."""
    numbers = count(1)

    def answer(name: str, layers: int) -> float:
        if next(numbers) == 3:
            signal.raise_signal(signal.SIGINT)
        return 0.0

    stand_in_pairs(answer)
    code, _, err = cmx("ab", write_suite(TIMED), "--base", sys.executable, "--threshold", "0.1%",
                       "--out", "x", "--expect-equal")  # fmt: skip
    said = "interrupted; the pairs so far are in x/pairs.jsonl; the same command begins anew"
    assert (code, err.splitlines()[-1]) == (130, said)
    assert len(Path("x/pairs.jsonl").read_text().splitlines()) == 2


def test_nothing_outlives_an_ab_that_is_killed(
    cmx: Cli, write_suite: Callable[[str], Path]
) -> None:
    line = [sys.executable, "-m", "cmx_bench", "ab", str(write_suite(TIMED)),
            "--base", sys.executable, "--threshold", "0.1%", "--out", "x",
            "--expect-equal"]  # fmt: skip
    with interruptible(line) as run:
        assert run.stderr is not None
        assert "pair 1:" in run.stderr.readline()
        all_of_it = psutil.Process(run.pid).children(recursive=True)
        assert len(all_of_it) >= 4
        os.kill(run.pid, signal.SIGKILL)  # the driver alone: the others have to notice
    assert len(Path("x/pairs.jsonl").read_text().splitlines()) >= 1
    _, alive = psutil.wait_procs(all_of_it, timeout=60)
    assert alive == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--base", "nowhere"], "--base nowhere: no such interpreter"),
        (["--base", sys.executable, "--head", "nowhere"], "--head nowhere: no such interpreter"),
        (["--base", sys.executable, "--threshold", "x"], "--threshold x: expected a percentage"),
        (["--base", sys.executable, "--budget", "x"], "--budget x: expected a time"),
        (["--base", sys.executable, "--inconclusive", "x"], "--inconclusive x: unknown policy"),
    ],
)
def test_ab_refuses_bad_input_at_once(
    cmx: Cli, write_suite: Callable[[str], Path], arguments: list[str], message: str
) -> None:
    code, out, err = cmx("ab", write_suite(SUITE), *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert not Path("reports").exists()


def test_selftest_is_kept_for_later_gates(
    cmx: Cli, write_suite: Callable[[str], Path], stand_in_pairs: Callable[..., list[str]]
) -> None:
    values = iter(range(1000))
    stand_in_pairs(lambda name, layers: 0.004 * layers + 0.002 * (next(values) % 3))
    code, out, err = cmx("selftest", write_suite(SUITE), "--budget", "0s")
    assert code == 0, err
    assert "smallest slowdown caught in 95 % of gates" in out
    *_, here, state = map(Path, out.splitlines())
    assert here.read_text() == state.read_text()
    assert len((here.parent / "pairs.jsonl").read_text().splitlines()) == (
        2 * selftest.FEWEST_ROUNDS + 2
    )


@pytest.mark.parametrize("command", [["selftest"], ["ab", "--base", sys.executable]])
@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("pairs.jsonl", "already holds pairs; give another --out"),
        ("records.jsonl", "holds a run; give another folder"),
    ],
)
def test_a_folder_that_holds_others_is_refused_before_a_plan(
    cmx: Cli, write_suite: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch,
    command: list[str], file: str, said: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(judging, "plan_of", lambda *_, **__: pytest.fail("a plan was made"))
    Path("x").mkdir()
    (Path("x") / file).write_text("precious\n")
    code, _, err = cmx(*command, write_suite(SUITE), "--out", "x")
    assert (code, err.strip()) == (2, f"cmx-bench: x: {said}")
    assert (Path("x") / file).read_text() == "precious\n"


def test_a_self_test_that_nobody_can_keep_is_not_begun(
    cmx: Cli, write_suite: Callable[..., Path], homeless: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = cmx("selftest", write_suite(), "--device", "cpu")
    assert (code, out) == (2, "")
    assert "cmx-bench: this user has no home; set HOME, or XDG_STATE_HOME, to a folder" in err
    assert not Path("reports").exists()
    monkeypatch.setenv("HOME", "/proc")
    code, out, err = cmx("selftest", write_suite(), "--device", "cpu")
    assert (code, out) == (2, "") and "/proc/.local/state/cmx-bench: cannot be" in err
    assert err.splitlines()[-1].endswith(": cannot be written: No such file or directory")
