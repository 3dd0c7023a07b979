"""Images in a folder or a tar: a folder for each class, or all in one with a file of labels."""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from timm.data.dataset_factory import create_dataset
from timm.data.imagenet_info import ImageNetInfo
from timm.data.readers.reader_image_folder import ReaderImageFolder
from timm.utils.misc import natural_key

from cmx_bench.datasets import Dataset, Item, Split, of_places
from cmx_bench.datasets.factory import of_reader
from cmx_bench.errors import DataError

LABEL_FILES = ("labels.txt", "labels.csv")
_SYNSET = re.compile(r"n\d{8}")

# From an image's key and timm's label for it to the index of its class.
_Labels: TypeAlias = Callable[[str, int], int]


def open_dataset(name: str, path: Path | None, split: Split) -> Dataset:
    """The images that timm finds at `path`, in timm's order; of a folder that has a `val` or
    `validation`, the images in there. Images to learn from lie in `train` of a folder.

    Classes are folders, numbered in timm's order or, where all have names of ImageNet-1k's, as
    there: a folder of ten of its classes is evaluated like the whole (but see `numbered_for`). A
    file `labels.txt` or
    `labels.csv` beside the images, with a line `FILE CLASS` or `FILE,CLASS` for each, decides
    instead where there is one; its classes are numbers or names.

    Raises:
        DataError: there are no images, or an image has no class.
    """
    assert path is not None
    if split == "train" and not (path / "train").is_dir():
        raise DataError(
            f"{path}: no images to learn from; expected a folder that holds train and val, each "
            f"with a folder for each class"
        )
    try:
        reader = create_dataset("", str(path), split=split).reader
    # ValueError: a tar without images
    except (RuntimeError, OSError, ValueError, tarfile.TarError) as error:
        raise DataError(
            f"{path}: no images found in it; expected a folder or a .tar of images ({error})"
        ) from error
    root = Path(reader.root)
    file = _label_file(root if root.is_dir() else root.parent)
    indices, labels = _by_folder(reader, path) if file is None else _by_file(file, reader)
    classes = max(indices.values()) + 1
    chosen = tuple(indices.values()) if all(map(_SYNSET.fullmatch, indices)) else ()
    if isinstance(reader, ReaderImageFolder):
        found = of_places(name, partial(_file, reader, labels), len(reader), classes)
    else:
        found = of_reader(name, reader, labels, classes)
    return replace(found, chosen=chosen)


def _file(reader: ReaderImageFolder, labels: _Labels, place: int) -> Item:
    """Files of a folder can be read by any thread, in any order."""
    path, label = reader.samples[place]
    key = reader.filename(place)  # type: ignore[no-untyped-call]
    return Item(key, labels(key, label), Path(path).read_bytes)


def _by_folder(reader: Any, path: Path) -> tuple[dict[str, int], _Labels]:
    """The classes' numbers by name, and the class of each image by the folder that it lies in."""
    folders = reader.class_to_idx if hasattr(reader, "class_to_idx") else reader.class_name_to_idx
    if set(folders) <= {"", "."}:
        raise DataError(
            f"{path}: the images lie in no class folders; add a file {LABEL_FILES[0]} beside "
            f"them, with a line 'FILE CLASS' for each"
        )
    strangers = sorted(one for one in folders if not _SYNSET.fullmatch(one))
    if 0 < len(strangers) < len(folders):
        raise DataError(
            f"{path}: beside folders called like ImageNet's synsets there are images in "
            f"{strangers[0] or 'no folder'!r}; take them away, or rename all"
        )
    indices = _indices(folders)
    known = {label: indices[folder] for folder, label in folders.items()}
    return indices, lambda key, label: known[label]


def _by_file(file: Path, reader: Any) -> tuple[dict[str, int], _Labels]:
    """The classes' numbers by name, and the class of each image by its line in a file of labels.

    Lines about other files, a heading among them, count for nothing.
    """
    keys = set(reader.filenames())
    by_name = Counter(Path(key).name for key in keys)
    words: dict[str, str] = {}
    for name, word in _lines(file):
        if name not in keys and by_name[name] > 1:
            raise DataError(f"{file}: {name} is in several folders; name the folder too")
        if words.setdefault(name, word) != word:
            raise DataError(f"{file}: {name} has two classes, {words[name]} and {word}")
    named = {key: words.get(key) or words.get(Path(key).name) for key in keys}
    if missing := min((key for key, word in named.items() if word is None), default=None):
        raise DataError(f"{file}: has no line for {missing}; add one, or take the image away")
    found = {word for word in named.values() if word is not None}
    numbers = all(word.isdecimal() for word in found)
    indices = {word: int(word) for word in found} if numbers else _indices(found)
    return indices, lambda key, _: indices[str(named[key])]


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    """The file and the class of each line."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, separator, word = line.replace(",", " ").strip().rpartition(" ")
        if not separator:
            raise DataError(f"{file}:{number}: expected 'FILE CLASS', got {line!r}")
        yield name.strip(), word


def _label_file(folder: Path) -> Path | None:
    return next((folder / name for name in LABEL_FILES if (folder / name).is_file()), None)


def _indices(names: Collection[str]) -> dict[str, int]:
    """The index of each class: a synset of ImageNet-1k has its place there, other names are
    numbered in timm's order."""
    if all(_SYNSET.fullmatch(name) for name in names):
        known = {name: index for index, name in enumerate(ImageNetInfo().label_names())}  # type: ignore[no-untyped-call]
        if set(names) <= set(known):
            return {name: known[name] for name in names}
    return {name: index for index, name in enumerate(sorted(names, key=natural_key))}
