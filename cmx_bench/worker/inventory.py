"""Runs in a fresh process: lists images with their labels, and with digests of their content, and
makes small copies of some."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cmx_bench.accuracy import Evaluation, images, labels
from cmx_bench.accuracy.decoding import Chunk, chunks
from cmx_bench.accuracy.labels import Labels
from cmx_bench.datasets import Dataset, open_dataset, rgb
from cmx_bench.measures import jiffies
from cmx_bench.results import agreement, predictions
from cmx_bench.results.predictions import Images
from cmx_bench.spec import disk

# Images that are decoded, predicted and kept at a time: 10 MB for each preprocessing at 224 × 224,
# beside the files or, where a source has none, the whole images.
CHUNK = 64
_SIDE = 80  # pixels of a small copy; some 2 kB each, so that a page of a hundred stays small


@dataclass(slots=True)
class Inventory:
    """The images so far, and why some are broken; it grows chunk by chunk."""

    keys: list[str] = field(default_factory=list)
    labels: list[tuple[int, ...]] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)

    def add(self, chunk: Chunk, label: Labels) -> NDArray[np.uint32]:
        """Lists a chunk's images; gives what ties their rows to them."""
        keys = [item.key for item in chunk.items]
        labels = [label(item.key, item.label) for item in chunk.items]
        self.keys += keys
        self.labels += labels
        self.digests += [
            "" if place in chunk.broken else digest for place, digest in enumerate(chunk.digests)
        ]
        self.broken |= {keys[place]: why for place, why in chunk.broken.items()}
        return np.array(list(map(predictions.checksum, keys, labels, chunk.digests)), np.uint32)

    def images(self, dataset: Dataset, task: Evaluation) -> Images:
        """What a run keeps of them."""
        # Other labels than those of the images are of other classes.
        names = dataset.class_names if task.asked.real_labels is None else {}
        return Images(tuple(self.keys), tuple(self.labels), names, tuple(self.digests))


def list_evaluated(task: Evaluation, num_classes: int) -> Images:
    """The images to evaluate on, as they are now.

    Raises:
        DataError: they cannot be had.
    """
    dataset, label, listed = images(task, num_classes), labels.reader(task), Inventory()
    for chunk in _read(dataset):
        listed.add(chunk, label)
    return listed.images(dataset, task)


def digest_learned(task: Evaluation, num_classes: int) -> str:
    """A digest of the images to learn from, as they are now, with their labels.

    Raises:
        DataError: they cannot be had.
    """
    digest = hashlib.sha256()
    for chunk in _read(images(task, num_classes, "train")):
        for item, of_item in zip(chunk.items, chunk.digests, strict=True):
            digest.update(f"{item.key} {item.label} {of_item}\n".encode())
    return digest.hexdigest()


def _read(dataset: Dataset) -> Iterator[Chunk]:
    """All images in chunks, none of them decoded."""
    return chunks(dataset, [], CHUNK, sys.maxsize, jiffies.usable_cores(), None)


def make_thumbnails(task: Evaluation, folder: Path, places: Collection[int]) -> None:
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
