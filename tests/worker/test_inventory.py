"""Images known by their content, and small copies of those that are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cmx_bench.accuracy import Evaluation
from cmx_bench.errors import DataError
from cmx_bench.results import agreement
from cmx_bench.spec.suite import Accuracy
from cmx_bench.worker import inventory

from ..photographs import CLASSES, swap, write


def test_images_are_listed_by_content(tmp_path: Path) -> None:
    files = sorted(write(tmp_path, 9))
    task = Evaluation(Accuracy(dataset="photos"), tmp_path, tmp_path)
    before = inventory.list_evaluated(task, len(CLASSES))
    assert before.keys == tuple(file.relative_to(tmp_path).as_posix() for file in files)
    assert len(set(before.digests)) == 9
    assert before.names == dict(enumerate(CLASSES))
    assert inventory.list_evaluated(task, len(CLASSES)) == before
    swap(files[4])
    assert before.changed(inventory.list_evaluated(task, len(CLASSES))) == before.keys[4]


def test_what_is_learned_from_has_a_digest_of_content_and_labels(tmp_path: Path) -> None:
    files = write(tmp_path / "train", 9)
    task = Evaluation(Accuracy(dataset="photos"), tmp_path, tmp_path)
    digests = [inventory.digest_learned(task, len(CLASSES))]
    assert inventory.digest_learned(task, len(CLASSES)) == digests[0]
    swap(files[0])
    digests.append(inventory.digest_learned(task, len(CLASSES)))
    files[1].rename(files[0].with_name(files[1].name))
    digests.append(inventory.digest_learned(task, len(CLASSES)))
    assert len(set(digests)) == 3


def test_images_that_cannot_be_had(tmp_path: Path) -> None:
    task = Evaluation(Accuracy(dataset="photos"), tmp_path, tmp_path)
    with pytest.raises(DataError, match="no images found"):
        inventory.list_evaluated(task, 10)


def test_each_image_that_is_asked_for_has_a_small_copy(tmp_path: Path) -> None:
    photographs = sorted(write(tmp_path / "photos", 6))
    photographs[4].write_bytes(b"no image")
    task = Evaluation(Accuracy(dataset="photos"), tmp_path, tmp_path / "photos")
    run = tmp_path / "run"
    run.joinpath("predictions").mkdir(parents=True)
    inventory.make_thumbnails(task, run, {1, 4, 5})
    copies = {place: run / agreement.thumbnail(place) for place in range(6)}
    assert [place for place, file in copies.items() if file.exists()] == [1, 5]  # 4 is broken
    with Image.open(photographs[1]) as large, Image.open(copies[1]) as small:
        assert small.format == "JPEG"
        assert max(small.size) == inventory._SIDE
        assert abs(small.size[0] / small.size[1] - large.size[0] / large.size[1]) < 0.05
