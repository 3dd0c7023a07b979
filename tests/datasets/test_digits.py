"""The digits: real images in a fixed order, to learn from and to evaluate on."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from cmx_bench.datasets import Split, open_dataset
from cmx_bench.errors import DataError

SPLITS: tuple[Split, ...] = ("train", "validation")


def test_digits_are_real_and_in_order() -> None:
    dataset = open_dataset("digits", None)
    items = list(dataset.items())
    assert (len(items), dataset.size, dataset.classes) == (360, 360, 10)
    assert set(Counter(item.label for item in items)) == set(range(10))
    image = items[0].read()
    assert isinstance(image, Image.Image)
    theirs = load_digits().images[1437]
    assert np.array_equal(np.asarray(image), np.round(theirs * 255 / 16))


def test_random_digits_are_the_same_images_otherwise_divided() -> None:
    parts = {
        name: [{item.key for item in open_dataset(name, None, split).items()} for split in SPLITS]
        for name in ("digits", "digits-random")
    }
    for learned, evaluated in parts.values():
        assert (len(learned), len(evaluated)) == (1437, 360) and not learned & evaluated
    ours, theirs = parts["digits-random"], parts["digits"]
    assert ours[0] | ours[1] == theirs[0] | theirs[1]
    assert 40 < len(ours[1] & theirs[1]) < 110  # a fifth of 360, give or take
    [first, *_] = open_dataset("digits-random", None).items()
    assert first.label == load_digits().target[int(first.key.removeprefix("digit-"))]


@pytest.mark.parametrize("classes", [9, 11, 1000])
def test_a_model_of_other_classes_is_refused(classes: int) -> None:
    """A goldfish of ImageNet's is no 1, though both have the number 1."""
    said = f"the model has {classes:,} classes; set num_classes: 10, for what a model of other"
    with pytest.raises(DataError, match=said):
        open_dataset("digits", None, num_classes=classes)
    assert open_dataset("digits", None, num_classes=10).classes == 10
