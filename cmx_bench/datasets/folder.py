"""Images in a folder or a tar: a folder for each class, or all in one with a file of labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from cmx_bench.datasets import Dataset, Item, Split, key_of, label_lines, numbering, of_places, tree
from cmx_bench.datasets.label_lines import NAMES, Lines
from cmx_bench.datasets.numbering import CLASSES, SYNSET, Numbered, Reading
from cmx_bench.datasets.tree import Tree
from cmx_bench.errors import DataError
from cmx_bench.units import tally

# In timm's order; it takes the first that is there.
_VALIDATION = ("validation", "val", "valid", "eval", "evaluation")
# Folders called like a part of a data set, in any spelling: Val, train2017, seg_test.
_PARTS = re.compile(
    r"(?<![a-z])(train(ing)?|val(id(ation)?)?|eval(uation)?|dev|test(ing)?)(?![a-z])", re.IGNORECASE
)


def open_dataset(name: str, path: Path | None, split: Split, num_classes: int | None) -> Dataset:
    """The images at `path`, in timm's order; of a folder that has a `val` or `validation`, the
    images in there. Images to learn from lie in `train` of a folder.

    Classes are folders, the empty ones too, numbered in timm's order where there are as many as
    `num_classes`. Fewer folders have ImageNet-1k's numbers where all are called so, or those that
    they have for names; anything else is refused. A file `classes.txt` beside them, with a line for
    each class of the model, decides instead. Beside a `train` the numbers are those of the classes
    in there. A file `labels.txt` or `labels.csv` beside the images, with a line `FILE CLASS` or
    `FILE,CLASS` for each, decides instead of folders where there is one; its classes are numbers
    or names.

    Raises:
        DataError: there are no images, or an image has no class, or one that is not in `train`, or
            the classes cannot be those of the model.
    """
    assert path is not None
    part = _part(path, split)
    numbered = _number(path, part, split, num_classes)
    reading = next(
        (candidate for candidate in part.readings if candidate.by == numbered.by), part.readings[0]
    )
    if strange := numbering.strange(reading, numbered.numbers):
        raise DataError(f"{part.files.root}: has images of {key_of(strange)!r}, and train has none "
                        f"of them; call the classes the same in both")  # fmt: skip
    _refuse_two_numbers(part, numbered)
    labels = numbering.labels_of(reading, numbered)
    classes = max([*labels, *numbered.numbers.values()]) + 1
    at = partial(_item, part.files, labels)
    given = numbered.how == numbering.BY_NAME or any(isinstance(word, int) for word in reading.of)
    one_based = given and 0 not in labels and 1 in labels  # or class 0 has no images
    first = "none of class 0, with which numbers begin" * one_based
    about = _about(part, ", ".join(filter(None, (numbered.how, first))))
    names = {number: key_of(word) for word, number in numbered.numbers.items()}
    return replace(of_places(name, at, len(labels), classes, about), class_names=names)


def open_unlabelled(name: str, path: Path) -> Dataset:
    """The images of a folder, or of a tar, whatever their classes are: their labels are -1.

    Raises:
        DataError: there are none.
    """
    files = tree.read(path)
    at = partial(_item, files, [-1] * len(files.images))
    return of_places(name, at, len(files.images), None)


def refuse_overlap(path: Path, evaluated: Path) -> None:
    """Refuses images in the folder of a data set that are those to evaluate on.

    Raises:
        DataError: one of both folders lies in the other.
    """
    folder, root = path.resolve(), _root(evaluated, "validation").resolve()
    if folder.is_relative_to(root) or root.is_relative_to(folder):
        raise DataError(f"{path}: lies with the images to evaluate on, {root}, and none of these "
                        f"may be calibrated on; keep both in folders of their own")  # fmt: skip


def _item(files: Tree, labels: Sequence[int], place: int) -> Item:
    """Files can be read by any thread, in any order."""
    image = files.images[place]
    return Item(key_of(image.path), labels[place], image.read)


@dataclass(frozen=True, slots=True)
class _Part:
    """The images to learn from or to evaluate on, with the ways to read their classes; by a file
    of labels, where there is one."""

    files: Tree
    readings: Sequence[Reading]
    by_file: Lines | None


def _part(path: Path, split: Split) -> _Part:
    files = tree.read(_root(path, split))
    file = label_lines.file_in(_beside(files.root))
    if file is None:
        return _Part(files, _by_folders(files), None)
    lines = label_lines.read(file, files)
    return _Part(files, [numbering.of_lines(lines)], lines)


def _root(path: Path, split: Split) -> Path:
    train = path / "train"
    if split == "train":
        if not train.is_dir():
            raise DataError(
                f"{path}: no images to learn from; expected a folder that holds train and val, "
                f"each with a folder for each class"
            )
        return train
    # A link to a folder that it lies in is none.
    named = [path / name for name in _VALIDATION if (path / name).is_dir()]
    parts = [part for part in named if not path.resolve().is_relative_to(part.resolve())]
    if not _is_part(train):
        return next(filter(_is_part, parts), path)
    if not parts:
        raise DataError(f"{path}: has train, but no images to evaluate on; put them into val")
    return parts[0]


def _is_part(folder: Path) -> bool:
    """Whether a folder is a part of a data set, and not the class of its name: one for trains."""
    return folder.is_dir() and (
        label_lines.file_in(folder) is not None or any(entry.is_dir() for entry in folder.iterdir())
    )


def _beside(root: Path) -> Path:
    return root if root.is_dir() else root.parent


def _by_folders(files: Tree) -> list[Reading]:
    """An image's class is a folder that it lies in."""
    strays = [image.path for image in files.images if not image.folders]
    if len(strays) == len(files.images):
        raise DataError(
            f"{files.root}: the images are in no class folders; add a file {NAMES[0]} next to "
            f"them, with a line 'FILE CLASS' for each"
        )
    if strays:
        raise DataError(f"{files.root}: {key_of(strays[0])} lies in no class folder, and "
                        f"{tally(len(files.images) - len(strays), 'other image')} in one; "
                        f"take it away, or put it into one")  # fmt: skip
    readings = numbering.of_folders(files)
    outer = readings[-1]
    parts = {name: found[1].lower() for name in outer.held if (found := _PARTS.search(name))}
    if len({*parts.values()}) > 1 and (not outer.flat or len(parts) == len(outer.held)):
        raise DataError(f"{files.root}: holds {' and '.join(sorted(parts))} in it, which are no "
                        f"classes; name the folder that they lie in, or one of them")  # fmt: skip
    strangers = sorted(name for name in readings[0].held if not SYNSET.fullmatch(name))
    if 0 < len(strangers) < len(readings[0].held):
        raise DataError(
            f"{files.root}: there are folders called like ImageNet's synsets, and images in "
            f"{key_of(strangers[0])!r}; take them away, or rename all"
        )
    return readings


def _number(path: Path, part: _Part, split: Split, num_classes: int | None) -> Numbered:
    files, readings = part.files, part.readings
    for folder in (_beside(files.root), path):
        if (file := folder / CLASSES).is_file():
            return numbering.by_list(readings, file, num_classes)
    if sure := numbering.certain(readings, num_classes):
        return sure
    if split == "validation" and files.root != path and _is_part(path / "train"):
        return _number(path, _part(path, "train"), "train", num_classes)
    return numbering.by_count(readings, num_classes, f"{files.root}: {_about(part)}")


def _refuse_two_numbers(part: _Part, numbered: Numbered) -> None:
    """Refuses a file of labels with numbers, where the name of a class is another number than its
    own. The folder 01 of `train` may be class 0: label 1 would then mean another folder."""
    if part.by_file is None or all(not isinstance(word, int) for word in part.by_file.of):
        return
    for name, number in numbered.numbers.items():
        if name.isdecimal() and int(name) != number:
            raise DataError(f"{part.files.root}: its labels are numbers, and the class that is "
                            f"called {name} has the number {number}; give labels and classes the "
                            f"same numbers")  # fmt: skip


def _about(part: _Part, how: str = "") -> str:
    files, lines = part.files, part.by_file
    if lines is None:
        classes = numbering.tell_folders(files, part.readings)
    else:
        classes = tally(len(set(lines.of) - {None}), "class", "classes") + " in a file of labels"
        if unlabelled := lines.of.count(None):
            classes += f", {tally(unlabelled, 'image')} without a class"
        if lines.absent:
            classes += f", {tally(len(lines.absent), 'line')} about files that are not there"
    return f"{classes}{how and f', {how}'}; {files.told((*NAMES, CLASSES))}"
