"""scikit-learn's handwritten digits: real images that come with a package."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from cmx_bench.datasets import Dataset, Item, Split, of_places

# The last fifth of the 1,797 is to evaluate on: the images are ordered by who wrote them, so that
# these come from other hands than those to learn from.
_FIRST = 1437


def open_dataset(name: str, path: Path | None, split: Split) -> Dataset:
    """Grey images `(8, 8)`: the first 1,437 to learn from, or the last 360 to evaluate on."""
    digits = load_digits()
    first, last = (0, _FIRST) if split == "train" else (_FIRST, len(digits.target))

    def at(place: int) -> Item:
        number = first + place
        read = partial(_image, digits.images[number])
        return Item(f"digit-{number}", int(digits.target[number]), read)

    return of_places(name, at, last - first, 10)


def _image(pixels: NDArray[np.float64]) -> Image.Image:
    """Levels 0 to 16 as an image of 0 to 255."""
    return Image.fromarray(np.round(pixels * (255 / 16)).astype(np.uint8))
