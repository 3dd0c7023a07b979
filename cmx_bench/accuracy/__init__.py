"""Evaluation accuracy: images decoded once for all models, predictions kept image by image.

`preprocessing` what a model wants to see · `decoding` `cache` images → pixels · `predicting`
pixels → classes · `worker.scoring` does it for the models of one setting. Nothing in this file
loads torch.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from cmx_bench.cell import Model
from cmx_bench.datasets import Dataset, Split, comes_along, open_dataset
from cmx_bench.errors import WeightsError, nearest
from cmx_bench.models import SUFFIXES
from cmx_bench.spec.disk import folder_of_user
from cmx_bench.spec.suite import Accuracy


@dataclass(frozen=True, slots=True)
class Evaluation:
    """On which images models are evaluated, and how.

    `path` is where the images lie, for data sets that need one; paths of label files start at the
    folder of the suite, `base`. `cache` is a folder for preprocessed images. A cell with more than
    `allow_missing` broken images fails. `processes` train a model together, where that is asked.
    The report keeps small copies of images with `thumbnails`, and of data sets that come along.
    """

    asked: Accuracy
    base: Path
    path: Path | None = None
    allow_missing: int = 0
    cache: Path | None = None
    processes: int = 1
    thumbnails: bool = False

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The seeds that models are trained with; a single None if they are not trained."""
        return (None,) if self.asked.train is None else tuple(self.asked.seeds)

    @property
    def shows_images(self) -> bool:
        """Whether a report may hold copies of images. It may not if they are a user's own."""
        return self.thumbnails or comes_along(self.asked.dataset)

    def trains(self, model: Model) -> bool:
        """Whether a model is trained before its evaluation. It is not if it comes with weights."""
        return self.asked.train is not None and model.weights is None

    def seeds_of(self, model: Model) -> tuple[int | None, ...]:
        """The seeds that the model is trained with; a single None if it is not trained."""
        return self.seeds if self.trains(model) else (None,)


def images(task: Evaluation, num_classes: int, split: Split = "validation") -> Dataset:
    """A part of the images, with labels for models of `num_classes` classes. Labels of
    ImageNet-ReaL that replace those of the images to evaluate on are not checked against the
    classes.

    Raises:
        DataError: they cannot be had, or their classes cannot be the models'.
    """
    labelled = task.asked.real_labels is None or split == "train"
    return open_dataset(task.asked.dataset, task.path, split, num_classes if labelled else None)


def find_weights(options: Sequence[str], models: Collection[str]) -> dict[str, Path]:
    """The files that `--weights MODEL=FILE` and `--weights FOLDER` options give, by model.

    Args:
        models: the names that a model may have; empty where not all are known yet.

    Raises:
        WeightsError: nothing lies there, or it is of none of these models.
    """
    checkpoints: dict[str, Path] = {}
    for option in options:
        name, separator, text = option.partition("=")
        path = Path(text if separator else option)
        if separator and models and name not in models:
            raise WeightsError(f"--weights {option}: the suite has no model {name!r}"
                               f"{nearest(name, models)}")  # fmt: skip
        if separator and not path.is_file():
            raise WeightsError(f"--weights {option}: there is no file at {path}")
        files = {name: path} if separator else _in_folder(path, option)
        if not files:
            raise WeightsError(
                f"--weights {option}: expected MODEL=FILE, or a folder with files called like "
                f"models, such as {min(models, default='resnet50')}{SUFFIXES[0]}"
            )
        checkpoints |= {model: file.resolve() for model, file in files.items()}
    return checkpoints


# What trainings leave in a run's folder, `MODEL.rSIZE.seedN`; the best epoch's is no model's name.
_TRAINED = re.compile(r"(.+)\.r\d+\.seed\d+(\.best)?")


def _in_folder(folder: Path, option: str) -> dict[str, Path]:
    """The checkpoints in a folder, by their names without the ending, or without what trainings
    append."""
    checkpoints: dict[str, Path] = {}
    for suffix in reversed(SUFFIXES):
        for file in sorted(folder.glob(f"*{suffix}")):
            name = file.name.removesuffix(suffix)
            trained = _TRAINED.fullmatch(name)
            if trained and trained[2]:
                continue
            model = trained[1] if trained else name
            if trained and model in checkpoints:
                raise WeightsError(
                    f"--weights {option}: {checkpoints[model].name} and {file.name} are both of "
                    f"{model}; choose with --weights {model}=FILE"
                )
            checkpoints[model] = file
    return checkpoints


def cache_folder() -> Path:
    """Where preprocessed images are kept between runs: `~/.cache/cmx-bench/images` on Linux.

    Raises:
        CmxError: the user has no home.
    """
    return folder_of_user("cache") / "images"
