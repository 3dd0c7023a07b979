"""The numbers of classes. Folders and files of labels give them, and they are checked against the
model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from timm.data.imagenet_info import ImageNetInfo

from cmx_bench.datasets import key_of
from cmx_bench.datasets.label_lines import Lines, Word, compose, text_of
from cmx_bench.datasets.tree import Tree, natural_order
from cmx_bench.errors import DataError
from cmx_bench.units import tally

SYNSET = re.compile(r"n\d{8}")
CLASSES = "classes.txt"
_IMAGENET = 1000
BY_NAME = "numbered by their names"

# From the name of a class, as `compose` gives it, to its number.
Numbers: TypeAlias = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read classes: `of` has that of each image, `there` all that there are.

    `by` says whether they are the innermost folders, as timm has it, the outermost ones, or words
    of a file. Where each image lies in one folder only, they are `flat`.
    """

    by: str
    of: tuple[Word, ...]
    there: frozenset[str]
    flat: bool = True

    @property
    def held(self) -> frozenset[str]:
        """The classes that have images."""
        return frozenset(word for word in self.of if isinstance(word, str))


@dataclass(frozen=True, slots=True)
class Numbered:
    """The numbers of classes. `by` names the reading that they are for; `how` says how they were
    found, where they are not the places of all classes."""

    by: str
    numbers: Numbers
    how: str = ""


def of_lines(lines: Lines) -> Reading:
    """The reading of a file of labels."""
    words = (*lines.of, *lines.absent)
    return Reading("file", lines.of, frozenset(word for word in words if isinstance(word, str)))


def of_folders(tree: Tree) -> list[Reading]:
    """The readings of folders: two where images lie in folders of class folders."""
    depth = _depth(tree)
    inner = [image.folders[-1] for image in tree.images]
    outer = [image.folders[depth] for image in tree.images]
    without = tree.folders - {folders[:-1] for folders in tree.folders}  # any folders in them
    depths = {len(image.folders) for image in tree.images}
    innermost = frozenset(inner) | {folders[-1] for folders in without if len(folders) in depths}
    outermost = frozenset(outer) | {
        folders[depth] for folders in without if len(folders) == depth + 1
    }
    if all(len(image.folders) == depth + 1 for image in tree.images):
        return [Reading("outermost", tuple(outer), outermost)]
    return [
        Reading("innermost", tuple(inner), innermost, flat=False),
        Reading("outermost", tuple(outer), outermost, flat=False),
    ]


def tell_folders(tree: Tree, readings: Sequence[Reading]) -> str:
    """How many class folders there are, and how many of them are empty, in words."""
    inner = readings[0]
    if not inner.flat:
        outer = tally(len(readings[1].there), "folder")
        return f"{outer} that hold {tally(len(inner.there), 'class folder')}"
    parts, without = [tally(len(inner.there), "class folder")], inner.there - inner.held
    depth = _depth(tree)
    used = {folder for path in tree.others for folder in path.split("/")[depth:-1]} & without
    if without - used:
        parts.append(f"{len(without - used)} empty")
    if used:
        parts.append(f"{len(used)} without images")
    return ", ".join(parts)


def _depth(tree: Tree) -> int:
    """How many folders there are one in the other, each alone, before the class folders."""
    depth = 0
    while True:
        level = {folders[depth] for folders in tree.folders if len(folders) > depth}
        if len(level) > 1 or any(len(image.folders) <= depth + 1 for image in tree.images):
            return depth
        depth += 1


def certain(readings: Sequence[Reading], num_classes: int | None) -> Numbered | None:
    """ImageNet's numbers, if all classes are synsets of its 1000."""
    known = {name: index for index, name in enumerate(ImageNetInfo().label_names())}  # type: ignore[no-untyped-call]
    for reading in readings:
        if reading.held and reading.held <= known.keys() and num_classes in (None, _IMAGENET):
            return Numbered(reading.by, {name: known[name] for name in reading.held},
                            "with ImageNet's numbers")  # fmt: skip
    return None


def by_list(readings: Sequence[Reading], file: Path, num_classes: int | None) -> Numbered:
    """The numbers that `classes.txt` gives, which has a line for each class of the model.

    Raises:
        DataError: it cannot be read, has as many as the model has not, or lacks one that is there.
    """
    names = [compose(line.strip()) for line in text_of(file).splitlines() if line.strip()]
    if len(set(names)) < len(names) or num_classes not in (None, len(names)):
        raise DataError(f"{file}: expected the model's {num_classes or ''} classes in their order, "
                        f"one on each line, got {len(set(names))} different ones")  # fmt: skip
    numbers = {name: number for number, name in enumerate(names)}
    lacking = [strange(reading, numbers) for reading in readings]
    if None not in lacking:
        raise DataError(f"{file}: lacks {key_of(str(lacking[0]))!r}, and there are images of it")
    return Numbered(readings[lacking.index(None)].by, numbers, f"numbered by {CLASSES}")


def strange(reading: Reading, numbers: Numbers) -> str | None:
    """A class that has images and no number."""
    return min((name for name in reading.held if compose(name) not in numbers), default=None)


def by_count(readings: Sequence[Reading], num_classes: int | None, where: str) -> Numbered:
    """The numbers of classes where there are as many as the model has. They are places in natural
    order, as timm's, with the empty folders or without; or numbers that folders are called by.

    Raises:
        DataError: there is no way to read as many, or there are two that differ.
    """
    if all(not reading.held for reading in readings):  # numbers in a file, or no classes at all
        return Numbered(readings[0].by, {})
    if num_classes is None:
        return next(_by_name(readings), _in_order(readings[0], readings[0].there))
    fitting = [
        _in_order(reading, names)
        for reading in readings
        for names in (reading.there, reading.held)
        if len(names) == num_classes
    ]
    fitting += [
        reading for reading in _by_name(readings) if max(reading.numbers.values()) < num_classes
    ]
    by = {reading.by: reading for reading in readings}
    labels = {tuple(labels_of(by[reading.by], reading)) for reading in fitting}
    if len(labels) != 1:
        model = f"the model has {tally(num_classes, 'class', 'classes')}"
        raise DataError(f"{where}; {model}: {_advice(readings, num_classes)}")
    return fitting[0]


def labels_of(reading: Reading, numbered: Numbered) -> list[int]:
    """The number of each image's class; -1, as in timm, where it has none."""
    return [
        -1 if word is None else word if isinstance(word, int) else numbered.numbers[compose(word)]
        for word in reading.of
    ]


def _in_order(reading: Reading, names: Iterable[str]) -> Numbered:
    ordered = sorted(names, key=natural_order)
    numbers = {compose(name): number for number, name in enumerate(ordered)}
    if len(numbers) < len(ordered):
        [(twice, _)] = Counter(map(compose, ordered)).most_common(1)
        raise DataError(f"two folders are called {key_of(twice)!r}, one with its accents written "
                        f"apart; put their images into one")  # fmt: skip
    return Numbered(reading.by, numbers, _tell_order(ordered))


def _tell_order(names: Sequence[str]) -> str:
    """Where natural order is not that of characters, by which torchvision's ImageFolder numbers:
    weights trained on that name other classes."""
    for name, other in zip(names, sorted(names), strict=True):
        if name != other:
            return (f"{key_of(name)} numbered before {key_of(other)} (timm's order; {CLASSES} can "
                    f"give another, such as torchvision's)")  # fmt: skip
    return ""


def _by_name(readings: Sequence[Reading]) -> Iterator[Numbered]:
    """Folders whose names are different numbers."""
    for reading in readings:
        if reading.flat and reading.held and all(map(str.isdecimal, reading.held)):
            numbers = {name: int(name) for name in reading.held}
            if len(set(numbers.values())) == len(numbers):
                yield Numbered(reading.by, numbers, BY_NAME)


def _advice(readings: Sequence[Reading], num_classes: int) -> str:
    held = readings[0].held
    listed = f"add {CLASSES} with the model's classes in their order, one on each line"
    if len(readings) > 1:
        return (f"which folders are the classes is not said; put each image straight into its "
                f"class's folder, or {listed}")  # fmt: skip
    few = f"set num_classes: {len(held)} where it was trained on these alone"
    if all(map(SYNSET.fullmatch, held)):
        return f"set num_classes: {_IMAGENET}, or {len(held)} where it was trained on these alone"
    if len(held) > num_classes:
        return f"set num_classes: {len(readings[0].there)}"
    call = "give their numbers" if readings[0].by == "file" else "call the folders by their numbers"
    return f"which of them these are is not said: {few}, {call} from 0 on, or {listed}"
