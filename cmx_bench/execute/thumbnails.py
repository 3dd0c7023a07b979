"""Small copies of the images that tell models apart, made when all are evaluated."""

from __future__ import annotations

import io
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from PIL import Image

from cmx_bench import agreement
from cmx_bench.accuracy import Evaluation
from cmx_bench.datasets import open_dataset

_SIDE = 80  # pixels; some 2 kB a copy, so that a page of a hundred stays small


def make(task: Evaluation, folder: Path, places: Collection[int]) -> None:
    """Keeps a copy of each of these images, by number, at most `_SIDE` pixels wide and high."""
    dataset = open_dataset(task.asked.dataset, task.path)
    for place, item in enumerate(dataset.items()):
        target = agreement.thumbnail(folder, place)
        if place not in places or target.exists():
            continue
        target.parent.mkdir(exist_ok=True)
        with suppress(Exception):  # it was whole when it was evaluated; without a copy it is named
            content = item.read()
            image = Image.open(io.BytesIO(content)) if isinstance(content, bytes) else content
            small = image.convert("RGB")
            small.thumbnail((_SIDE, _SIDE))
            small.save(target, quality=75)
