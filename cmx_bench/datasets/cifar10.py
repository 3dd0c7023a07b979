"""CIFAR-10 in its standard files: `cifar-10-batches-py`, or the archive of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torchvision.datasets import CIFAR10
from torchvision.datasets.utils import check_integrity, extract_archive

from cmx_bench.datasets import Dataset, Split
from cmx_bench.datasets.factory import of_pairs
from cmx_bench.errors import DataError


def open_dataset(name: str, path: Path | None, split: Split, num_classes: int | None) -> Dataset:
    """The images `(32, 32)`, 50,000 to learn from and 10,000 to evaluate on; an archive is unpacked
    beside itself first.

    Args:
        path: the archive, the folder `cifar-10-batches-py`, or the folder that holds either.

    Raises:
        DataError: the files are not there, or their checksums are not the known ones.
    """
    assert path is not None
    root = path if path.is_dir() and path.name != CIFAR10.base_folder else path.parent
    archive = root / CIFAR10.filename
    unpacked = (root / CIFAR10.base_folder).is_dir()
    try:
        if not unpacked and check_integrity(str(archive), CIFAR10.tgz_md5):
            extract_archive(str(archive), str(root))
        images = CIFAR10(str(root), train=split == "train")
    except (RuntimeError, OSError) as error:
        raise DataError(
            f"{path}: expected {CIFAR10.filename} or the folder {CIFAR10.base_folder} with "
            f"CIFAR-10's known checksums ({error})"
        ) from error
    return replace(of_pairs(name, images, 10), class_names=dict(enumerate(images.classes)))
