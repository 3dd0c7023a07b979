"""Which images are drawn, how they are changed, and what several processes share."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from timm.data.mixup import Mixup

from cmx_bench.accuracy.preprocessing import Geometry, Preprocessing, transform
from cmx_bench.datasets import Dataset, Item, of_places, open_dataset, rgb
from cmx_bench.errors import DataError
from cmx_bench.spec.recipe import Augmentation, Crop, Optimizer, Recipe
from cmx_bench.training import batches
from cmx_bench.training.batches import Batches, Images, Part, augment, workers_that_fit

SEEN = Preprocessing(Geometry(16, 1.0, "center", "bicubic"), (0.5,) * 3, (0.5,) * 3)
STRONG = Augmentation(
    crop=Crop(), flip=0.5, rand_augment="rand-m9-mstd0.5-inc1", random_erasing=0.5
)


def recipe(**parts: object) -> Recipe:
    fields = {"name": "r", "epochs": 3, "batch_size": 8, "optimizer": Optimizer(lr=0.01), **parts}
    return Recipe.model_validate(fields)


def few() -> Dataset:
    """48 of the digits to learn from."""
    digits = open_dataset("digits", None, "train")
    assert digits.at is not None
    return of_places("few", digits.at, 48, 10)


def images(
    asked: Augmentation = STRONG, seed: int = 0, dataset: Dataset | None = None,
    preprocessing: Preprocessing = SEEN,
) -> Images:  # fmt: skip
    return Images(dataset or few(), augment(asked, preprocessing), 10, seed)


def test_each_epoch_draws_every_image_once_in_another_order() -> None:
    drawn = list(Batches(30, recipe(), 0, Part()))
    assert len(drawn) == 3 * (30 // 8) and {len(batch) for batch in drawn} == {8}
    places = list(chain.from_iterable(drawn))
    assert max(Counter(places).values()) == 1
    orders = [[number for epoch, number in places if epoch == wanted] for wanted in range(3)]
    assert {len(order) for order in orders} == {24}
    assert orders[0] != orders[1] and orders[0] != sorted(orders[0])


def test_what_goes_on_draws_what_it_would_have_drawn() -> None:
    whole = list(Batches(30, recipe(), 0, Part()))
    assert list(Batches(30, recipe(), 0, Part(), 1)) == whole[3:]
    assert list(Batches(30, recipe(), 1, Part())) != whole


@pytest.mark.parametrize("count", [1, 2, 4])
def test_processes_share_a_batch_and_keep_the_pairs_that_mixup_makes(count: int) -> None:
    [whole, *_] = Batches(30, recipe(), 0, Part())
    parts = [next(iter(Batches(30, recipe(), 0, Part(rank, count)))) for rank in range(count)]
    assert sorted(chain.from_iterable(parts)) == sorted(whole)
    assert {len(part) for part in parts} == {8 // count}
    partners = dict(zip(whole, reversed(whole), strict=True))
    for part in parts:
        assert [partners[place] for place in part] == list(reversed(part))


def test_mixing_parts_is_mixing_the_batch() -> None:
    values, labels = torch.rand(8, 3, 4, 4), torch.arange(8)
    mix = Mixup(0.8, 0.0, label_smoothing=0.1, num_classes=8)
    vars(mix)["_params_per_batch"] = lambda: (0.3, False)
    whole, targets = mix(values.clone(), labels)
    mine = [place for _, place in Part(1, 2).of([(0, place) for place in range(8)])]
    part, part_targets = mix(values[mine].clone(), labels[mine])
    assert torch.equal(part, whole[mine]) and torch.equal(part_targets, targets[mine])


def test_fewer_images_than_a_batch_are_refused() -> None:
    with pytest.raises(DataError, match="is 8, and there are 7 images to learn from; make it sma"):
        Batches(7, recipe(), 0, Part())


def test_an_image_is_changed_as_its_seed_and_epoch_want_it() -> None:
    first, same, other = images(), images(), images(seed=1)
    value, label = first.at((0, 5))
    assert value.shape == (3, 16, 16) and 0 <= label < 10
    first.at((1, 7))  # what was drawn before does not matter
    assert torch.equal(same.at((0, 5))[0], value) and torch.equal(first.at((0, 5))[0], value)
    assert not torch.equal(first.at((1, 5))[0], value) and not torch.equal(
        other.at((0, 5))[0], value
    )


@pytest.mark.parametrize(
    ("asked", "drawn"),
    [(None, {"bicubic"}), ("bilinear", {"bilinear"}), ("random", {"bilinear", "bicubic"})],
)
def test_how_a_crop_is_resized(asked: str | None, drawn: set[str]) -> None:
    change = augment(Augmentation(crop=Crop.model_validate({"interpolation": asked})), SEEN)
    kinds = change.transforms[0].interpolation  # type: ignore[attr-defined]
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    assert {kind.value for kind in kinds} == drawn


@pytest.mark.parametrize(
    ("crop_pct", "mode"), [(1.0, "center"), (0.875, "center"), (0.9, "squash"), (0.9, "border")]
)
def test_without_augmentation_an_image_is_what_is_evaluated(crop_pct: float, mode: str) -> None:
    dataset = open_dataset("digits", None, "train")
    assert dataset.at is not None
    fill = (0.5, 0.5, 0.5) if mode == "border" else None
    preprocessing = replace(SEEN, geometry=Geometry(16, crop_pct, mode, "bicubic", fill))
    value, _ = images(Augmentation(), preprocessing=preprocessing).at((0, 5))
    evaluated = transform(preprocessing.geometry)(rgb(dataset.at(5)))
    assert torch.allclose(value, (torch.as_tensor(evaluated) / 255 - 0.5) / 0.5, atol=1e-6)


@pytest.mark.parametrize(
    ("free", "wanted", "sharers", "workers"),
    [
        (2**40, 1, 1, 1),
        (2**40, 128, 1, 16),
        (64, 128, 1, 16),
        (34, 128, 1, 15),
        (64, 128, 8, 2),
        (5, 1, 1, 1),
        (4, 1, 1, 0),
        (0, 1, 1, 0),
    ],
)
def test_workers_prepare_no_more_batches_than_shared_memory_holds(
    monkeypatch: pytest.MonkeyPatch, free: int, wanted: int, sharers: int, workers: int
) -> None:
    usage = SimpleNamespace(free=free * 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert workers_that_fit(wanted, 1000, sharers) == workers


@pytest.mark.parametrize(("system", "workers"), [("linux", 0), ("darwin", 4)])
def test_without_shared_memory_no_process_prepares_images_on_linux(
    monkeypatch: pytest.MonkeyPatch, system: str, workers: int
) -> None:
    monkeypatch.setattr(batches.sys, "platform", system)
    monkeypatch.setattr(batches, "_SHARED_MEMORY", "/nowhere")
    assert workers_that_fit(4, 1000, 1) == workers


# 3 MiB an image: a batch of 8 is more than a /dev/shm of 4 MiB holds.
SMALL = """
import sys, torch
from tests.training.test_batches import few, recipe
from cmx_bench.cell import Setting
from cmx_bench.training.batches import Batches, Images, Part, load, workers_that_fit
from cmx_bench.worker.sampling import reason_of
images = Images(few(), lambda image: torch.zeros(3, 512, 512), 10, 0)
for workers in (workers_that_fit(1, 8 * 3 * 2**20, 1), 1):
    try:
        print(len(list(load(images, Batches(48, recipe(epochs=1), 0, Part()), workers, "cpu"))))
    except RuntimeError as error:
        print(reason_of(error, Setting("cpu", "cpu", "fp32", "nchw", "none", 8, 512)))
"""
MOUNTED = 'mount -t tmpfs -o size=4m tmpfs /dev/shm && exec "$@"'
ALONE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", MOUNTED, "sh"]


@pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run([*ALONE, "true"], check=False).returncode != 0,
    reason="no mount namespaces here",
)
def test_where_shared_memory_is_small() -> None:
    done = subprocess.run(
        [*ALONE, sys.executable, "-c", SMALL], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    said, batches, reason = done.stdout.splitlines()
    assert said == (
        "0 of 1 processes prepare images: /dev/shm has 4 MiB free for batches of 24.0 MiB; a "
        "container gets more with --shm-size"
    )
    assert batches == "6"
    assert reason.startswith("RuntimeError: unable to allocate shared memory(shm)")
    assert reason.endswith("; /dev/shm is full: give a container more with --shm-size")


def odd(label: int, broken: bool) -> Dataset:
    def read() -> Image.Image:
        if broken:
            raise OSError("cut off")
        return Image.new("RGB", (8, 8))

    return of_places("odd", lambda place: Item(f"i{place}", label, partial(read)), 20, None)


def test_images_that_cannot_be_learned_from_are_named() -> None:
    with pytest.raises(DataError, match=r"odd: i3 cannot be read \(OSError: cut off\)"):
        images(dataset=odd(1, broken=True)).at((0, 3))
    with pytest.raises(DataError, match="i3 has the label 10, the model 10 classes; set num_cl"):
        images(dataset=odd(10, broken=False)).at((0, 3))
    with pytest.raises(DataError, match="comes as a stream"):
        images(dataset=Dataset("stream", lambda: iter(()), None, None))


def test_images_to_learn_from_are_others_than_those_to_evaluate_on(tmp_path: Path) -> None:
    learned, evaluated = (
        {item.key for item in open_dataset("digits", None, split).items()}
        for split in ("train", "validation")
    )
    assert len(learned) == 1437 and len(evaluated) == 360 and not learned & evaluated
    for split, count in (("train", 3), ("val", 2)):
        for number in range(count):
            file = tmp_path / split / "cat" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8)).save(file)
    assert open_dataset("mine", tmp_path, "train").size == 3
    assert open_dataset("mine", tmp_path).size == 2
    with pytest.raises(DataError, match="expected a folder that holds train and val"):
        open_dataset("mine", tmp_path / "val", "train")
