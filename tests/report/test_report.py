"""A run's folder rendered as a whole."""

from __future__ import annotations

import csv
import gc
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cmx_bench import report
from cmx_bench.errors import RecordsError
from cmx_bench.report import formats
from cmx_bench.report.figures import plots
from cmx_bench.report.formats import RENDERERS
from cmx_bench.report.verify import verify
from cmx_bench.results import sheets

from . import rendering
from .synthetic import PAPER, make_records, make_run, write_folder

KEY = "cuda-fp16-nchw-eager-b64-r224"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = make_run()
    folder = write_folder(tmp_path_factory.mktemp("run"), run, make_records(run))
    assert rendering.write(folder) == folder / "report.html"
    return folder


def test_a_folder_gets_every_format(written: Path) -> None:
    names = set(contents(written))
    assert {"report.html", "report.md", "results.csv", "tables/metrics.csv"} <= names
    tables = {name for name in names if name.startswith("tables/")}
    assert {name.removesuffix(".csv") + ".tex" for name in tables if name.endswith(".csv")} == {
        name for name in tables if name.endswith(".tex")
    }
    figures = {name for name in names if name.startswith("figures/")}
    assert figures == {f"figures/{plot.name}.svg" for plot in plots(report.read(written)).drawn}
    assert f"figures/throughput-{KEY}.svg" in figures


def test_figures_are_copied_where_that_is_asked_for(tmp_path: Path) -> None:
    run = make_run(measures=("params",))
    folder = write_folder(tmp_path, run, make_records(run))
    rendering.write(folder, "page")
    assert copies_of_figure_1(folder) == {"svg", "png", "pdf"}
    (folder / "figures" / "figure1.pdf").unlink()
    rendering.write(folder, "paper")
    assert copies_of_figure_1(folder) == {"svg", "png", "paper.png", "paper.pdf"}
    assert not verify(folder).differences
    (folder / "figures" / "figure1.paper.png").write_bytes(b"")
    [damaged] = verify(folder).differences
    assert damaged.file == "figures/figure1.paper.png"


def copies_of_figure_1(folder: Path) -> set[str]:
    return {path.name.partition(".")[2] for path in (folder / "figures").glob("figure1.*")}


def test_markdown_links_figures_that_are_there(written: Path) -> None:
    for line in (written / "report.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("!["):
            assert (written / line.rpartition("](")[2].removesuffix(")")).is_file()


def test_writing_again_changes_nothing(written: Path) -> None:
    first = contents(written)
    rendering.write(written)
    assert contents(written) == first


def test_one_format_is_the_file(written: Path) -> None:
    for format, name in (("html", "report.html"), ("md", "report.md"), ("csv", "results.csv")):
        assert rendering.render(written, format) == (written / name).read_text(encoding="utf-8")


def test_pandas_reads_the_results(written: Path) -> None:
    import pandas

    frame = pandas.read_csv(written / "results.csv")
    with (written / "results.csv").open(newline="") as file:
        assert len(frame) == len(list(csv.reader(file))) - 1
    assert frame["value"].dtype.kind == "f"


def test_the_collector_runs_again_afterwards(written: Path) -> None:
    assert gc.isenabled()


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="holds no run"):
        rendering.write(tmp_path)
    with pytest.raises(RecordsError, match="holds no run"):
        rendering.render(tmp_path / "nowhere", "md")


@pytest.mark.parametrize("format", sorted(RENDERERS))
def test_records_of_a_newer_schema_are_refused(folder: Path, format: str) -> None:
    path = folder / "records.jsonl"
    path.write_text(path.read_text().replace('"schema": ', '"schema": 9', 1))
    with pytest.raises(RecordsError, match="jsonl:1: schema 9. was written by a newer cmx-bench"):
        rendering.render(folder, format)


def write_half(folder: Path) -> None:
    """Cuts off the last record, the only one of its cell."""
    path = folder / "records.jsonl"
    *lines, last = path.read_text().splitlines()
    others = [line for line in lines if json.loads(line)["cell"] != json.loads(last)["cell"]]
    path.write_text("\n".join([*others, last[:-20]]))


@pytest.mark.parametrize("format", ["html", "md", "latex"])
def test_a_record_written_by_half_is_passed_over_aloud(folder: Path, format: str) -> None:
    write_half(folder)
    text = rendering.render(folder, format)
    assert "the last record was written by half, by a run that was killed" in text
    assert "43 measured, 1 missing, of 44" in text


def test_programs_are_told_of_a_record_written_by_half(folder: Path) -> None:
    assert '"last_record_unfinished": false' in rendering.render(folder, "json")
    write_half(folder)
    assert '"last_record_unfinished": true' in rendering.render(folder, "json")
    assert "peak_memory,,B,,,0,not measured,measured" in rendering.render(folder, "csv")


def test_a_folder_that_cannot_be_written_is_refused(folder: Path) -> None:
    (folder / "tables").write_text("in the way")
    with pytest.raises(RecordsError, match="tables: cannot be written"):
        rendering.write(folder)


def python(code: str, *arguments: str, seed: str = "0") -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONHASHSEED": seed},
    )  # fmt: skip
    return done.stdout


def digests(folder: Path) -> list[str]:
    """Of all that is written of a run but drawings, which have a test of their own."""
    run = report.read(folder)
    texts = [RENDERERS[name](run) for name in ("md", "latex", "csv", "json")]
    texts.append(formats._page(run, formats.content(run), (), ()))
    files = [*map(str.encode, texts), sheets.pack(run.samples)]
    return [hashlib.sha256(file).hexdigest() for file in files]


def test_two_processes_write_the_same_bytes(folder: Path) -> None:
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    code = (
        "import sys, pathlib; from tests.report.test_report import digests; "
        "print(*digests(pathlib.Path(sys.argv[1])))"
    )
    assert python(code, str(folder), seed=seed).split() == digests(folder)


def test_tables_load_nothing_heavy_and_reports_no_torch(tmp_path: Path) -> None:
    run = make_run(PAPER[:2], measures=("params", "throughput"))
    folder = write_folder(tmp_path, run, make_records(run))
    code = (
        "import sys, pathlib; from cmx_bench import report; from cmx_bench.report import formats; "
        "folder = pathlib.Path(sys.argv[1]); run = report.read(folder); "
        "[formats.RENDERERS[name](run) for name in ('md', 'latex', 'csv', 'json')]; "
        "print({'seaborn', 'matplotlib', 'jinja2', 'lxml', 'rich'} & set(sys.modules)); "
        "report.save(run, folder); print({'torch', 'timm', 'torchvision'} & set(sys.modules))"
    )
    assert python(code, str(folder)) == "set()\nset()\n"
