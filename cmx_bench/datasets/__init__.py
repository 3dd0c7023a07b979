"""Data sets of labelled images. A name and a path give images in a fixed order.

Nothing here loads torch; the modules behind the table below do, in the process that evaluates.
"""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from cmx_bench.errors import DataError, in_a_line, nearest
from cmx_bench.units import decode, tally

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Item:
    """One image. `key` names it within its data set; `label` is the index of its class.

    `read` gives the encoded file or, where the source has none, the decoded image; it may be
    called from any thread, and raises what its source does where the image is broken.
    """

    key: str
    label: int
    read: Callable[[], bytes | Image]


def held(content: bytes | Image) -> Callable[[], bytes | Image]:
    """The `read` of an image that has been read already."""
    return lambda: content


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def key_of(path: str) -> str:
    """A path as a key on one line. Bytes that are not UTF-8, and characters that move a cursor,
    become escapes."""
    return _CONTROL.sub(lambda control: f"\\x{ord(control[0]):02x}", decode(path))


def rgb(item: Item) -> Image:
    """The image as timm sees it: in colour, not turned by EXIF, nothing put behind alpha.

    Raises:
        DataError: it has levels that Pillow would cut off: a grey image of 16 bits would be white.
    """
    from PIL import Image

    content = item.read()
    image = Image.open(io.BytesIO(content)) if isinstance(content, bytes) else content
    highest = cast(float, image.getextrema()[1]) if image.mode[0] in "IF" else 0
    if image.mode == "F" or highest > 255:
        levels = (
            "of floating-point numbers" if image.mode == "F" else f"with levels up to {highest}"
        )
        raise DataError(f"is a grey image {levels}, and models see 0 to 255; save it with 8 bits")
    return image.convert("RGB")


def why_broken(error: Exception) -> str:
    """The reason why an image cannot be used, in a line. `error` is any error of Pillow, timm's
    transforms or a file system."""
    from PIL import UnidentifiedImageError

    if isinstance(error, DataError):
        return str(error)
    if isinstance(error, UnidentifiedImageError):  # its text is the address of our buffer
        return "not a kind of image that Pillow knows"
    return in_a_line(error)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Images in a fixed order, however often they are asked for.

    `size` is None where it shows only at the end. `classes` is one more than the largest label
    that may come, None where nobody says. `at` gives any of the images by its place, and is None
    where they can be had in order only. `about` says in a line what was found, and what was passed
    over. `class_names` are those of labels, as far as they are known.
    """

    name: str
    items: Callable[[], Iterator[Item]]
    size: int | None
    classes: int | None
    at: Callable[[int], Item] | None = None
    about: str = ""
    class_names: Mapping[int, str] = field(default_factory=dict)


def of_places(
    name: str, at: Callable[[int], Item], size: int, classes: int | None, about: str = ""
) -> Dataset:
    """A data set whose images can be had by their places."""
    return Dataset(name, lambda: map(at, range(size)), size, classes, at, about)


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A row of the table: the module whose `open_dataset(name, path, split, num_classes)` opens
    it, whether that needs a path, and what it is."""

    module: str
    path: Literal["needed", "optional", "none"]
    about: str


# Images to learn from, or to evaluate on.
Split: TypeAlias = Literal["train", "validation"]
Opener: TypeAlias = Callable[[str, Path | None, Split, int | None], Dataset]

SOURCES: dict[str, SourceInfo] = {
    "digits": SourceInfo(
        "digits", "none", "scikit-learn's handwritten digits, 8 × 8: 1,437, and 360 of other hands"
    ),
    "digits-random": SourceInfo(
        "digits", "none", "the same digits, of which 360 are drawn at random: an easier contest"
    ),
    "cifar10": SourceInfo(
        "cifar10", "needed", "CIFAR-10 in its standard files: 50,000 images and 10,000"
    ),
}
# Names of timm's dataset factory, by what stands before the slash.
FACTORY = SourceInfo("factory", "optional", "whatever timm's dataset factory reads by this name")
_ROOTED = replace(FACTORY, path="needed")
_FACTORIES = {
    "hfds": FACTORY, "hfids": FACTORY, "tfds": FACTORY, "torch": _ROOTED, "wds": _ROOTED,
}  # fmt: skip
PREFIXES = tuple(_FACTORIES)
# Any other name, imagenet-val among them, stands for images in a folder or a tar.
FOLDER = SourceInfo(
    "folder", "needed", "a folder of class folders, a flat one with labels, or a tar"
)


def source(name: str) -> SourceInfo:
    """Where the images of a data set come from, by its name."""
    prefix, slash, _ = name.partition("/")
    factory = _FACTORIES.get(prefix) if slash else None
    return factory or SOURCES.get(name, FOLDER)


def is_remote(name: str) -> bool:
    """Whether opening a data set may download it."""
    return source(name).module == FACTORY.module


def comes_along(name: str) -> bool:
    """Whether the images are part of this package or of one that it needs."""
    return source(name).path == "none"


def is_small(name: str) -> bool:
    """Whether its images are far smaller than photographs, and held in memory."""
    return name in SOURCES


def missing(name: str, paths: Mapping[str, Path], trusted: bool = False) -> str | None:
    """What the user must do to get a data set; None if nothing.

    Args:
        paths: where data sets lie, by name, as `--data` gave them.
        trusted: whether the suite may have one downloaded that the user has not named.
    """
    if name in paths:
        return None
    if is_remote(name) and source(name).path != "needed" and not trusted:
        return (f"{name!r} may be downloaded: add --data {name}=FOLDER, where it is to lie, or "
                f"--allow-import if you trust this suite")  # fmt: skip
    if source(name).path != "needed":
        return None
    return f"no images of {name!r}{nearest(name, SOURCES)}: add --data {name}=PATH"


def parse(options: Sequence[str], known: str | None) -> dict[str, Path]:
    """The paths that `--data NAME=PATH` options give.

    Args:
        known: the data set that the suite evaluates on, if any.

    Raises:
        DataError: an option has no name or no path, nothing lies there, there are two, or the suite
            knows no such data set.
    """
    paths: dict[str, Path] = {}
    for option in options:
        name, separator, text = option.partition("=")
        if not (name and separator and text):
            raise DataError(f"--data {option}: expected NAME=PATH, such as imagenet-val=PATH")
        if name != known:
            used = f"{known}; write {known}=PATH" if known else "no data set; leave it out"
            raise DataError(f"--data {option}: the suite evaluates on {used}")
        if comes_along(name):
            raise DataError(f"--data {option}: cmx-bench brings the {name}; leave it out")
        if not Path(text).exists():
            raise DataError(f"--data {option}: there is nothing at {text}")
        if paths:
            raise DataError(f"--data {option}: gives a second path; keep one")
        paths[name] = Path(text).resolve()
    return paths


def open_dataset(
    name: str, path: Path | None, split: Split = "validation", num_classes: int | None = None
) -> Dataset:
    """A part of the data set of that name, its images at `path` where it needs one.

    Args:
        num_classes: how many classes the models have, which the labels must be of; None where the
            labels do not matter.

    Raises:
        DataError: it is not there, or not what it should be, or its classes cannot be the models'.
    """
    module = importlib.import_module(f"cmx_bench.datasets.{source(name).module}")
    opener: Opener = module.open_dataset
    dataset = opener(name, path, split, num_classes)
    count = "images" if dataset.size is None else tally(dataset.size, "image")
    classes = f"{dataset.classes} classes; " if dataset.classes else ""
    about = dataset.about or f"{classes}{count}"
    if num_classes is None:
        return replace(dataset, about=about)
    about = f"{about}; the model has {tally(num_classes, 'class', 'classes')}"
    if name in SOURCES and dataset.classes != num_classes:
        raise DataError(f"{name}: {about}; set num_classes: {dataset.classes}, for what a model of "
                        f"other classes names means nothing here")  # fmt: skip
    if dataset.classes is not None and dataset.classes > num_classes:
        raise DataError(
            f"{name}: {about}, and there are labels up to {dataset.classes - 1}; set num_classes: "
            f"{dataset.classes}, or number the classes from 0 on as the model does"
        )
    return replace(dataset, about=about)
