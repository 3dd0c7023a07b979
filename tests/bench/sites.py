"""How long `site` takes over many runs: the first call, one without news, one with another run.

Run by hand: ``python tests/bench/sites.py [--whole PAGES] [RUNS ...]``, by default 100, 300 and
1000. Runs are those of `history.py`. To draw a page takes seconds, whatever stands beside it, and
is timed on 8 runs, or on so many; elsewhere a page of a line stands in for it, so that what grows
with the runs shows. Times are CPU seconds of all processes, in brackets seconds.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from history import write_runs

from cmx_bench import report
from cmx_bench.gate.site import Render, renewing
from cmx_bench.results.nouns import Report


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--whole", type=int, default=8)
    parser.add_argument("runs", type=int, nargs="*", default=[100, 300, 1000])
    asked = parser.parse_args()
    pages, sizes = asked.whole, asked.runs
    with tempfile.TemporaryDirectory() as folder:
        write_runs(Path(folder) / "runs", pages)
        every = seconds_of(Path(folder), report.files_of_site)
        size = sum(file.stat().st_size for file in Path(folder).glob("site/runs/*/*")) / pages
    print(f"a page and the files beside it, of {pages}: {every[0] / pages:.1f} s "
          f"({every[1] / pages:.1f} s), {size / 1e6:.1f} MB", flush=True)  # fmt: skip
    print("runs      first call     without news   with another run   index")
    for runs in sizes:
        with tempfile.TemporaryDirectory() as folder:
            write_runs(Path(folder) / "runs", runs)
            calls = [seconds_of(Path(folder), line), seconds_of(Path(folder), line)]
            place = Path(folder) / "runs/0000"
            place.rename(place.with_name("another"))
            calls.append(seconds_of(Path(folder), line))
            index = (Path(folder) / "site/index.html").stat().st_size / 1e6
        times = "   ".join(f"{cpu:6.1f} s ({wall:5.1f} s)" for cpu, wall in calls)
        print(f"{runs:4} {times}   {index:4.1f} MB", flush=True)


def line(run: Report, home: str) -> dict[str, str | bytes]:
    """A page of a line."""
    return {"report.html": f'<a href="{home}index.html">{run.run.suite}</a>'}


def seconds_of(folder: Path, render: Render) -> tuple[float, float]:
    """CPU seconds and seconds of a call."""
    before, begin = seconds_used(), time.monotonic()
    renewing.renew(folder / "runs", folder / "site", render, lambda _: None)
    return seconds_used() - before, time.monotonic() - begin


def seconds_used() -> float:
    every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in every)


if __name__ == "__main__":
    main()
