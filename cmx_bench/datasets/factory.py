"""Data sets that timm's factory reads by name, such as `hfds/…`, `tfds/…`, `wds/…`, `torch/…`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from PIL import Image
from timm.data.dataset import ImageDataset, IterableImageDataset
from timm.data.dataset_factory import create_dataset

from cmx_bench.datasets import Dataset, Item, Split, held, key_of, of_places
from cmx_bench.errors import DataError, first_line, in_a_line, quote


def open_dataset(name: str, path: Path | None, split: Split, num_classes: int | None) -> Dataset:
    """A split of it, in the order in which timm reads it.

    Args:
        path: the root or cache folder, where the source has one.

    Raises:
        DataError: timm cannot read it; the text has timm's reason.
    """
    root = None if path is None else str(path)
    try:
        dataset = create_dataset(name, root, split=split)
    except Exception as error:  # packages that are missing, hubs that are away, names unknown
        reason = in_a_line(error)
        where = "" if path else f"; if it needs files, add --data {name}=PATH"
        raise DataError(f"{name}: timm cannot read this data set ({reason}){where}") from error
    if isinstance(dataset, ImageDataset):
        return _of_reader(name, dataset.reader)
    if isinstance(dataset, IterableImageDataset):
        size = len(dataset) or None
        return Dataset(name, partial(_stream, name, dataset), size, None)
    return of_pairs(name, dataset)


def _of_reader(name: str, reader: Any) -> Dataset:
    """A data set of one of timm's readers: files are read in the order in which these are asked
    for."""

    def at(place: int) -> Item:
        key = reader.filename(place) or f"{place:06d}"
        return _item(key_of(key), partial(_read, reader, place))

    return of_places(name, at, len(reader), None)


def of_pairs(name: str, pairs: Any, classes: int | None = None) -> Dataset:
    """A data set of a sequence of images with their labels, such as torchvision's."""

    def at(place: int) -> Item:
        return _item(f"{place:06d}", partial(pairs.__getitem__, place))

    return of_places(name, at, len(pairs), classes)


def _stream(name: str, pairs: IterableImageDataset) -> Iterator[Item]:
    index, source = 0, iter(pairs)
    while True:
        try:
            image, label = next(source)
        except StopIteration:
            return
        except Exception as error:  # a source that streams cannot go on behind a broken image
            raise DataError(f"{name}: image {index} cannot be read: {first_line(error)}") from error
        yield Item(f"{index:06d}", _number(label), held(image))
        index += 1


def _item(key: str, load: Callable[[], tuple[bytes | Image.Image, Any]]) -> Item:
    """An image whose source gives content and label together: a broken one raises when read."""
    try:
        content, label = load()
    except Exception as error:  # whatever its source raises is this image's failure alone
        return Item(key, -1, partial(_raise, error))
    return Item(key, _number(label), held(content))


def _number(label: Any) -> int:
    """timm's and torchvision's labels; none, where there is none, is -1 as in timm."""
    try:
        return -1 if label is None else operator.index(label)
    except TypeError:
        raise DataError(f"{quote(str(label))} is no label; expected the number of a class for "
                        f"each image") from None  # fmt: skip


def _read(reader: Any, index: int) -> tuple[bytes, Any]:
    file, label = reader[index]
    with file:
        return file.read(), label


def _raise(error: Exception) -> NoReturn:
    raise error
