"""Small copies of the images that are asked for."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from cmx_bench.accuracy import Evaluation
from cmx_bench.results import agreement
from cmx_bench.spec.suite import Accuracy
from cmx_bench.worker import thumbnails

from ..photographs import write


def test_each_image_that_is_asked_for_has_a_small_copy(tmp_path: Path) -> None:
    photographs = sorted(write(tmp_path / "photos", 6))
    photographs[4].write_bytes(b"no image")
    task = Evaluation(Accuracy(dataset="photos"), tmp_path, tmp_path / "photos")
    run = tmp_path / "run"
    run.joinpath("predictions").mkdir(parents=True)
    thumbnails.make(task, run, {1, 4, 5})
    copies = {place: run / agreement.thumbnail(place) for place in range(6)}
    assert [place for place, file in copies.items() if file.exists()] == [1, 5]  # 4 is broken
    with Image.open(photographs[1]) as large, Image.open(copies[1]) as small:
        assert small.format == "JPEG"
        assert max(small.size) == thumbnails._SIDE
        assert abs(small.size[0] / small.size[1] - large.size[0] / large.size[1]) < 0.05
