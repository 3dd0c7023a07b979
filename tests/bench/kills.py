"""What kills cost: commands ended at random moments, and whether the next one has all that is left.

`python tests/bench/kills.py [KILLS] [SEED]` runs a tiny suite, kills it (the command, what it forks
from, the interpreter of a round, or what measures; by SIGKILL, SIGTERM, SIGINT or SIGHUP) and runs
it again. It prints a line a kill and the sums; every number but the first has to be 0.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from cmx_bench.results import records

SUITE = """\
name: kills
models:
  - {name: a, convmixer: {dim: 8, depth: 1, kernel_size: 3, patch_size: 7}}
  - {name: b, convmixer: {dim: 12, depth: 1, kernel_size: 3, patch_size: 7}}
num_classes: 10
measures: [params, load_time]
replicates: 2
timeout: 60
settings:
  cpu: [{name: cpu, batch_size: 2, image_size: 28, threads: 1}]
"""
PLANNED = 2 + 2 * 2
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
WHOM = ("command", "fork server", "interpreter", "worker")
SECONDS = 16.0  # from the beginning of a run to its end, about; the machine's load changes it
PATIENCE = 3.0


def heed() -> None:
    """Takes back that somebody ignores a signal."""
    for number in SIGNALS[1:]:
        signal.signal(number, signal.SIG_DFL)


def start_run(folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A run of the suite, which heeds all signals wherever it was started, as under nohup."""
    line = [sys.executable, "-m", "cmx_bench", "run", "kills.yaml", "--out", "out"]
    return subprocess.Popen(
        line, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        preexec_fn=heed,  # noqa: PLW1509
    )  # fmt: skip


def choose_process(command: psutil.Process, whom: str) -> psutil.Process | None:
    """A process of the command's; None where there is no such one now."""
    if whom == "command":
        return command
    for process in command.children(recursive=True):
        try:
            line, parent = " ".join(process.cmdline()), process.parent()
        except psutil.Error:
            continue
        forks = "forkserver" in line
        forked = forks and parent is not None and "forkserver" in " ".join(parent.cmdline())
        kind = "worker" if forked else "fork server" if forks else (
            "interpreter" if "cmx_bench.worker.server" in line else ""
        )  # fmt: skip
        if kind == whom:
            return process
    return None


def kill(
    command: subprocess.Popen[bytes], whom: str, number: signal.Signals, moment: float
) -> list[psutil.Process]:
    """Sends the signal, as soon after the moment as there is whom to send it to; gives all the
    processes that there were."""
    this, begin = psutil.Process(command.pid), time.monotonic()
    while command.poll() is None:
        target = choose_process(this, whom) if time.monotonic() - begin > moment else None
        if target is not None:
            with suppress(psutil.NoSuchProcess):  # it has ended meanwhile: the next one is taken
                there = [this, *this.children(recursive=True)]
                target.send_signal(number)
                return there
        time.sleep(0.005)
    return []


def outlive(
    command: subprocess.Popen[bytes], there: list[psutil.Process], whom: str
) -> tuple[list[psutil.Process], str]:
    """The processes that are still there `PATIENCE` seconds after the end, and what was said."""
    if whom == "command":
        command.wait(60)  # by psutil, its exit code would be lost
        _, alive = psutil.wait_procs(there, PATIENCE)
    assert command.stderr is not None
    said = command.stderr.read().decode()
    if whom != "command":  # it goes on: what it leaves counts when it has ended
        _, alive = psutil.wait_procs(there, PATIENCE)
    return alive, said


def expected_codes(whom: str, sent: signal.Signals) -> Sequence[int]:
    """With what a command may end that was killed, or whose process was."""
    if whom != "command":
        return (0, 4)
    return (
        (-sent,) if sent == signal.SIGKILL else (-sent, 128 + sent)
    )  # before or after its imports


def count_lost_or_doubled(before: Sequence[object], folder: Path) -> int:
    """How many records the next run lacks of those before, or of the plan, or has twice."""
    after = records.read(folder)
    executions = Counter((record.cell, record.replicate) for record in after)
    again = sum(times - 1 for times in executions.values())
    return sum(record not in after for record in before) + again + (PLANNED - len(executions))


def main(kills: int, seed: int) -> None:
    """Kills so many runs; each has a folder and a temporary folder of its own."""
    rng = random.Random(seed)
    sums: Counter[str] = Counter()
    seconds, number = SECONDS, 0
    while number < kills:
        whom, sent = rng.choice(WHOM), rng.choice(SIGNALS)
        moment = rng.uniform(0.0, seconds)
        with TemporaryDirectory(prefix="kills-") as home, TemporaryDirectory(prefix="t-") as used:
            folder, temporary = Path(home), Path(used)
            (folder / "kills.yaml").write_text(SUITE)
            environment = os.environ | {"TMPDIR": used}
            with start_run(folder, environment) as command:
                there = kill(command, whom, sent, moment)
                alive, said = outlive(command, there, whom)
            seconds = 1.02 * seconds if there else moment
            if not there:  # it had ended by then
                continue
            before = records.read(folder / "out") if (folder / "out").exists() else []
            with start_run(folder, environment) as again:
                _, rest = again.communicate()
            wrong = {
                "no resume": again.returncode != 0,
                "exits with 1": command.returncode == 1 or again.returncode == 1,
                "other exit code": command.returncode not in expected_codes(whom, sent),
                "tracebacks": "Traceback" in said + rest.decode(),
                "records lost or doubled": count_lost_or_doubled(before, folder / "out"),
                "processes alive": len(alive),
                "files left": len(list(temporary.iterdir())),
            }
        sums.update(wrong)
        sums["resumes complete"] += again.returncode == 0
        trouble = ", ".join(f"{name} {count:d}" for name, count in wrong.items() if count) or "fine"
        trouble += f": {rest.decode().strip().rpartition(chr(10))[2]}" * wrong["no resume"]
        number += 1
        print(f"{number:3} {sent.name} to the {whom} after {moment:.1f} s: exit "
              f"{command.returncode}, with {len(before)} of {PLANNED}; then "
              f"{again.returncode}: {trouble}", flush=True)  # fmt: skip
    print(f"of {kills} kills: " + ", ".join(f"{name} {count}" for name, count in sums.items()))


if __name__ == "__main__":
    main(*(int(number) for number in (sys.argv[1:] + ["200", "0"][len(sys.argv) - 1 :])))
