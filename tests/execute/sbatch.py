"""A stand-in for Slurm's `sbatch`: runs all jobs of a script one after the other, as Slurm does.

A script is copied to a spool folder and executed there, with Slurm's variables, in the folder in
which it was submitted. `--cut INDEX` signals this job as `#SBATCH --signal` says, as soon as it has
told of its first record.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory

JOB = 4242


def options_in(script: Path) -> dict[str, str]:
    """The options of a script's `#SBATCH` lines; nothing behind its first command counts."""
    options = {}
    for line in script.read_text().splitlines():
        if line.startswith("#SBATCH "):
            name, _, value = shlex.split(line)[1].partition("=")
            options[name.removeprefix("--")] = value
        elif not line.startswith("#"):
            break
    return options


def indices(array: str) -> range:
    first, _, last = array.partition("-")
    return range(int(first), int(last or first) + 1)


def run_job(script: Path, index: int, options: dict[str, str], cut: bool) -> int:
    """One job's exit code; its output goes to where the script wants it."""
    output = re.sub("%(.)", lambda match: {"A": str(JOB), "a": str(index), "j": str(JOB + index),
                                           "%": "%"}[match[1]], options["output"])  # fmt: skip
    every = indices(options.get("array", "0"))
    variables = {
        "SLURM_JOB_ID": str(JOB + index), "SLURM_ARRAY_JOB_ID": str(JOB),
        "SLURM_ARRAY_TASK_ID": str(index), "SLURM_ARRAY_TASK_COUNT": str(len(every)),
        "SLURM_ARRAY_TASK_MIN": str(every[0]), "SLURM_ARRAY_TASK_MAX": str(every[-1]),
        "SLURM_JOB_NAME": options["job-name"], "SLURM_SUBMIT_DIR": str(Path.cwd()),
        "SLURM_JOB_NODELIST": "node1", "SLURM_CPUS_ON_NODE": str(os.cpu_count()),
    }  # fmt: skip
    if "array" not in options:
        variables = {name: value for name, value in variables.items() if "ARRAY" not in name}
    with (
        TemporaryDirectory() as spool,
        Path(output).open("a" if options.get("open-mode") == "append" else "w") as log,
    ):
        copy = Path(spool) / "slurm_script"
        copy.write_bytes(script.read_bytes())
        copy.chmod(0o700)
        job = subprocess.Popen(
            [copy], env={**os.environ, **variables}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        assert job.stdout is not None
        for line in job.stdout:
            log.write(line)
            if cut and line.startswith("["):
                cut = False
                where, _, what = options["signal"].partition("@")[0].partition(":")
                assert where == "B"  # the batch shell alone: what has its process
                os.kill(job.pid, signal.Signals[f"SIG{what}"])
        return job.wait()


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("script", type=Path)
    parser.add_argument("--cut", type=int, default=-1, metavar="INDEX")
    given = parser.parse_args()
    options = options_in(given.script)
    print(f"Submitted batch job {JOB}")
    for index in indices(options.get("array", "0")):
        code = run_job(given.script, index, options, cut=index == given.cut)
        print(f"{JOB}_{index} {code}", flush=True)


if __name__ == "__main__":
    main()
