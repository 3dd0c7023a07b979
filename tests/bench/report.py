"""How long a page takes, and how large it is, by the number of cells: it should grow linearly.

Run by hand: ``python tests/bench/report.py [CELLS ...]``, by default 100, 1000 and 4000 cells with
10 processes each, plain arithmetic all of them. Times are CPU seconds of a whole process, which has
one thread: they hold where other programs run.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path

from startup import command, make_up_run

REPLICATES = 10
FORMATS = ("html", "md", "latex", "csv", "json")


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or [100, 1000, 4000]
    print("cells    page" + "".join(f"{column:>9}" for column in (*FORMATS, "all", "verify")))
    with tempfile.TemporaryDirectory() as temporary:
        for cells in sizes:
            run = make_up_run(Path(temporary) / str(cells), cells, REPLICATES)
            output = str(Path(temporary) / "output")
            taken = [
                seconds("report", str(run), "--format", form, "-o", output) for form in FORMATS
            ] + [seconds("report", str(run)), seconds("verify", str(run))]
            size = (run / "report.html").stat().st_size / 1e6
            times = "".join(f"{seconds_each:7.1f} s" for seconds_each in taken)
            print(f"{cells:5}  {size:4.1f} MB{times}", flush=True)


def seconds(*arguments: str) -> float:
    begin = _children()
    command(*arguments)()
    return _children() - begin


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
