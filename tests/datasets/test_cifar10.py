"""CIFAR-10 in its standard files."""

from __future__ import annotations

import hashlib
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import CIFAR10

from cmx_bench.datasets import open_dataset
from cmx_bench.errors import DataError

from ..photographs import write


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CIFAR-10's layout with photographs in it; its checksums are put in the place of the known."""
    folder = tmp_path / "cifar" / CIFAR10.base_folder
    folder.mkdir(parents=True)
    pixels = np.stack([
        np.asarray(Image.open(file).resize((32, 32))) for file in write(tmp_path / "photos", 4)
    ])  # fmt: skip
    batch = {"data": pixels.transpose(0, 3, 1, 2).reshape(4, -1), "labels": [3, 1, 4, 1]}
    names = {"label_names": [str(number) for number in range(10)]}
    for name, content in (("test_batch", batch), ("batches.meta", names)):
        (folder / name).write_bytes(pickle.dumps(content))
    sums = [(f.name, hashlib.md5(f.read_bytes()).hexdigest()) for f in sorted(folder.iterdir())]
    monkeypatch.setattr(CIFAR10, "train_list", [])
    monkeypatch.setattr(CIFAR10, "test_list", [sums[1]])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": sums[0][1]})
    return folder.parent


def test_cifar_is_read_from_its_folder_or_its_archive(
    cifar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [
        (item.label, np.asarray(item.read())) for item in open_dataset("cifar10", cifar).items()
    ]
    assert [label for label, _ in whole] == [3, 1, 4, 1]
    inner = list(open_dataset("cifar10", cifar / CIFAR10.base_folder).items())
    assert np.array_equal(np.asarray(inner[2].read()), whole[2][1])

    archive = tmp_path / "elsewhere" / CIFAR10.filename
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(cifar / CIFAR10.base_folder, CIFAR10.base_folder)
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    packed = list(open_dataset("cifar10", archive).items())
    assert np.array_equal(np.asarray(packed[2].read()), whole[2][1])


def test_cifar_with_other_checksums_is_refused(cifar: Path) -> None:
    with (cifar / CIFAR10.base_folder / "test_batch").open("ab") as file:
        file.write(b"more")
    with pytest.raises(DataError, match="known checksums"):
        open_dataset("cifar10", cifar)
