"""The images of a calibration, as those that quantise get them."""

from __future__ import annotations

import pytest
import torch

from cmx_bench.errors import SkipError
from cmx_bench.measures import calibration
from cmx_bench.measures.calibration import Calibration

IMAGES = torch.arange(5 * 3, dtype=torch.float32).view(5, 3, 1, 1)
HERE = Calibration(IMAGES, "here")


@pytest.mark.parametrize(("size", "count"), [(2, 6), (5, 5), (8, 8)])
def test_batches_are_of_one_size_and_hold_all_images(size: int, count: int) -> None:
    batches = HERE.batches(size)
    assert {len(batch) for batch in batches} == {size}
    assert torch.equal(torch.cat(batches), torch.cat([IMAGES, IMAGES])[:count])


def test_a_record_tells_images_apart() -> None:
    assert HERE.told == Calibration(IMAGES.clone(), "here").told
    assert HERE.told["images"] == 5
    assert HERE.told["sha256"] != Calibration(IMAGES + 1, "here").told["sha256"]


def test_images_are_those_that_were_given() -> None:
    with calibration.giving(lambda size: Calibration(IMAGES[:size], "here")):
        assert len(calibration.images(2).images) == 2
    with pytest.raises(SkipError, match="int8 needs images to calibrate on: measure it with run"):
        calibration.images(2)
