"""Rows of predictions: kept chunk by chunk, finished at once, read back as they were."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmx_bench.errors import RecordsError
from cmx_bench.results import predictions
from cmx_bench.results.predictions import BROKEN, PREDICTED, ROW, Images
from cmx_bench.results.records import Record


def rows(count: int) -> np.ndarray:
    array = np.zeros(count, ROW)
    array["image"] = np.arange(count)
    array["state"] = PREDICTED
    array["top5"] = np.arange(5 * count).reshape(-1, 5)
    array["score"] = 0.25
    return array


def test_rows_are_read_back(tmp_path: Path) -> None:
    part, target = tmp_path / "one.rows", tmp_path / "one.npz"
    predictions.append(part, rows(4))
    predictions.append(part, rows(2))
    whole = np.concatenate([rows(4), rows(2)])
    predictions.finish(whole, target)
    assert np.array_equal(predictions.read(target, len(whole)), whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.npz", "one.rows"]


def test_rows_are_forgotten_when_the_record_is_kept(tmp_path: Path) -> None:
    predictions.folder_of(tmp_path).mkdir()
    part = predictions.folder_of(tmp_path) / "net.s.0123.rows"
    part.write_bytes(b"rows")
    record = Record("net/accuracy/s", "net", "accuracy", "s", 0, "failed", {}, "broken", "", "", 0)
    predictions.forget_rows(tmp_path, record)
    assert part.exists()
    predictions.forget_rows(tmp_path, replace(record, status="ok"))
    assert not part.exists()


def test_what_was_broken_is_tried_again(tmp_path: Path) -> None:
    part, some = tmp_path / "one.rows", rows(12)
    some["state"][6] = BROKEN
    predictions.append(part, some)
    assert np.array_equal(predictions.resume(part, 4), rows(12)[:4])
    assert part.stat().st_size == 4 * ROW.itemsize


@pytest.mark.parametrize(("cut", "left"), [(0, 8), (1, 4), (3 * ROW.itemsize, 4), (900, 0)])
def test_half_a_chunk_is_cut_off(tmp_path: Path, cut: int, left: int) -> None:
    part = tmp_path / "one.rows"
    content = rows(9).tobytes()[: 8 * ROW.itemsize + 7]
    part.write_bytes(content[: max(0, len(content) - 7 - cut)] if cut else content)
    assert np.array_equal(predictions.resume(part, 4), rows(9)[:left])
    predictions.append(part, rows(9)[left:])
    assert np.array_equal(np.fromfile(part, ROW), rows(9))


def test_nothing_to_go_on_from(tmp_path: Path) -> None:
    assert len(predictions.resume(tmp_path / "none.rows", 4)) == 0


def test_images_are_read_back(tmp_path: Path) -> None:
    predictions.folder_of(tmp_path).mkdir()
    names = ("a,b.jpg", 'quoted "c".png', "ü\u2028.jpg")
    images = Images(names, ((1,), (), (2, 30)), digests=("1f", "", "2a"))
    predictions.write_images(tmp_path, images)
    assert predictions.read_images(tmp_path) == images


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half", b"no archive"])
def test_what_is_damaged_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "one.npz"
    file.write_bytes(content)
    with pytest.raises(RecordsError, match="one.npz: cannot be read as predictions"):
        predictions.read(file, 4)
    with pytest.raises(RecordsError, match="images.csv"):
        predictions.read_images(tmp_path)


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8])
def test_a_damaged_byte_is_named(tmp_path: Path, share: float) -> None:
    file = tmp_path / "one.npz"
    predictions.finish(rows(40), file)
    content = bytearray(file.read_bytes())
    place = int(share * len(content))
    content[place] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(RecordsError, match="one.npz: cannot be read as predictions"):
        predictions.read(file, 4)


@pytest.mark.parametrize("top5", [np.zeros((4, 5)), np.zeros((4, 3), "<i4"), np.int32(1)])
def test_arrays_of_another_kind_are_refused(tmp_path: Path, top5: np.ndarray) -> None:
    file, predicted = tmp_path / "one.npz", rows(4)
    state, score, image = (predicted[name] for name in ("state", "score", "image"))
    np.savez_compressed(file, state=state, score=score, image=image, top5=top5)
    with pytest.raises(RecordsError, match="one.npz: cannot be read as predictions"):
        predictions.read(file, 4)


def test_rows_are_not_unpacked_before_their_number_is_known(tmp_path: Path) -> None:
    """A header of 128 bytes may say that there are 10^11 rows, which numpy would make room for."""
    file = tmp_path / "one.npz"
    with zipfile.ZipFile(file, "w") as packed:
        for name in ROW.names or ():
            header = {"descr": ROW[name].base.str, "fortran_order": False}
            with packed.open(f"{name}.npy", "w") as member:
                shape = (10**11, *ROW[name].shape)
                np.lib.format.write_array_header_1_0(member, {**header, "shape": shape})
    message = "cannot be read as predictions: of 100,000,000,000 images, and images.csv lists 4$"
    with pytest.raises(RecordsError, match=message):
        predictions.read(file, 4)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a,x,", "invalid literal for int"),
        ("a,-1,", "-1 is no label"),
        ("a,3000000000,", "3000000000 is no label"),
        ("a," + "1" * 5000 + ",", "Exceeds the limit"),
        ("a", "not enough values"),
        ("a,1,2,3", "too many values"),
        ("x" * 140_000 + ",1", "field larger than field limit"),
    ],
)
def test_a_damaged_line_of_the_images_is_named(tmp_path: Path, line: str, message: str) -> None:
    predictions.folder_of(tmp_path).mkdir()
    predictions.images_path(tmp_path).write_text(f"key,labels,digest\nb,0,\n{line}\nc,0,\n")
    with pytest.raises(RecordsError, match=rf"images\.csv:3: expected a key .*{message}"):
        predictions.read_images(tmp_path)


def test_a_list_without_its_heading_loses_no_image(tmp_path: Path) -> None:
    predictions.folder_of(tmp_path).mkdir()
    predictions.images_path(tmp_path).write_text("b,0,\nc,0,\n")
    with pytest.raises(RecordsError, match=r"images\.csv:1: .* first line is not key,labels,dig"):
        predictions.read_images(tmp_path)


def test_right_with_any_label_among_the_likeliest() -> None:
    said = np.zeros(4, ROW)
    said["top5"] = [[7, 1, 2, 3, 4], [1, 7, 2, 3, 4], [9, 8, 6, 5, 4], [-1] * 5]
    said["state"] = [PREDICTED] * 3 + [BROKEN]
    labels = [(7,), (7, 100), (), (7,)]
    assert predictions.correct(said, labels, 1).tolist() == [True, False, False, False]
    assert predictions.correct(said, labels, 5).tolist() == [True, True, False, False]
    assert predictions.find_labelled(labels).tolist() == [True, True, False, True]


def test_a_checksum_ties_a_row_to_key_labels_and_content() -> None:
    images = [("a.jpg", (1, 2), "1f"), ("a.jpg", (1,), "1f"), ("b.jpg", (1, 2), "1f"),
              ("a.jpg", (1, 2), "2a")]  # fmt: skip
    assert len({predictions.checksum(*image) for image in images}) == 4
    assert predictions.checksum(*images[0]) == predictions.checksum("a.jpg", (1, 2), "1f")


@pytest.mark.parametrize(
    ("now", "changed"),
    [
        ({}, None),
        ({"digests": ("1f", "3c")}, None),  # a broken one that was mended
        ({"digests": ()}, None),  # an earlier version wrote none
        ({"digests": ("2a", "")}, "a.jpg"),
        ({"labels": ((0,), (2,))}, "b.jpg"),
        ({"keys": ("a.jpg", "c.jpg")}, "c.jpg"),
        ({"keys": ("a.jpg",), "labels": ((0,),), "digests": ("1f",)}, "b.jpg"),
    ],
)
def test_the_first_image_that_changed_is_named(now: dict[str, Any], changed: str | None) -> None:
    before = Images(("a.jpg", "b.jpg"), ((0,), (1,)), digests=("1f", ""))
    assert before.changed(replace(before, **now)) == changed


def test_names_of_classes_lie_beside_the_list_of_images(tmp_path: Path) -> None:
    predictions.folder_of(tmp_path).mkdir()
    names = {0: "cat", 10: 'a, "quoted" dog'}
    images = Images(("a.png",), ((0,),), names, ("1f",))
    predictions.write_images(tmp_path, images)
    assert predictions.read_images(tmp_path) == images
    file = predictions.folder_of(tmp_path) / "classes.csv"
    file.write_text("number,name\n0,cat\nten,dog\n")
    with pytest.raises(
        RecordsError, match="classes.csv:3: expected a number and the name of a cla"
    ):
        predictions.read_images(tmp_path)
