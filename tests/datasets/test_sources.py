"""Where images come from: names, options, digits, CIFAR-10's files, timm's factory."""

from __future__ import annotations

import hashlib
import pickle
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from torchvision.datasets import CIFAR10

from cmx_bench import datasets
from cmx_bench.datasets import Split, factory, open_dataset
from cmx_bench.errors import DataError

from ..photographs import write

SPLITS: tuple[Split, ...] = ("train", "validation")


def test_a_path_that_is_missing_is_asked_for() -> None:
    assert datasets.missing("imagenet-val", {}) == (
        "no images of 'imagenet-val': add --data imagenet-val=PATH"
    )
    assert datasets.missing("imagenet-val", {"imagenet-val": Path("x")}) is None
    assert "'digitz', did you mean 'digits'?: add --data" in (datasets.missing("digitz", {}) or "")
    assert datasets.missing("digits", {}) is None
    assert datasets.missing("hfds/cifar10", {}) == (
        "'hfds/cifar10' may be downloaded: add --data hfds/cifar10=FOLDER, where it is to lie, or "
        "--allow-import if you trust this suite"
    )
    assert datasets.missing("hfds/cifar10", {"hfds/cifar10": Path("x")}) is None
    assert datasets.missing("hfds/cifar10", {}, trusted=True) is None
    assert datasets.missing("torch/cifar10", {}, trusted=True) is not None
    assert datasets.missing("torch/cifar10", {}) is not None


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("imagenet-val", "expected NAME=PATH"),
        ("imagenet-val=", "expected NAME=PATH"),
        ("imagenet-val=/nowhere", "there is nothing at /nowhere"),
        ("imagenet=.", "evaluates on imagenet-val, did you mean 'imagenet-val'?"),
    ],
)
def test_options_that_are_wrong_are_refused(option: str, said: str) -> None:
    with pytest.raises(DataError, match=said.replace("?", r"\?")):
        datasets.parse([option], "imagenet-val")


def test_digits_need_no_path(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the digits come along"):
        datasets.parse([f"digits={tmp_path}"], "digits")


def test_a_stream_that_breaks_is_told_with_its_place() -> None:
    def source() -> Iterator[tuple[Image.Image, int | None]]:
        yield Image.new("RGB", (8, 8)), None
        raise OSError("gone")

    stream = factory._stream("wds/x", source())  # type: ignore[arg-type]
    assert next(stream).label == -1
    with pytest.raises(DataError, match="wds/x: image 1 cannot be read: gone"):
        next(stream)


def test_digits_are_real_and_in_order() -> None:
    dataset = open_dataset("digits", None)
    items = list(dataset.items())
    assert (len(items), dataset.size, dataset.classes) == (360, 360, 10)
    assert set(Counter(item.label for item in items)) == set(range(10))
    image = items[0].read()
    assert isinstance(image, Image.Image)
    theirs = load_digits().images[1437]
    assert np.array_equal(np.asarray(image), np.round(theirs * 255 / 16))


def test_random_digits_are_the_same_images_otherwise_divided() -> None:
    parts = {
        name: [{one.key for one in open_dataset(name, None, split).items()} for split in SPLITS]
        for name in ("digits", "digits-random")
    }
    for learned, evaluated in parts.values():
        assert (len(learned), len(evaluated)) == (1437, 360) and not learned & evaluated
    ours, theirs = parts["digits-random"], parts["digits"]
    assert ours[0] | ours[1] == theirs[0] | theirs[1]
    assert 40 < len(ours[1] & theirs[1]) < 110  # a fifth of 360, give or take
    [first, *_] = open_dataset("digits-random", None).items()
    assert first.label == load_digits().target[int(first.key.removeprefix("digit-"))]


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


def test_timms_factory_reads_torchvisions(tmp_path: Path) -> None:
    write(tmp_path, 6)
    items = list(open_dataset("torch/image_folder", tmp_path).items())
    assert [item.label for item in items] == [0, 1, 2, 3, 4, 5]
    assert isinstance(items[0].read(), Image.Image)


def test_a_broken_image_of_a_factory_raises_when_it_is_read(tmp_path: Path) -> None:
    broken = write(tmp_path, 6)[2]
    broken.write_bytes(b"no image")
    items = list(open_dataset("torch/image_folder", tmp_path).items())
    assert [item.label for item in items] == [0, 1, -1, 3, 4, 5]
    with pytest.raises(OSError, match="cannot identify"):
        items[2].read()


def test_what_the_factory_cannot_read_is_told() -> None:
    with pytest.raises(DataError, match=r"torch/nothing: timm cannot read this data set"):
        open_dataset("torch/nothing", None)
