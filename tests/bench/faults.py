"""Whether models that misbehave harm anybody but themselves.

`python tests/bench/faults.py [TIMES]` measures a suite of a well-behaved model and of one for each
of `FAULTS`, `TIMES` times (10). It prints a line a fault: how often its cells had the outcome that
the table expects. At the end it says how often the good model had its values, and what was left:
processes, temporary files, tracebacks. Every number behind "of" has to be the one before it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from cmx_bench.results import records

# Statements in a model's forward pass, and what the reason of the failure says; "" for none.
FAULTS = {
    "raises": ("raise ValueError('no')", "ValueError: no"),
    "raises_much": ("raise ValueError('no' * 10**7)", "ValueError: nono"),
    "raises_what_has_no_text": ("raise Textless", "Textless"),
    "raises_an_interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "exits": ("sys.exit(0)", "SystemExit: 0"),
    "exits_at_once": ("os._exit(0)", r"ended without a result \(exit code 0\)"),
    "exits_as_lost": ("os._exit(255)", r"ended without a result \(exit code 255\)"),
    "aborts": ("os.abort()", "was killed by SIGABRT"),
    "reads_nowhere": ("ctypes.string_at(0)", "was killed by SIGSEGV"),
    "kills_itself": ("os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
    "kills_its_group": ("os.killpg(0, 9)", "was killed by SIGKILL"),
    "terminates_its_group": ("os.killpg(0, 15)", "was killed by SIGTERM"),
    "has_an_alarm": ("signal.alarm(1); time.sleep(9)", "was killed by SIGALRM"),
    "sleeps": ("time.sleep(3600)", "took longer than 10 s"),
    "stops": ("os.kill(os.getpid(), 19)", "took longer than 10 s"),
    "stops_what_forked_it": ("os.kill(os.getppid(), 19); time.sleep(99)", "took longer than 10 s"),
    "closes_everything": ("os.closerange(0, 999)", "ended without|closed its pipe|Bad file"),
    "becomes_another": ("os.execvp('true', ['true'])", r"a result \(exit code 0\)"),
    "recurses": ("[f := lambda: f(), f()]", "RecursionError"),
    "needs_more_memory": ("bytearray(2**60)", "MemoryError|out of memory"),
    "forks": ("os.fork() or time.sleep(3600)", ""),
    "forks_and_goes_on": ("os.fork()", ""),
    "starts_a_daemon": ("subprocess.Popen(['sleep', '3600'], start_new_session=True)", ""),
    "starts_a_thread": ("threading.Thread(target=time.sleep, args=(3600,)).start()", ""),
    "hangs_at_its_exit": ("atexit.register(time.sleep, 3600)", ""),
    "prints_much": ("print('x' * 10**8)", ""),
    "prints_what_is_no_text": ("os.write(1, bytes(range(256)))", ""),
    "has_no_stdout": ("sys.stdout = sys.stderr = None", ""),
    "goes_elsewhere": ("os.chdir('/')", ""),
    "empties_the_environment": ("os.environ.clear()", ""),
    "ignores_signals": ("[signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]", ""),
    "has_no_json": ("json.dumps = json.loads = None", "no plain data: 'NoneType'"),
    "forgets_modules": (
        "[sys.modules.pop(n) for n in list(sys.modules) if 'cmx' in n]",
        "exit code 1",
    ),
    "is_nice": ("os.nice(1)", ""),
    "draws_in_double": ("torch.set_default_dtype(torch.float64)", ""),
    "gives_text": ("return 'no'", "expected logits"),
    "gives_nothing": ("return None", "expected logits"),
}
MODELS = """\
import atexit, ctypes, json, os, signal, subprocess, sys, threading, time
import torch
from torch import nn
class Textless(Exception):
    def __str__(self):
        raise OSError
class Good(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3 * 28 * 28, 10)
    def forward(self, x):
        return self.head(x.flatten(1))
"""
MODEL = """
class {name}(Good):
    def forward(self, x):
        {how}
        return super().forward(x)
"""
SUITE = """\
name: faults
models:
{models}
num_classes: 10
measures: [memory]
timeout: 10
settings:
  cpu: [{{name: cpu, batch_size: 2, image_size: 28, threads: 1}}]
"""
PATIENCE = 3.0


def once(folder: Path, temporary: str) -> tuple[Counter[str], Counter[str]]:
    """One run: which models had the expected outcomes, and what was wrong with the whole."""
    names = ["Good", *FAULTS]
    lines = [f"  - {{name: {name}, python: 'faulty:{name}'}}" for name in names]
    (folder / "suite.yaml").write_text(SUITE.format(models="\n".join(lines)))
    classes = [MODEL.format(name=name, how=how) for name, (how, _) in FAULTS.items()]
    (folder / "faulty.py").write_text(MODELS + "".join(classes))
    command = "-m cmx_bench run suite.yaml --out out --allow-import"
    environment = os.environ | {"TMPDIR": temporary}
    ended = subprocess.run(
        [sys.executable, *command.split()], cwd=folder, env=environment, capture_output=True,
        check=False,
    )  # fmt: skip
    time.sleep(PATIENCE)
    expected: Counter[str] = Counter()
    known = records.read(folder / "out")
    for name in names:
        reason = FAULTS[name][1] if name in FAULTS else ""
        [record] = [record for record in known if record.model == name]
        is_right = (record.status == "ok") == (not reason) and re.search(reason, record.reason)
        expected[name] = int(bool(is_right))
        if not is_right:
            print(f"{name}: {record.status} {record.reason[:200]}")
    wrong = {
        "other exit codes": ended.returncode != 4,
        "tracebacks": b"Traceback" in ended.stderr + ended.stdout,
        "processes left": sum(_is_of(process, temporary) for process in psutil.process_iter()),
        "temporary files left": len(list(Path(temporary).iterdir())),
    }
    return expected, Counter(wrong)


def _is_of(process: psutil.Process, temporary: str) -> bool:
    try:
        return process.environ().get("TMPDIR") == temporary
    except psutil.Error:
        return False


def main(times: int) -> None:
    """Prints the sums over so many runs."""
    expected: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for _ in range(times):
        with TemporaryDirectory(prefix="f-") as folder, TemporaryDirectory(prefix="t-") as used:
            ones, twos = once(Path(folder), used)
        expected.update(ones)
        wrong.update(twos)
    for name, count in expected.items():
        print(f"{name:24} {count} of {times}")
    print(", ".join(f"{name} {count}" for name, count in wrong.items()))


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 10)
