"""Runs of parts of one suite put together: each execution once, contradictions refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmx_bench.errors import RecordsError
from cmx_bench.results import merging, predictions, records
from cmx_bench.results.predictions import Images
from cmx_bench.results.records import Record

from ..conftest import append_record
from .test_records import RECORD, RUN

MODELS = (RUN.models[0], replace(RUN.models[0], name="b", label="B"))
SUITE = replace(RUN, models=MODELS, cells=("a/params/r224", "b/params/r224"), finished=RUN.created)
COUNTED = replace(
    RECORD, cell="a/params/r224", measure="params", setting="r224", values={"params": [10]}
)

Part: Any = Callable[..., Path]


@pytest.fixture
def part(tmp_path: Path) -> Part:
    def write(name: str, *lines: Record, **changes: Any) -> Path:
        run = replace(SUITE, cells=tuple(record.cell for record in lines), only=(name,))
        records.write_run(tmp_path / name, replace(run, **changes))
        for record in lines:
            append_record(tmp_path / name, record)
        return tmp_path / name

    return write


def of(model: str, **changes: Any) -> Record:
    return replace(COUNTED, cell=f"{model}/params/r224", model=model, **changes)


def test_parts_make_the_whole(part: Part, tmp_path: Path) -> None:
    second, first = part("b", of("b")), part("a", of("a"))
    whole = merging.merge([second, first], tmp_path / "whole", "merge b a")
    assert (
        whole
        == records.read_run(tmp_path / "whole")
        == replace(SUITE, command="merge b a", parts=("run",))
    )
    assert {record.model for record in records.read(tmp_path / "whole")} == {"a", "b"}


def test_a_part_of_the_parts_says_what_was_chosen(part: Part, tmp_path: Path) -> None:
    whole = merging.merge([part("a", of("a"))], tmp_path / "whole", "merge a")
    assert (whole.cells, whole.only) == (("a/params/r224",), ("a",))


def test_an_unfinished_part_leaves_the_whole_unfinished(part: Part, tmp_path: Path) -> None:
    parts = [part("a", of("a")), part("b", of("b"), finished="")]
    assert merging.merge(parts, tmp_path / "whole", "merge a b").finished == ""


def test_what_one_part_cut_off_is_told_of_the_whole(part: Part, tmp_path: Path) -> None:
    cut_off = {"b/params/r224": 2}
    parts = [part("a", of("a")), part("b", of("b"), budget=60.0, cut_off=cut_off)]
    whole = merging.merge(parts, tmp_path / "whole", "merge a b")
    assert (whole.budget, whole.cut_off) == (60.0, cut_off)


def test_each_execution_is_kept_once(part: Part, tmp_path: Path) -> None:
    parts = [part("a", of("a")), part("both", of("a"), of("b"))]
    merging.merge(parts, tmp_path / "whole", "merge a both")
    assert [record.model for record in records.read(tmp_path / "whole")] == ["a", "b"]


def test_what_failed_in_one_part_and_not_in_another_counts(part: Part, tmp_path: Path) -> None:
    later = "2026-01-02T00:00:00.000+00:00"
    failed = of("a", status="failed", values={}, reason="no memory", started=later)
    merging.merge([part("x", of("a")), part("y", failed)], tmp_path / "whole", "merge x y")
    assert [record.status for record in records.read(tmp_path / "whole")] == ["failed", "ok"]


def test_predictions_and_weights_come_along(part: Part, tmp_path: Path) -> None:
    parts = [part(name, of(name)) for name in "ab"]
    rows = np.zeros(2, predictions.ROW)
    for name, folder in zip("ab", parts, strict=True):
        (folder / "predictions").mkdir()
        (folder / "trained").mkdir()
        predictions.write_images(folder, Images(("x.png", "y.png"), ((0,), (1,))))
        predictions.finish(rows, predictions.path(folder, name, "k"))
        (folder / "trained" / f"{name}.safetensors").write_bytes(b"w")
        (folder / "trained" / f"{name}.state.pt").write_bytes(b"half")
    whole = tmp_path / "whole"
    merging.merge(parts, whole, "merge a b")
    assert predictions.read_images(whole).keys == ("x.png", "y.png")
    assert {path.name for path in (whole / "predictions").iterdir()} == {
        "images.csv", "a.k.npz", "b.k.npz",
    }  # fmt: skip
    assert {path.name for path in (whole / "trained").iterdir()} == {
        "a.safetensors", "b.safetensors",
    }  # fmt: skip


OTHER_MODEL = (MODELS[0], replace(MODELS[1], weights="in1k"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quick": True}, "b: is quick, or measured in full, and the other is not; merge those of"),
        ({"suite_hash": "i"}, "is of another suite, or of this one with other models"),
        ({"title": "Mine"}, "has another title under the same hash of its suite: its run.json was"),
        ({"device": "cuda:0"}, "is of another device"),
        ({"models": OTHER_MODEL}, "has other weights; give each part the same --weights"),
        ({"machine": {"torch": "2.15"}}, "measured elsewhere: torch 2.15, in "),
        ({"machine": {"cores": 4}}, "one kind of machine .a job array: pin it with --partition or"),
        ({"machine": {"git_commit": "c"}}, "measured elsewhere: git_commit c, in "),
    ],
)
def test_another_run_is_refused(
    part: Part, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    parts = [part("a", of("a")), part("b", of("b"), **changes)]
    with pytest.raises(RecordsError, match=message):
        merging.merge(parts, tmp_path / "whole", "merge a b")
    assert not (tmp_path / "whole").exists()


def test_other_samples_of_one_execution_are_refused(part: Part, tmp_path: Path) -> None:
    parts = [part("a", of("a")), part("b", of("a", values={"params": [11]}))]
    with pytest.raises(RecordsError) as error:
        merging.merge(parts, tmp_path / "whole", "merge a b")
    assert str(error.value) == (
        f"{parts[1]}: a/params/r224, replicate 0, was measured in {parts[0]} too, with other "
        "samples; give only one of them"
    )


def test_another_file_of_a_users_model_is_refused(part: Part, tmp_path: Path) -> None:
    """Before anything is written: two contents in one run cannot be read."""
    of_file = [{"origin": {"file": "net.py", "sha256": digit * 64}} for digit in "12"]
    parts = [
        part(name, of("a", details=details)) for name, details in zip("ab", of_file, strict=True)
    ]
    with pytest.raises(RecordsError, match=r"a was built from net\.py \(2{12}\), in another part"):
        merging.merge(parts, tmp_path / "whole", "merge a b")
    assert not (tmp_path / "whole").exists()


def test_other_images_are_refused(part: Part, tmp_path: Path) -> None:
    parts = [part(name, of(name)) for name in "ab"]
    for folder, label in zip(parts, (0, 1), strict=True):
        (folder / "predictions").mkdir()
        predictions.write_images(folder, Images(("x.png",), ((label,),)))
    with pytest.raises(RecordsError, match=r"images\.csv: differs from "):
        merging.merge(parts, tmp_path / "whole", "merge a b")


def test_a_folder_that_holds_something_is_left_alone(part: Part, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "mine").write_text("precious")
    with pytest.raises(RecordsError, match="holds files already; give another --out"):
        merging.merge([part("a", of("a"))], tmp_path / "whole", "merge a")


def test_a_run_is_needed(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordsError, match=r"empty: holds no run \(no run\.json\)"):
        merging.merge([tmp_path / "empty"], tmp_path / "whole", "merge empty")


def test_unfinished_parts_are_named_and_merged_again_when_they_are_finished(
    part: Part, tmp_path: Path
) -> None:
    """The second merge takes the place of the first: nothing of it is lost."""
    parts = [part("a", of("a")), part("b", of("b"), finished="")]
    merging.merge(parts, tmp_path / "whole", "merge a b")
    assert merging.tell_unfinished(parts) == (
        f"1 of 2 parts is not finished ({parts[1]}): run the command of each again, or submit the "
        "job array again, and merge again"
    )
    records.rewrite_run(parts[1], replace(records.read_run(parts[1]), finished=RUN.created))
    assert merging.merge(parts, tmp_path / "whole", "merge a b").finished
    assert merging.tell_unfinished(parts) == ""
    assert [record.model for record in records.read(tmp_path / "whole")] == ["a", "b"]


def test_parts_that_were_never_begun_are_named(part: Part, tmp_path: Path) -> None:
    parts = [part("a", of("a")), *(tmp_path / f"{number:03}" for number in range(7))]
    with pytest.raises(RecordsError) as error:
        merging.merge(parts, tmp_path / "whole", "merge")
    named = ", ".join(str(tmp_path / f"{number:03}") for number in range(5))
    assert str(error.value) == (
        f"{named} and 2 more: hold no run (no run.json); measure what is missing first, or leave "
        "it out"
    )
    assert not (tmp_path / "whole").exists()


def test_parts_of_one_replicate_are_a_part_again(part: Part, tmp_path: Path) -> None:
    parts = [part(name, of(name), replicate=0) for name in "ab"]
    whole = merging.merge(parts, tmp_path / "whole", "merge")
    assert (whole.replicate, bool(whole.finished)) == (0, True)
