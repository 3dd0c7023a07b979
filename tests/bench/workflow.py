"""How long the gate's job on GitHub takes: its steps in a fresh environment, from a clean clone.

Run by hand: ``python tests/bench/workflow.py [--action] [--torch-of-pip]``. It runs the shell steps
of docs/ci/gate.yml, or of action.yml, as GitHub does, with nothing in pip's cache, and prints the
seconds of each. The commit that it judges adds a comment to ConvMixer. Exits with 1 where a step
fails, the gate takes over 5 minutes, or all of it over 10.

``--torch-of-pip`` takes torch from where pip finds everything else, for machines that do not reach
PyTorch's own index. PyPI's wheels hold CUDA and are ten times as large.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests import workflows
from tests.workflows import Runner, Step

ROOT = Path(__file__).resolve().parents[2]
MOST_SECONDS, MOST_SECONDS_OF_THE_GATE = 600, 300


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--action", action="store_true")
    parser.add_argument("--torch-of-pip", action="store_true")
    asked = parser.parse_args()
    path = ROOT / ("action.yml" if asked.action else "docs/ci/gate.yml")
    with tempfile.TemporaryDirectory() as folder:
        seconds, code = measure(workflows.read(path), Path(folder), asked.torch_of_pip)
    total = sum(seconds.values())
    print(f"{total:6.1f} s  in all, on {os.cpu_count()} cores")
    slow = total > MOST_SECONDS or seconds.get("Judge", 0.0) > MOST_SECONDS_OF_THE_GATE
    sys.exit(1 if code or slow else 0)


def measure(
    document: dict[str, Any], folder: Path, torch_of_pip: bool
) -> tuple[dict[str, float], int]:
    """The seconds of each step by its name, and the exit code of the last that ran."""
    seconds: dict[str, float] = {}
    begin = time.monotonic()
    work = checkout(folder)
    show(seconds, "actions/checkout (a clone here)", begin)
    begin = time.monotonic()
    subprocess.run([sys.executable, "-m", "venv", folder / "python"], check=True)
    show(seconds, "actions/setup-python (a virtual environment here)", begin)
    on = runner(document, work, folder)
    for step in workflows.steps(document):
        if "run" not in step:
            continue
        begin = time.monotonic()
        done = workflows.run(from_pip(step) if torch_of_pip else step, on)
        show(seconds, step["name"], begin)
        if step["name"] == "Judge" or done.returncode:
            print(done.stdout)
        if done.returncode:
            return seconds, done.returncode
    return seconds, 0


def checkout(folder: Path) -> Path:
    """A clone as actions/checkout makes it: two commits, of which the last adds a comment."""
    whole, work = folder / "whole", folder / "work"
    git("clone", "--quiet", f"file://{ROOT}", whole)
    code = whole / "cmx_bench/models/convmixer.py"
    code.write_text(f"{code.read_text(encoding='utf-8')}# The end.\n", encoding="utf-8")
    by = ("-c", "user.name=a", "-c", "user.email=a@b")
    git("-C", whole, *by, "commit", "--quiet", "--all", "--message", "a comment")
    git("clone", "--quiet", "--depth", "2", f"file://{whole}", work)
    return work


def git(*arguments: str | Path) -> None:
    subprocess.run(["git", *map(str, arguments)], check=True)


def runner(document: dict[str, Any], work: Path, folder: Path) -> Runner:
    """A runner with a fresh Python first on its path, an empty cache and no self-test."""
    python = folder / "python/bin"
    variables = {
        **os.environ, **document.get("env", {}),
        "PATH": f"{python}{os.pathsep}{os.environ['PATH']}",
        "PIP_CACHE_DIR": str(folder / "cache"), "XDG_STATE_HOME": str(folder / "state"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"), "GITHUB_ACTION_PATH": str(work),
        "RUNNER_OS": "Linux", "RUNNER_ARCH": "X64",
    }  # fmt: skip
    for name in ("PYTHONPATH", "VIRTUAL_ENV"):
        variables.pop(name, None)
    context = {"steps.python.outputs.python-path": str(python / "python")}
    if "inputs" in document:
        context |= workflows.inputs(document, {"suite": "ci", "threshold": "5%"})
    return Runner(work, folder, variables, context)


def from_pip(step: Step) -> Step:
    """The step without the index that it names for torch."""
    return {**step, "run": re.sub(r'--index-url "\$\w+" ', "", step["run"])}


def show(seconds: dict[str, float], name: str, begin: float) -> None:
    seconds[name] = time.monotonic() - begin
    print(f"{seconds[name]:6.1f} s  {name}", flush=True)


if __name__ == "__main__":
    main()
