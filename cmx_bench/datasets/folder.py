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

# From an image's key and timm's label for it to the name of its class.
_Classes: TypeAlias = Callable[[str, int], str]


def open_dataset(name: str, path: Path | None, split: Split) -> Dataset:
    """The images that timm finds at `path`, in timm's order; of a folder that has a `val` or
    `validation`, the images in there. Images to learn from lie in `train` of a folder.

    Classes are folders, numbered in timm's order or, where all have names of ImageNet-1k's, as
    there: a folder of ten of its classes is evaluated like the whole (but see `numbered_for`).
    Beside a `train` the numbers are those of the classes in there. A file `labels.txt` or
    `labels.csv` beside the images, with a line `FILE CLASS` or `FILE,CLASS` for each, decides
    instead of folders where there is one; its classes are numbers or names.

    Raises:
        DataError: there are no images, or an image has no class, or one that is not in `train`.
    """
    assert path is not None
    if split == "train" and not (path / "train").is_dir():
        raise DataError(
            f"{path}: no images to learn from; expected a folder that holds train and val, each "
            f"with a folder for each class"
        )
    reader = _reader(path, split)
    beside_train = split == "validation" and _is_part(path / "train")
    if beside_train and Path(reader.root) == path:
        raise DataError(f"{path}: has train, but no images to evaluate on; put them into val")
    names, of = _classes(reader, path)
    indices = _fixed(names, in_file=_labels_of(reader) is not None)
    if indices is None:
        learned = _classes(_reader(path, "train"), path)[0] if beside_train else names
        if strange := min(names - learned, default=None):
            raise DataError(f"{reader.root}: has images of {strange!r}, and train has none of "
                            f"them; call the classes the same in both")  # fmt: skip
        indices = {one: index for index, one in enumerate(sorted(learned, key=natural_key))}

    def labels(key: str, label: int) -> int:
        return indices[of(key, label)]

    classes = max(indices.values()) + 1
    chosen = tuple(indices.values()) if all(map(_SYNSET.fullmatch, indices)) else ()
    if isinstance(reader, ReaderImageFolder):
        found = of_places(name, partial(_file, reader, labels), len(reader), classes)
    else:
        found = of_reader(name, reader, labels, classes)
    return replace(found, chosen=chosen)


def _reader(path: Path, split: Split) -> Any:
    """timm's, of one part where the folder has parts."""
    try:
        return create_dataset("", str(path), split=split).reader
    # ValueError: a tar without images
    except (RuntimeError, OSError, ValueError, tarfile.TarError) as error:
        raise DataError(
            f"{path}: no images found in it; expected a folder or a .tar of images ({error})"
        ) from error


def _is_part(folder: Path) -> bool:
    """Whether a folder is a part of a data set, and not the class of its name: one for trains."""
    return folder.is_dir() and (
        _label_file(folder) is not None or any(one.is_dir() for one in folder.iterdir())
    )


def _file(reader: ReaderImageFolder, labels: Callable[[str, int], int], place: int) -> Item:
    """Files of a folder can be read by any thread, in any order."""
    path, label = reader.samples[place]
    key = reader.filename(place)  # type: ignore[no-untyped-call]
    return Item(key, labels(key, label), Path(path).read_bytes)


def _classes(reader: Any, path: Path) -> tuple[set[str], _Classes]:
    """The classes' names, and that of each image."""
    file = _labels_of(reader)
    return _by_folder(reader, path) if file is None else _by_file(file, reader)


def _by_folder(reader: Any, path: Path) -> tuple[set[str], _Classes]:
    """An image's class is the folder that it lies in."""
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
    names = {label: folder for folder, label in folders.items()}
    return set(folders), lambda key, label: names[label]


def _by_file(file: Path, reader: Any) -> tuple[set[str], _Classes]:
    """An image's class is in its line of a file of labels.

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
    return {str(word) for word in named.values()}, lambda key, _: str(named[key])


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


def _labels_of(reader: Any) -> Path | None:
    root = Path(reader.root)
    return _label_file(root if root.is_dir() else root.parent)


def _label_file(folder: Path) -> Path | None:
    return next((folder / name for name in LABEL_FILES if (folder / name).is_file()), None)


def _fixed(names: Collection[str], in_file: bool) -> dict[str, int] | None:
    """The index of each class where its name says it: a number in a file of labels is one, and a
    synset of ImageNet-1k has its place there. None where names are to be numbered."""
    if in_file and all(name.isdecimal() for name in names):
        return {name: int(name) for name in names}
    if all(_SYNSET.fullmatch(name) for name in names):
        known = {name: index for index, name in enumerate(ImageNetInfo().label_names())}  # type: ignore[no-untyped-call]
        if set(names) <= set(known):
            return {name: known[name] for name in names}
    return None
