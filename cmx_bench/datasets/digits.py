"""scikit-learn's handwritten digits: real images that come with a package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from cmx_bench.datasets import Dataset, Item, Split, held, of_places

_FIRST = 1437


def open_dataset(name: str, path: Path | None, split: Split, num_classes: int | None) -> Dataset:
    """Grey images `(8, 8)`: 1,437 to learn from, or the other 360 to evaluate on.

    The images are ordered by who wrote them. Of `digits` the last are to evaluate on, which come
    from other hands than those to learn from; of `digits-random` a fifth drawn at random.
    """
    digits = load_digits()
    order = np.arange(len(digits.target))
    if name == "digits-random":
        order = np.random.RandomState(0).permutation(order)  # whose numbers no numpy may change
    chosen = order[:_FIRST] if split == "train" else order[_FIRST:]

    def at(place: int) -> Item:
        number = int(chosen[place])
        levels = np.round(digits.images[number] * (255 / 16)).astype(np.uint8)  # of 0 to 16
        return Item(f"digit-{number}", int(digits.target[number]), held(Image.fromarray(levels)))

    return of_places(name, at, len(chosen), 10)
