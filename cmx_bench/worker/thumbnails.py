"""Small copies of the images that tell models apart, made when all are evaluated."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from itertools import islice
from pathlib import Path

from cmx_bench.accuracy import Evaluation
from cmx_bench.datasets import open_dataset, rgb
from cmx_bench.results import agreement
from cmx_bench.spec import disk

_SIDE = 80  # pixels; some 2 kB a copy, so that a page of a hundred stays small


def make(task: Evaluation, folder: Path, places: Collection[int]) -> None:
    """Keeps a copy of each of these images, by number, at most `_SIDE` pixels wide and high."""
    dataset = open_dataset(task.asked.dataset, task.path)
    for place, item in enumerate(islice(dataset.items(), max(places) + 1)):
        if place not in places:
            continue
        target = disk.within(folder, agreement.thumbnail(place))
        target.parent.mkdir(exist_ok=True)
        with suppress(Exception):  # it was whole when it was evaluated; without a copy it is named
            small = rgb(item)
            small.thumbnail((_SIDE, _SIDE))
            with disk.replacing(target) as draft:
                small.save(draft, "JPEG", quality=75)
