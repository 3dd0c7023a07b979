"""scikit-learn's handwritten digits: real images that come with a package."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from cmx_bench.datasets import Dataset, Item

# The last fifth of the 1,797: the images are ordered by who wrote them, so that these come from
# other hands than those to learn from.
_FIRST = 1437


def open_dataset(name: str, path: Path | None) -> Dataset:
    """The 360 images `(8, 8)`, grey, to evaluate on."""
    digits = load_digits()
    images, labels = digits.images[_FIRST:], digits.target[_FIRST:]

    def items() -> Iterator[Item]:
        for number, (pixels, label) in enumerate(zip(images, labels, strict=True), _FIRST):
            yield Item(f"digit-{number}", int(label), partial(_image, pixels))

    return Dataset(name, items, len(labels), 10)


def _image(pixels: NDArray[np.float64]) -> Image.Image:
    """Levels 0 to 16 as an image of 0 to 255."""
    return Image.fromarray(np.round(pixels * (255 / 16)).astype(np.uint8))
