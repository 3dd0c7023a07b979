"""What is evaluated: seeds, whose images are shown, weights that options give."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmx_bench import accuracy
from cmx_bench.accuracy import Evaluation, find_weights
from cmx_bench.cell import Model
from cmx_bench.errors import DataError, WeightsError
from cmx_bench.spec import suite

from ..conftest import TRAINED

PLAIN = Model("net", "Net", "resnet", "timm", "resnet10t")
WITH_WEIGHTS = replace(PLAIN, weights="in1k")


@pytest.fixture
def task(write_suite: Callable[[str], Path]) -> Callable[..., Evaluation]:
    """An evaluation of TRAINED's models, with changes of what its suite asks for."""

    def make(**changes: Any) -> Evaluation:
        asked = suite.load(str(write_suite(TRAINED))).suite.accuracy
        assert asked is not None
        return Evaluation(asked.model_copy(update=changes), Path())

    return make


def test_a_model_is_trained_once_with_each_seed_unless_it_has_weights(
    task: Callable[..., Evaluation],
) -> None:
    trained = task()
    assert trained.seeds == (0, 7)
    assert (trained.trains(PLAIN), trained.trains(WITH_WEIGHTS)) == (True, False)
    assert (trained.seeds_of(PLAIN), trained.seeds_of(WITH_WEIGHTS)) == ((0, 7), (None,))
    evaluated = task(train=None)
    assert (evaluated.seeds, evaluated.trains(PLAIN)) == ((None,), False)


def test_copies_of_images_are_shown_of_data_that_everybody_has(
    task: Callable[..., Evaluation],
) -> None:
    assert task().shows_images
    private = task(dataset="photos")
    assert not private.shows_images
    assert replace(private, thumbnails=True).shows_images


def test_labels_that_real_labels_replace_are_held_against_nothing(
    task: Callable[..., Evaluation],
) -> None:
    """The digits have ten classes, and this model five."""
    with pytest.raises(DataError, match="set num_classes: 10"):
        accuracy.images(task(), 5)
    assert accuracy.images(task(real_labels="real.json"), 5).size == 360
    with pytest.raises(DataError, match="set num_classes: 10"):
        accuracy.images(task(real_labels="real.json"), 5, "train")


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files in `trained/`: of a training with its best epoch, of others by their models' names."""
    folder = tmp_path / "trained"
    folder.mkdir()
    for name in ("net.r32.seed0.safetensors", "net.r32.seed0.best.safetensors", "other.pt",
                 "mixer_1.5.r32.seed0.safetensors", "both.pth", "both.safetensors",
                 "light.ckpt"):  # fmt: skip
        (folder / name).touch()
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_folder_gives_the_weights_of_the_models_that_its_files_name(checkpoints: Path) -> None:
    assert find_weights(["trained"], ["net", "mixer_1.5"]) == {
        "net": checkpoints / "net.r32.seed0.safetensors",
        "mixer_1.5": checkpoints / "mixer_1.5.r32.seed0.safetensors",
        "both": checkpoints / "both.safetensors",
        "light": checkpoints / "light.ckpt",
        "other": checkpoints / "other.pt",  # of nobody, or of a member that is matched later
    }


def test_a_later_option_wins(checkpoints: Path) -> None:
    given = find_weights(["trained", "net=trained/other.pt"], ["net", "other"])
    assert given["net"] == checkpoints / "other.pt"


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("nte=trained/other.pt", "the suite has no model 'nte', did you mean 'net'?"),
        ("net=nothing.pt", "there is no file at nothing.pt"),
        ("nowhere", "expected MODEL=FILE, or a folder with files called like models, such as net."),
    ],
)
@pytest.mark.usefixtures("checkpoints")
def test_options_that_give_no_weights_are_refused(option: str, line: str) -> None:
    with pytest.raises(WeightsError, match=f"--weights {option}: {re.escape(line)}"):
        find_weights([option], ["net", "other"])


def test_two_trainings_of_a_model_need_a_choice(checkpoints: Path) -> None:
    (checkpoints / "net.r32.seed7.safetensors").touch()
    with pytest.raises(WeightsError, match="are both of net; choose with --weights net=FILE"):
        find_weights(["trained"], ())


def test_the_cache_lies_where_the_user_keeps_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert accuracy.cache_folder() == tmp_path / "cmx-bench" / "images"
