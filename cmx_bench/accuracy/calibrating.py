"""Images for quantisation: some that nothing is evaluated on, preprocessed as accuracy does it."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import torch

from cmx_bench.accuracy import Evaluation
from cmx_bench.accuracy.preprocessing import colours, of, transform
from cmx_bench.cell import Model, Setting
from cmx_bench.datasets import Dataset, Item, open_dataset, rgb, why_broken
from cmx_bench.datasets.folder import open_unlabelled, refuse_overlap
from cmx_bench.errors import DataError
from cmx_bench.measures.calibration import Calibration

IMAGES = 128


def calibration(model: Model, setting: Setting, task: Evaluation, image_size: int) -> Calibration:
    """The images that an int8 model is calibrated on, as it wants to see them.

    Raises:
        DataError: they cannot be had, or one is broken.
        ModelError: the model's preprocessing makes no square images.
    """
    dataset = images_of(task)
    asked = task.asked.model_copy(update={"image_size": image_size})
    preprocessing = of(model, setting, asked)
    see = transform(preprocessing.geometry)
    pixels = []
    for item in drawn(dataset):
        try:
            pixels.append(see(rgb(item)))
        except Exception as error:  # whatever Pillow, timm or a file system raise
            raise DataError(
                f"{item.key}, to calibrate on, is broken: {why_broken(error)}"
            ) from error
    mean, std = colours(preprocessing, setting.device, torch.float32)
    return Calibration(torch.stack(pixels).float().sub_(mean).div_(std), dataset.name)


def images_of(task: Evaluation) -> Dataset:
    """The images that int8 models are calibrated on, none of which models are evaluated on.

    Raises:
        DataError: they cannot be had, or may be evaluated on.
    """
    if (named := task.asked.calibration) is not None:
        path = task.base / named
        if task.path is not None:
            refuse_overlap(path, task.path)
        return open_unlabelled(named, path)
    try:
        part = open_dataset(task.asked.dataset, task.path, "train")
    except DataError as error:
        raise DataError(f"int8 needs images to calibrate on: {error}; or name a folder of images "
                        f"under accuracy, calibration: FOLDER") from error  # fmt: skip
    if task.path is not None:
        refuse_overlap(task.path / "train", task.path)
    return replace(part, name=f"{part.name}, train")


def drawn(dataset: Dataset) -> list[Item]:
    """`IMAGES` of a data set, the same each time: drawn at random, or the first ones where they can
    be had in order only; all of one that has fewer."""
    if dataset.at is None or dataset.size is None:
        return list(islice(dataset.items(), IMAGES))
    places = np.random.RandomState(0).permutation(dataset.size)  # whose numbers no numpy may change
    return [dataset.at(int(place)) for place in places[:IMAGES]]
