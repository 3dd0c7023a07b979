"""A site as files: what is written, what is made again, what goes, and what stays."""

from __future__ import annotations

import json
import os
import re
import shutil
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from cmx_bench.errors import CmxError
from cmx_bench.gate.site import renewing
from cmx_bench.results import embedded
from cmx_bench.results.nouns import Report

from ...report.synthetic import make_records, write_folder
from .conftest import ODD, Renew, rendered, small_run


def files(out: Path) -> dict[str, int]:
    """Every file of the site, with the time at which it was written."""
    return {
        path.relative_to(out).as_posix(): path.stat().st_mtime_ns
        for path in out.rglob("*")
        if path.is_file()
    }


def links(page: Path) -> set[Path]:
    """The files that a page leads to."""
    addresses = re.findall(r'(?:href="|"link": ")([^"#]+)', page.read_text(encoding="utf-8"))
    paths = (unquote(unescape(address).partition("?")[0]) for address in addresses)
    return {Path(os.path.normpath(page.parent / path)) for path in paths}


def index(out: Path) -> str:
    return (out / "index.html").read_text(encoding="utf-8")


# --- what is written ------------------------------------------------------------------------------


def test_each_run_has_its_files_where_it_lies_below_the_folder(renew: Renew, out: Path) -> None:
    done = renew()
    assert (done.runs, done.rendered, done.removed, done.left_out) == (4, 4, 0, ())
    pages = [name for name in files(out) if name.endswith("/report.html")]
    places = ("ci/first", "ci/second", "quick", ODD)
    assert sorted(pages) == sorted(f"runs/{place}/report.html" for place in places)
    assert (out / "runs/ci/first/results.csv").exists()
    assert (out / ".nojekyll").exists()


def test_every_link_leads_to_a_file_of_the_site(renew: Renew, out: Path) -> None:
    renew()
    pages = set(out.rglob("*.html"))
    reached = {out / "index.html"}
    for _ in range(3):
        reached |= {path for page in reached if page.suffix == ".html" for path in links(page)}
    assert pages <= reached
    assert [path for path in reached if not path.is_file()] == []
    assert all(path.is_relative_to(out) for path in reached)


def test_a_suite_has_a_history_where_one_machine_measured_it_twice(
    renew: Renew, folder: Path, out: Path
) -> None:
    renew()
    assert [path.name for path in (out / "history").iterdir()] == ["ci"]
    history = json.loads((out / "history/ci/history.json").read_text(encoding="utf-8"))
    assert [run["folder"] for run in history["runs"]] == [
        "../../runs/ci/first",
        "../../runs/ci/second",
    ]
    assert history["left_out"] == []
    assert 'href="history/ci/history.html"' in index(out)
    small_run(folder / "again", 5, 1.0, {"device_name": "Another GPU"})
    renew()
    assert (out / "history/paper/history.html").exists()


def test_machines_have_the_same_names_on_all_pages(renew: Renew, folder: Path, out: Path) -> None:
    small_run(folder / "cores", 5, 1.0, {"cores": 4})
    renew()
    history = json.loads((out / "history/ci/history.json").read_text(encoding="utf-8"))
    assert {run["machine"] for run in history["runs"]} == {"Synthetic GPU 1, cores 8"}
    assert "Synthetic GPU 1, cores 8" in index(out)


def test_no_file_names_a_folder_of_this_machine(renew: Renew, folder: Path, out: Path) -> None:
    (folder / "ci/broken").mkdir()
    (folder / "ci/broken/run.json").write_text("{")
    renew()
    for path in out.rglob("*"):
        assert path.is_dir() or str(folder.parent).encode() not in path.read_bytes(), path


def test_folders_of_one_name_have_pages_each(renew: Renew, folder: Path, out: Path) -> None:
    for day, place in enumerate(("a/run", "b/run", "run"), 5):
        small_run(folder / place, day, 1.0)
    assert renew().runs == 7
    assert {"runs/a/run/report.html", "runs/b/run/report.html", "runs/run/report.html"} <= {
        *files(out)
    }


# --- what is made again ---------------------------------------------------------------------------


def test_a_second_call_writes_nothing_but_the_index(renew: Renew, out: Path) -> None:
    renew()
    before = files(out)
    done = renew()
    assert (done.runs, done.rendered, done.removed) == (4, 0, 0)
    written = {name for name, time in files(out).items() if before[name] != time}
    assert written == {"index.html", ".nojekyll"}


def test_what_changed_is_rendered_alone(renew: Renew, folder: Path, out: Path) -> None:
    renew()
    before = files(out)
    small_run(folder / "ci/second", 2, 0.8, suite="ci")
    assert renew().rendered == 1
    written = {name for name, time in files(out).items() if before.get(name) != time}
    assert {name.rpartition("/")[0] for name in written} == {
        "", "runs/ci/second", "history/ci", "history/ci/figures",
    }  # fmt: skip


def test_predictions_and_thumbnails_are_a_part_of_what_is_shown(renew: Renew, folder: Path) -> None:
    renew()
    path = folder / "quick/predictions/thumbnails/0.jpg"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"another")
    assert renew().rendered == 1


def test_other_code_renders_all_again(renew: Renew, monkeypatch: pytest.MonkeyPatch) -> None:
    renew()
    for name, other in {"renderers": {"cmx-bench": "next"}, "code": "0" * 12}.items():
        monkeypatch.setattr(embedded, name, lambda other=other: other)
        assert renew().rendered == 4


def test_a_file_that_was_deleted_is_written_again(renew: Renew, out: Path) -> None:
    renew()
    (out / "runs/quick/report.html").unlink()
    assert renew().rendered == 1


def test_a_killed_call_leaves_the_old_site_and_the_next_goes_on(
    renew: Renew, folder: Path, out: Path
) -> None:
    renew()
    before = index(out)
    for day, place in enumerate(("new1", "new2", "new3"), 5):
        small_run(folder / place, day, 1.0)
    shutil.rmtree(folder / "quick")

    def killed(report: Report, home: str) -> dict[str, str | bytes]:
        if report.run.created[9] == "6":
            raise KeyboardInterrupt
        return rendered(report, home)

    with pytest.raises(KeyboardInterrupt):
        renewing.renew(folder, out, killed, lambda _: None)
    assert index(out) == before
    assert (out / "runs/quick/report.html").exists()
    done = renew()
    assert (done.runs, done.rendered, done.removed) == (6, 2, 1)


# --- what goes, and what stays --------------------------------------------------------------------


def test_runs_that_are_gone_vanish_and_files_of_others_stay(
    renew: Renew, folder: Path, out: Path
) -> None:
    renew()
    (out / "runs/ci/notes.txt").write_text("mine")
    (out / "CNAME").write_text("mine")
    shutil.rmtree(folder / "ci")
    done = renew()
    assert (done.runs, done.removed) == (2, 2)
    assert not (out / "history").exists()
    assert [path.name for path in (out / "runs/ci").iterdir()] == ["notes.txt"]
    assert (out / "CNAME").read_text() == "mine"
    assert "ci/first" not in index(out)


def test_a_damaged_run_is_named_and_its_page_goes(renew: Renew, folder: Path, out: Path) -> None:
    renew()
    with (folder / "ci/first/records.jsonl").open("a") as file:
        file.write("{}\n")
    (folder / "empty").mkdir()
    (folder / "empty/records.jsonl").touch()
    done = renew()
    first, empty = done.left_out
    assert first.startswith("ci/first/records.jsonl:13: schema: is missing")
    assert empty.startswith("empty: holds no run (no run.json)")
    assert (done.runs, done.removed) == (3, 1)
    assert f"Left out: {first}." in unescape(index(out))
    assert not (out / "runs/ci/first").exists()


def test_where_no_run_can_be_read_nothing_is_written(renew: Renew, folder: Path, out: Path) -> None:
    for path in folder.rglob("run.json"):
        path.write_text("[]")
    done = renew()
    assert (done.runs, len(done.left_out)) == (0, 4)
    assert not out.exists()


def test_another_index_is_not_replaced(renew: Renew, out: Path) -> None:
    out.mkdir()
    (out / "index.html").write_text("<h1>My page</h1>")
    with pytest.raises(CmxError, match=r"is no index of runs; give another --out"):
        renew()
    assert [path.name for path in out.iterdir()] == ["index.html"]


def test_pages_are_not_written_into_runs(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CmxError, match=r"runs/\S+: is a run, where its page would lie"):
        renewing.renew(folder, tmp_path, rendered, lambda _: None)


def test_no_link_in_the_site_is_followed(renew: Renew, out: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    out.mkdir()
    (out / "runs").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CmxError, match=r"public/runs: is a link, and none is followed here"):
        renew()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_single_replicates_have_pages_and_no_history(folder: Path, out: Path, renew: Renew) -> None:
    shutil.rmtree(folder / "ci")
    for number in range(2):
        place = folder / f"parts/{number}"
        run = small_run(place, number + 1, 1.0, suite="ci", replicate=number)
        own = [each for each in make_records(run) if each.replicate == number]
        write_folder(place, run, own)
    assert renew().left_out == ()
    assert (out / "runs/parts/1/report.html").exists()
    assert not (out / "history").exists()
