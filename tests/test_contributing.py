"""CONTRIBUTING's first hours, step by step on a copy of the package: it must work as written."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cmx_bench

from .conftest import TINY
from .report.synthetic import PAPER, make_records, make_run, write_folder

ROOT = Path(__file__).parent.parent


def steps(hour: str) -> list[str]:
    """The code of the steps below a heading, without the list's indentation."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition(f"## A {hour} hour")[2].partition("\n## ")[0]
    blocks = re.findall(r"^   ```python\n(.*?)^   ```$", section, re.DOTALL | re.MULTILINE)
    return [re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in blocks]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with a copy of the package; what is compiled of it stays good."""
    shutil.copytree(Path(cmx_bench.__file__).parent, tmp_path / "cmx_bench")
    return tmp_path


def with_file(checkout: Path, text: str) -> None:
    """Adds the file whose first line names it."""
    named = re.match(r"# (\S+)\n", text)
    assert named is not None
    path = checkout / named[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def run(checkout: Path, *arguments: str) -> str:
    """What this Python prints when it runs the package of a checkout."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=checkout, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_commands(checkout: Path, *lines: str, then: str = "") -> str:
    """What commands, and code, print that one process runs: to start one takes a second."""
    code = (
        "import sys; from cmx_bench import cli\n"
        f"for line in {lines}:\n"
        "    sys.argv[1:] = line.split()\n"
        "    try: cli.main()\n"
        "    except SystemExit as end: assert not end.code, line\n"
    )
    return run(checkout, "-c", code + then)


def with_row(path: Path, table: str, row: str) -> None:
    """Adds a row as the last one of the table that begins with the line `table`."""
    head, start, rest = path.read_text().partition(table)
    assert start
    body, end, tail = re.split(r"(?m)(^[)}].*$)", rest, maxsplit=1)
    path.write_text(f"{head}{start}{body}    {row}{end}{tail}")


def test_a_measure_is_one_file_and_two_lines(checkout: Path) -> None:
    file, measure_row, metric_row = steps("first")
    assert len(measure_row.splitlines()) == len(metric_row.splitlines()) == 1
    with_file(checkout, file)
    with_row(checkout / "cmx_bench/measures/__init__.py", "MEASURES: dict", measure_row)
    with_row(checkout / "cmx_bench/metrics.py", "_ROWS = (", metric_row)
    (checkout / "suite.yaml").write_text(TINY.replace("[params, throughput]", "[layers]"))
    printed = run_commands(checkout, "list measures", "run suite.yaml --out out")
    assert re.search(r"^layers +leaf modules: layers$", printed, re.MULTILINE)
    rows = list(csv.DictReader((checkout / "out/results.csv").open()))
    values = {row["model"]: float(row["value"]) for row in rows if row["metric"] == "layers"}
    # stem 3; two blocks of 3 + 3; pooling, flattening, classifier
    assert values["mixer"] == 3 + 2 * 6 + 3
    assert "Layers" in (checkout / "out/report.md").read_text()


def test_a_figure_is_one_file_an_import_and_a_line(checkout: Path) -> None:
    file, row = steps("second")
    assert len(file.splitlines()) < 60 and len(row.splitlines()) == 1
    with_file(checkout, file)
    table = checkout / "cmx_bench/report/figures/__init__.py"
    table.write_text(table.read_text().replace("    roofs,\n", "    reuse,\n    roofs,\n"))
    with_row(table, "FIGURES = (", row)
    measured = make_run(PAPER, measures=("params", "macs"))
    write_folder(checkout / "out", measured, make_records(measured))
    then = "import cmx_bench; print(cmx_bench.plot.reuse(cmx_bench.load('out')).get_xlabel())"
    printed = run_commands(checkout, "report out", "verify out", then=then)
    assert (checkout / "out/figures/reuse.svg").exists()
    assert "MACs against parameters" in (checkout / "out/report.md").read_text()
    assert printed.endswith("\nParameters (millions)\n")


def test_a_runtime_is_one_file_a_row_and_two_names(checkout: Path) -> None:
    file, row, test = steps("third")
    assert len(row.splitlines()) == 1
    with_file(checkout, file)
    with_row(checkout / "cmx_bench/measures/runtimes/__init__.py", "RUNTIMES: dict", row)
    for path in (checkout / "cmx_bench/cell.py", checkout / "cmx_bench/spec/settings.py"):
        path.write_text(
            path.read_text().replace('Literal["torch", ', 'Literal["torch", "graph", ', 1)
        )
    with_file(checkout, test)
    text = TINY.replace("[params, throughput]", "[throughput]")
    (checkout / "suite.yaml").write_text(re.sub(r"cpu: \[\{", "cpu: [{runtime: graph, ", text))
    code = (
        "import pytest; assert not pytest.main(['-q', '-p', 'no:cacheprovider', 'tests'])\n"
        "from cmx_bench.plan import making, users; from cmx_bench.spec import suite\n"
        "plan = making.make_plan(suite.load('suite.yaml'), 'cpu', users.Asked())\n"
        "print(*(cell.key for cell in plan.cells))"
    )
    assert "-graph" in run(checkout, "-c", code)
