"""Whether the memory of the command itself grows with the cells that it has measured.

Run by hand: ``python tests/bench/memory.py [CELLS]``. A suite of so many exact cells (500) of tiny
models is run; after every tenth of them a line says what the command holds, without the processes
below it. Exits with 1 where the last line before the report has over 5 % more than the first.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

MOST_GROWTH = 0.05
SUITE = """\
name: memory
num_classes: 10
measures: [params, macs]
settings:
  cpu: [{name: cpu, batch_size: 1, image_size: 28, threads: 1}]
models:
"""
MODEL = "  - {name: m%d, convmixer: {dim: %d, depth: 1, kernel_size: 3, patch_size: 7}}\n"


def sizes(folder: Path, cells: int) -> list[float]:
    """MiB after each tenth of the cells; the report, which loads pandas, comes behind the last."""
    (folder / "suite.yaml").write_text(
        SUITE + "".join(MODEL % (number, 8 + number) for number in range(cells // 2))
    )
    line = [sys.executable, "-m", "cmx_bench", "run", "suite.yaml", "--out", "out"]
    in_use: list[float] = []
    with subprocess.Popen(line, cwd=folder, stdout=subprocess.DEVNULL) as run:
        this, records = psutil.Process(run.pid), folder / "out" / "records.jsonl"
        while run.poll() is None and len(in_use) < 9:
            time.sleep(0.05)
            there = records.read_bytes().count(b"\n") if records.exists() else 0
            if there >= cells * (len(in_use) + 1) // 10:
                in_use.append(this.memory_info().rss / 2**20)
                print(f"{there:5} cells  {in_use[-1]:.1f} MiB", flush=True)
    assert run.returncode == 0, run.returncode
    return in_use


def main() -> int:
    cells = int(sys.argv[1]) if sys.argv[1:] else 500
    with tempfile.TemporaryDirectory() as folder:
        first, *_, last = sizes(Path(folder), cells)
    growth = last / first - 1
    print(f"{100 * growth:+.1f} % from a tenth to nine tenths of {cells} cells")
    return int(growth > MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
