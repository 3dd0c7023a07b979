"""Models held against each other image by image: counts by hand, and what is shown of them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cmx_bench.errors import RecordsError
from cmx_bench.results import agreement, predictions
from cmx_bench.results.agreement import Pair, Voter
from cmx_bench.results.predictions import BROKEN, PREDICTED, ROW, Images
from cmx_bench.results.stats import Difference

LABELS = (0, 1, 2, 3, 4, 5)
A, B, C = ("a", "s"), ("b", "s"), ("c", "s")
VOTES = {A: [0, 1, 2, 9, 9, 5], B: [0, 9, 9, 9, 4, 5], C: [8, 1, 9, 9, 4, -1]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    predictions.folder_of(tmp_path).mkdir()
    keys = tuple(f"{label}.jpg" for label in LABELS)
    predictions.write_images(tmp_path, Images(keys, tuple((label,) for label in LABELS)))
    for voter, said in VOTES.items():
        rows = np.zeros(len(said), ROW)
        rows["top5"][:, 0] = said
        rows["state"] = [BROKEN if label < 0 else PREDICTED for label in said]
        predictions.finish(rows, predictions.path(tmp_path, *voter))
    return tmp_path


def test_pairs_are_counted_on_the_images_of_both(folder: Path) -> None:
    votes = agreement.read(folder, VOTES)
    first, second, third = agreement.pairs(votes, "s")
    assert (first.first, first.second) == (A, B)
    assert (first.difference.n, first.difference.lost, first.difference.gained) == (6, 2, 1)
    assert first.difference.value == pytest.approx(-1 / 6)
    assert first.same == pytest.approx(3 / 6)
    assert (second.difference.n, second.difference.lost, second.difference.gained) == (5, 2, 1)
    assert (third.difference.n, third.difference.lost, third.difference.gained) == (5, 1, 1)
    assert agreement.pairs(votes, "other") == []


def test_shown_images_are_those_that_most_are_divided_about(folder: Path) -> None:
    votes = agreement.read(folder, VOTES)
    assert agreement.only(votes, A, B) == [1, 2]
    assert agreement.only(votes, B, A) == [4]
    assert agreement.only(votes, A, C) == [0, 2]  # not 5, which is broken for C
    assert agreement.telling(votes) == {0, 1, 2, 4}


def test_images_come_by_how_divided_all_are_and_then_by_their_number() -> None:
    """Only the first has all right that the second has wrong; of two others none, one or both."""
    others = [[1, 1, 0, 0, 1], [1, 0, 0, 1, 1]]
    right = dict(zip((A, B, C, ("d", "s")), np.array([[1] * 5, [0] * 5, *others], bool),
                     strict=True))  # fmt: skip
    images = Images(tuple("01234"), ((0,),) * 5)
    classes = {voter: np.zeros(5, np.int32) for voter in right}
    votes = agreement.Votes(images, classes, right, dict.fromkeys(right, np.ones(5, bool)))
    assert agreement.only(votes, A, B) == [1, 3, 0]


def pair(p: float, gained: int, lost: int) -> Pair:
    return Pair(A, B, 0.5, Difference(100, gained, lost, (gained - lost) / 100, 0.0, 0.0, p))


@pytest.mark.parametrize(
    ("p", "gained", "lost", "places"),
    [
        (0.049, 9, 2, {A: (2, 2), B: (1, 1)}),
        (0.049, 2, 9, {A: (1, 1), B: (2, 2)}),
        (0.05, 9, 2, {A: (1, 2), B: (1, 2)}),
        (0.051, 9, 2, {A: (1, 2), B: (1, 2)}),
    ],
)
def test_places_that_images_rule_out(
    p: float, gained: int, lost: int, places: dict[Voter, tuple[int, int]]
) -> None:
    assert agreement.ranks([A, B], [pair(p, gained, lost)]) == places
    assert agreement.ranks([A], [pair(p, gained, lost)]) == {A: (1, 1)}  # the other is not ranked


def test_votes_are_packed_beside_the_images_own_classes(folder: Path) -> None:
    votes = agreement.read(folder, VOTES)
    packed = agreement.pack(votes)
    assert packed["beside_own"][0] == [0, 0, 0, 6, 5, 0]
    again = agreement.unpack(packed)  # type: ignore[arg-type]
    assert {voter: said.tolist() for voter, said in again.classes.items()} == VOTES
    packed["beside_own"][1] = packed["beside_own"][1][:-1]
    with pytest.raises(ValueError, match="votes are of other images than are listed"):
        agreement.unpack(packed)  # type: ignore[arg-type]


def test_who_has_not_voted_is_left_out(folder: Path) -> None:
    nobody: Voter = ("d", "s")
    assert set(agreement.read(folder, [*VOTES, nobody]).classes) == set(VOTES)
    assert agreement.read(folder, [nobody]) == agreement.NO_VOTES
    assert agreement.telling(agreement.NO_VOTES) == set()


def test_predictions_of_other_images_are_refused(folder: Path) -> None:
    predictions.write_images(folder, Images(("0.jpg",), ((0,),)))
    message = r"a\.s\.npz: cannot be read as predictions: of 6 images, and images\.csv lists 1$"
    with pytest.raises(RecordsError, match=message):
        agreement.read(folder, VOTES)


def test_predictions_without_a_common_image_are_refused(folder: Path) -> None:
    rows = np.zeros(len(LABELS), ROW)
    rows["top5"][:, 0] = [-1, -1, -1, -1, -1, 5]  # C's is broken there
    predictions.finish(rows, predictions.path(folder, *A))
    with pytest.raises(RecordsError, match="predictions: no image counts for all models; evaluate"):
        agreement.read(folder, VOTES)


def test_thumbnails_by_number(tmp_path: Path) -> None:
    file = tmp_path / agreement.thumbnail(12)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\xff\xd8\xff...")
    file.with_name("cover.jpg").write_bytes(b"somebody's own")
    assert agreement.thumbnails(tmp_path, 13) == {12: b"\xff\xd8\xff..."}
    assert agreement.thumbnails(tmp_path, 12) == {}
    assert agreement.thumbnails(tmp_path / "none", 13) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"root:x:0:0", "0.jpg: is no JPEG"),
        (b"\xff\xd8\xff" + bytes(2**16), "it has 65,539 bytes; expected 65,536 at most"),
    ],
)
def test_what_is_no_thumbnail(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / agreement.thumbnail(0)
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with pytest.raises(RecordsError, match=message):
        agreement.thumbnails(tmp_path, 1)


@pytest.mark.parametrize("name", ["a.s.npz", "images.csv", "classes.csv", "thumbnails/0.jpg"])
def test_no_pipe_is_waited_for(folder: Path, name: str) -> None:
    path = folder / "predictions" / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with pytest.raises(RecordsError, match=f"{name}: is neither a file nor a folder; remove it"):
        agreement.thumbnails(folder, len(agreement.read(folder, VOTES).images.keys))


def test_no_link_is_followed(folder: Path) -> None:
    file = folder / agreement.thumbnail(0)
    file.parent.mkdir()
    file.symlink_to("/etc/passwd")
    with pytest.raises(RecordsError, match=r"0\.jpg: is a link"):
        agreement.thumbnails(folder, 6)
    for name in ("a.s.npz", "images.csv", ""):
        path = folder / "predictions" / name
        path.rename(folder / "elsewhere")
        path.symlink_to(folder / "elsewhere")
        with pytest.raises(RecordsError, match="is a link"):
            agreement.read(folder, VOTES)
        path.unlink()
        (folder / "elsewhere").rename(path)
