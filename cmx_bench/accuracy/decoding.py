"""Images read and decoded once, preprocessed once for all models that want the same."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor

from cmx_bench.accuracy import cache
from cmx_bench.accuracy.preprocessing import Geometry, Transform, transform
from cmx_bench.datasets import Dataset, Item, held, rgb, why_broken

_AHEAD = 1  # on two cores that predict as well a twentieth of the time is gained, on a GPU more


@dataclass(frozen=True, slots=True)
class Chunk:
    """Images in a row, from number `first` on.

    `digests` are of their files, or of their pixels where a source has none; empty where an image
    cannot be read. `broken` says of images, by their place in `items`, why they cannot be used;
    `pixels` are those of the others, uint8 `(n, 3, H, W)` for each geometry: empty for a chunk
    passed over.
    """

    first: int
    items: tuple[Item, ...]
    digests: tuple[str, ...]
    broken: Mapping[int, str]
    pixels: Mapping[Geometry, Tensor]


def chunks(
    dataset: Dataset, geometries: Sequence[Geometry], size: int, start: int,
    threads: int, folder: Path | None,
) -> Iterator[Chunk]:  # fmt: skip
    """All images, in chunks of `size`; those before number `start` are read and not decoded.

    Memory is bounded by the two chunks on their way: the one given, and the next, which is
    prepared while the caller works.

    Args:
        threads: that decode side by side, which Pillow allows.
        folder: the cache of preprocessed images; None for none.
    """
    transforms = {geometry: transform(geometry) for geometry in geometries}
    items, first = dataset.items(), 0
    under_way: deque[Future[Chunk]] = deque()
    with ThreadPoolExecutor(threads) as pool, ThreadPoolExecutor(1) as front:
        while chunk := tuple(islice(items, size)):
            passed = first + len(chunk) <= start
            wanted = {} if passed else transforms
            under_way.append(front.submit(_chunk, first, chunk, wanted, pool, folder))
            first += len(chunk)
            if len(under_way) > _AHEAD:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _chunk(
    first: int, items: tuple[Item, ...], transforms: Mapping[Geometry, Transform],
    pool: Executor, folder: Path | None,
) -> Chunk:  # fmt: skip
    pixels: dict[Geometry, Tensor] = {}
    paths: dict[Geometry, Path] = {}
    contents = list(pool.map(_content, items))
    # What is decoded and cached is of the very bytes that the digests tell of.
    items = tuple(
        item if content is None else replace(item, read=held(content))
        for item, content in zip(items, contents, strict=True)
    )
    digests = tuple(pool.map(cache.digest, contents))
    if folder is not None and all(isinstance(content, bytes) for content in contents):
        paths = {geometry: cache.path(folder, digests, geometry) for geometry in transforms}
        cached = {geometry: cache.read(path) for geometry, path in paths.items()}
        pixels = {geometry: kept for geometry, kept in cached.items() if kept is not None}
    left = {
        geometry: transform for geometry, transform in transforms.items() if geometry not in pixels
    }
    prepared = list(pool.map(partial(_prepare, transforms=left), items)) if left else []
    broken = {place: image for place, image in enumerate(prepared) if isinstance(image, str)}
    whole = [image for image in prepared if not isinstance(image, str)]
    for geometry in left:
        pixels[geometry] = _stack([image[geometry] for image in whole], geometry)
        if geometry in paths and not broken:
            cache.write(paths[geometry], pixels[geometry])
    return Chunk(first, items, digests, broken, pixels)


def _content(item: Item) -> bytes | Image | None:
    """What an image is read from; None where it cannot be read."""
    try:
        return item.read()
    except Exception:  # it is named when it is prepared
        return None


def _prepare(item: Item, transforms: Mapping[Geometry, Transform]) -> dict[Geometry, Tensor] | str:
    """An image's pixels for each geometry, or why it is broken."""
    try:
        image = rgb(item)
        return {geometry: transform(image) for geometry, transform in transforms.items()}
    except Exception as error:
        return why_broken(error)


def _stack(pixels: Sequence[Tensor], geometry: Geometry) -> Tensor:
    size = geometry.image_size
    return torch.stack(list(pixels)) if pixels else torch.empty(0, 3, size, size, dtype=torch.uint8)
