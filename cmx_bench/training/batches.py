"""Images for training: their order in each epoch, their augmentation, and each process's part."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from PIL.Image import Image
from timm.data import auto_augment
from timm.data.transforms_factory import create_transform
from torch import Tensor
from torch.utils import data
from torchvision.transforms.functional import to_pil_image

from cmx_bench.accuracy.preprocessing import Preprocessing, transform
from cmx_bench.datasets import Dataset, rgb, why_broken
from cmx_bench.errors import DataError
from cmx_bench.spec.recipe import Augmentation, Recipe
from cmx_bench.training import derive
from cmx_bench.training.orphans import end_with_parent

# The epoch, and the place of an image in its data set.
Place: TypeAlias = tuple[int, int]
Augment: TypeAlias = Callable[[Image], Tensor]


@dataclass(frozen=True, slots=True)
class Part:
    """One of `count` processes that train one model together."""

    rank: int = 0
    count: int = 1

    def of(self, batch: list[Place]) -> list[Place]:
        """Its images of a batch: as many as each other's, and of every image the one that mixup
        pairs it with, as far from the end of the batch as it is from the beginning."""
        last = len(batch) - 1
        return [
            place
            for number, place in enumerate(batch)
            if min(number, last - number) % self.count == self.rank
        ]


_POSTERIZING = [name for name in auto_augment.NAME_TO_OP if name.startswith("Posterize")]


def _posterize(image: Image, bits: int, **rest: object) -> Image:
    """timm's, black where no bit is left: of those Pillow has raised an error since 13.0."""
    if bits == 0:
        return image.point(lambda value: 0)
    posterized: Image = auto_augment.posterize(image, bits)  # type: ignore[no-untyped-call]
    return posterized


def augment(asked: Augmentation, preprocessing: Preprocessing) -> Augment:
    """timm's transform: from an image to normalised values `(3, image_size, image_size)`.

    Without a crop it starts from the pixels that are evaluated.
    """
    auto_augment.NAME_TO_OP.update(dict.fromkeys(_POSTERIZING, _posterize))
    geometry, crop = preprocessing.geometry, asked.crop
    augment: Augment = create_transform(
        geometry.image_size,
        is_training=True,
        train_crop_mode="rrc" if crop else "rkrc",
        scale=(crop.scale[0], crop.scale[1]) if crop else (1.0, 1.0),
        ratio=(crop.ratio[0], crop.ratio[1]) if crop else (1.0, 1.0),
        hflip=asked.flip,
        color_jitter=asked.color_jitter,
        auto_augment=asked.rand_augment,
        interpolation=(crop and crop.interpolation) or geometry.interpolation,
        mean=preprocessing.mean,
        std=preprocessing.std,
        re_prob=asked.random_erasing,
        re_mode="pixel",
    )
    if crop:
        return augment
    evaluated = transform(geometry)
    return lambda image: augment(to_pil_image(torch.as_tensor(evaluated(image))))


class Images(data.Dataset[tuple[Tensor, int] | DataError]):
    """The images of a data set, changed as the seed and the epoch want it."""

    def __init__(self, dataset: Dataset, change: Augment, classes: int, seed: int) -> None:
        if dataset.at is None or dataset.size is None:
            raise DataError(f"{dataset.name}: comes as a stream, and training draws images in "
                            f"random order; unpack it into folders")  # fmt: skip
        self.size, self._at = dataset.size, dataset.at
        self.about = dataset.about
        self._name, self._change, self._classes, self._seed = dataset.name, change, classes, seed

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, place: Place) -> tuple[Tensor, int] | DataError:
        """What `at` gives or raises: out of a process of torch's loader, an error that is raised
        comes as the text of a traceback."""
        try:
            return self.at(place)
        except DataError as error:
            return error

    def at(self, place: Place) -> tuple[Tensor, int]:
        """The normalised values of an image, and its class.

        Raises:
            DataError: it is broken, or has no class of the model's.
        """
        epoch, number = place
        seed_all(derive(self._seed, "image", epoch, number))
        item = self._at(number)
        if item.label < 0:
            raise DataError(f"{self._name}: {item.key} has no class to learn; take it away")
        if item.label >= self._classes:
            raise DataError(f"{self._name}: {item.key} has the label {item.label}, the model "
                            f"{self._classes} classes; set num_classes")  # fmt: skip
        try:
            return self._change(rgb(item)), item.label
        except Exception as error:
            reason = why_broken(error)
            raise DataError(f"{self._name}: {item.key} cannot be read ({reason})") from error


def seed_all(seed: int) -> None:
    """Seeds the generators that timm's transforms and mixup draw from."""
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)


class Batches(data.Sampler[list[Place]]):
    """Which images make each batch of one epoch after another, of one process's part."""

    def __init__(self, size: int, recipe: Recipe, seed: int, part: Part, first: int = 0) -> None:
        if size < recipe.batch_size:
            raise DataError(f"the recipe's batch_size is {recipe.batch_size}, and there are "
                            f"{size} images to learn from; make it smaller")  # fmt: skip
        self.steps = size // recipe.batch_size
        self._size, self._batch, self._epochs = size, recipe.batch_size, recipe.epochs
        self._seed, self._part, self._first = seed, part, first

    def __len__(self) -> int:
        return self.steps * (self._epochs - self._first)

    def __iter__(self) -> Iterator[list[Place]]:
        for epoch in range(self._first, self._epochs):
            drawn = torch.Generator().manual_seed(derive(self._seed, "order", epoch))
            order = torch.randperm(self._size, generator=drawn).tolist()
            for step in range(self.steps):
                chosen = order[step * self._batch : (step + 1) * self._batch]
                yield self._part.of([(epoch, number) for number in chosen])


_MOST_WORKERS = 16  # for one process: about as many cores as GPU machines have for each GPU
_AHEAD = 2  # batches that a worker prepares ahead, torch's default
_AT_HAND = 3  # batches that are being copied, learned from, let go
_SHARED_MEMORY = "/dev/shm"  # through which workers hand over on Linux; Docker gives it 64 MiB


def workers_that_fit(wanted: int, batch_bytes: int, sharers: int) -> int:
    """How many processes may prepare batches: no more than shared memory has room for, and none
    where there is room for none.

    Args:
        sharers: processes that train at the same time, with as many workers each.
    """
    most = min(wanted, _MOST_WORKERS)
    if sys.platform != "linux":
        return most
    try:
        free = shutil.disk_usage(_SHARED_MEMORY).free
    except OSError:
        free = 0
    fit = max(0, (free // sharers // batch_bytes - _AT_HAND) // _AHEAD)
    if fit < most:
        print(f"{fit} of {most} processes prepare images: {_SHARED_MEMORY} has {free // 2**20} MiB "
              f"free for batches of {batch_bytes / 2**20:.1f} MiB; a container gets more with "
              f"--shm-size", flush=True)  # fmt: skip
    return min(fit, most)


def load(images: Images, batches: Batches, workers: int, kind: str) -> Iterator[list[Tensor]]:
    """Batches `(n, 3, H, W)` with their classes `(n,)`, prepared by so many processes beside this
    one, forked from it; by this one where there are none.

    Raises:
        DataError: an image cannot be learned from.
    """
    loader: data.DataLoader[object] = data.DataLoader(
        images,
        collate_fn=_collate,
        batch_sampler=batches,
        num_workers=workers,
        multiprocessing_context="fork" if workers else None,
        pin_memory=kind == "cuda",
        persistent_workers=workers > 0,
        worker_init_fn=end_with_parent,
    )
    for batch in loader:
        if isinstance(batch, DataError):
            raise batch
        yield batch


def _collate(items: list[tuple[Tensor, int] | DataError]) -> list[Tensor] | DataError:
    broken = next((item for item in items if isinstance(item, DataError)), None)
    if broken is not None:
        return broken
    batch: list[Tensor] = data.default_collate(items)
    return batch
