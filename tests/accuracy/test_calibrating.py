"""Images to calibrate on: drawn the same each time, and never those to evaluate on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cmx_bench import datasets
from cmx_bench.accuracy import Evaluation, calibrating, images
from cmx_bench.accuracy.preprocessing import of, transform
from cmx_bench.cell import Model, Setting
from cmx_bench.errors import DataError
from cmx_bench.spec.suite import Accuracy

from ..datasets.trees import plant

MODEL = Model("m", "M", "m", "timm", "resnet10t", num_classes=10)
SETTING = Setting("s", "cpu", "int8", "nchw", "none", 2, 32, runtime="openvino")


def of_folder(root: Path, **asked: str) -> Evaluation:
    return Evaluation(Accuracy(dataset="mine", **asked), root, root / "mine")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["digits", "digits-random"])
def test_none_is_evaluated_on(name: str) -> None:
    task = Evaluation(Accuracy(dataset=name), Path())
    drawn = [item.key for item in calibrating.drawn(calibrating.images_of(task))]
    assert len(set(drawn)) == calibrating.IMAGES
    assert not {*drawn} & {item.key for item in images(task, 10).items()}
    assert drawn == [item.key for item in calibrating.drawn(calibrating.images_of(task))]
    labels = {item.label for item in calibrating.drawn(calibrating.images_of(task))}
    assert labels == {*range(10)}


def test_they_are_seen_as_those_that_are_evaluated_on() -> None:
    task = Evaluation(Accuracy(), Path())
    calibration = calibrating.calibration(MODEL, SETTING, task, 48)
    preprocessing = of(MODEL, SETTING, Accuracy(image_size=48))
    first = calibrating.drawn(calibrating.images_of(task))[0]
    pixels = transform(preprocessing.geometry)(datasets.rgb(first)).float() / 255
    mean, std = (
        torch.tensor(values).view(3, 1, 1) for values in (preprocessing.mean, preprocessing.std)
    )
    assert calibration.images.shape == (calibrating.IMAGES, 3, 48, 48)
    torch.testing.assert_close(calibration.images[0], (pixels - mean) / std)
    assert calibration.told["source"] == "digits, train"


def test_those_of_a_folder_are_in_its_train(tmp_path: Path) -> None:
    plant(tmp_path / "mine", "train/cat/{0,1}.png train/dog/2.png val/cat/3.png val/dog/4.png")
    keys = [item.key for item in calibrating.images_of(of_folder(tmp_path)).items()]
    assert keys == ["cat/0.png", "cat/1.png", "dog/2.png"]


def test_a_folder_of_a_users_needs_no_classes(tmp_path: Path) -> None:
    plant(tmp_path, "mine/cat/3.png mine/dog/4.png others/{0,1}.png others/deep/2.png")
    dataset = calibrating.images_of(of_folder(tmp_path, calibration="others"))
    assert (dataset.name, dataset.size) == ("others", 3)


@pytest.mark.parametrize("calibration", ["mine", "mine/cat", "."])
def test_images_to_evaluate_on_are_refused(tmp_path: Path, calibration: str) -> None:
    plant(tmp_path, "mine/cat/3.png mine/dog/4.png")
    with pytest.raises(DataError, match="lies with the images to evaluate on"):
        calibrating.images_of(of_folder(tmp_path, calibration=calibration))


def test_a_link_to_images_to_evaluate_on_is_refused(tmp_path: Path) -> None:
    plant(tmp_path, "mine/val/cat/3.png mine/train/cat/4.png")
    (tmp_path / "others").symlink_to(tmp_path / "mine" / "val")
    with pytest.raises(DataError, match="lies with the images to evaluate on"):
        calibrating.images_of(of_folder(tmp_path, calibration="others"))


def test_a_data_set_without_images_to_learn_from_says_what_to_do(tmp_path: Path) -> None:
    plant(tmp_path, "mine/cat/3.png")
    with pytest.raises(DataError, match="int8 needs images .* calibration: FOLDER"):
        calibrating.images_of(of_folder(tmp_path))


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    plant(tmp_path, "mine/cat/3.png others/0.png")
    (tmp_path / "others" / "0.png").write_text("none")
    with pytest.raises(DataError, match="0.png, to calibrate on, is broken: not a kind of image"):
        calibrating.calibration(MODEL, SETTING, of_folder(tmp_path, calibration="others"), 32)
