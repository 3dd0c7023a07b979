"""The classes that are right for an image, and the classes among which a model chooses."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TypeAlias

from cmx_bench.accuracy import Evaluation
from cmx_bench.errors import DataError, first_line
from cmx_bench.spec import disk

# ImageNet-ReaL's file has 0.6 MB.
MOST_BYTES = 2**24

# From an image's key and its data set's label to the classes that are right.
Labels: TypeAlias = Callable[[str, int], tuple[int, ...]]


def reader(task: Evaluation) -> Labels:
    """Reads the data set's own label, or ImageNet-ReaL's if the suite names that file.

    Raises:
        DataError: the file is not what it should be; the reader, that an image is not in it.
    """
    if task.asked.real_labels is None:
        return lambda key, label: (label,) if label >= 0 else ()
    file = task.base / task.asked.real_labels
    try:
        listed = json.loads(disk.text_of(file, DataError, MOST_BYTES))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: is not valid JSON: {first_line(error)}") from error
    if not isinstance(listed, list) or not all(map(_are_classes, listed)):
        raise DataError(f"{file}: expected a list with a list of classes for each image")
    # One list of classes for each of ImageNet's 50,000 validation images, in their order.
    known = {
        f"ILSVRC2012_val_{number:08d}": tuple(labels) for number, labels in enumerate(listed, 1)
    }

    def real(key: str, label: int) -> tuple[int, ...]:
        labels = known.get(PurePosixPath(key).stem)
        if labels is None:
            raise DataError(f"{file}: has no labels for {key}; expected ILSVRC2012_val_NUMBER")
        return labels

    return real


def valid(task: Evaluation) -> list[int] | None:
    """The classes that a model chooses among; None for all.

    Raises:
        DataError: the file cannot be read, or holds no classes.
    """
    if task.asked.valid_labels is None:
        return None
    file = task.base / task.asked.valid_labels
    words = disk.text_of(file, DataError, MOST_BYTES).split()
    if not words or not all(re.fullmatch(r"[0-9]{1,7}", word) for word in words):
        raise DataError(f"{file}: expected the number of a class on each line")
    classes = [int(word) for word in words]
    [(twice, count)] = Counter(classes).most_common(1)
    if count > 1:  # it would be two of the five likeliest
        raise DataError(f"{file}: has the class {twice} twice; keep one")
    return classes


def tell(task: Evaluation) -> dict[str, str]:
    """What a record keeps of the classes that a model chooses among, by which a run that goes on
    knows them again; nothing where it chooses among all."""
    if (classes := valid(task)) is None:
        return {}
    return {"valid_labels_sha256": hashlib.sha256(repr(classes).encode()).hexdigest()}


def _are_classes(listed: object) -> bool:
    return isinstance(listed, list) and all(
        type(label) is int and 0 <= label < 2**20 for label in listed
    )
