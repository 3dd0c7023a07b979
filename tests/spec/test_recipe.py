"""Recipes: what is accepted, and how each mistake is answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from timm.data.auto_augment import rand_augment_transform

from cmx_bench.errors import SuiteError
from cmx_bench.spec import recipe, shipped, suite

from ..conftest import TINY

RECIPE = """\
name: mine
epochs: 2
batch_size: 64
optimizer: {lr: 0.01}
"""
MISTAKES = {
    "epochs: 2": ("epochs: two", "2:9: epochs: expected a whole number, got text 'two'"),
    "batch_size: 64": ("batchsize: 64", "3:1: unknown key 'batchsize', did you mean 'batch_size'?"),
    "{lr: 0.01}": ("{lr: 0}", "4:17: lr: should be greater than 0, got a number 0"),
    "{lr: 0.01": (
        "{name: adam, lr: 0.01",
        "4:19: name: expected 'adamw' or 'sgd', got text 'adam'",
    ),
    "name: mine\n": ("", "1:1: the key 'name' is missing"),
    "lr: 0.01": ("lr: 0.01, betas: [0.9]", "4:30: betas: expected at least 2 items, got 1"),
    "0.01": ("0.01, betas: [0.9, 1]", "4:36: betas: should be less than 1, got a number 1"),
    " {lr": (" {momentum: 0.9, lr", "4:12: optimizer: adamw has no momentum; leave it out"),
    " {lr: ": (" {name: sgd, eps: 1.0e-3, lr: ", "optimizer: sgd has no eps; leave it out"),
    "lr: 0.01}\n": (
        "lr: 0.01}\nmixup: 0.2\nbatch_size: 63\n",
        "the key 'batch_size' is given twice",
    ),
}
PARTS = {
    "schedule: {name: one-cycle, warmup: 0.1}": "5:11: schedule: one-cycle begins with a warm-up",
    "augmentation: {crop: {scale: [0.9, 0.5]}}": "5:22: crop: scale goes from 0.9 down to 0.5",
    "augmentation: {crop: {scale: [0.5, 1.5]}}": "5:22: crop: scale is a share of the image's area",
    "augmentation: {rand_augment: random-m9}": "5:30: rand_augment: expected timm's words, such",
    "augmentation: {rand_augment: augmix-m5}": "such as rand-m9-mstd0.5-inc1, got 'augmix-m5'",
    "augmentation: {rand_augment: rand-x3}": "'x3' in 'rand-x3' is none of timm's parts, such",
    "augmentation: {rand_augment: rand-m9.5}": "'m9.5' in 'rand-m9.5' is none of timm's parts",
    "augmentation: {rand_augment: rand-p.5}": "'p.5' in 'rand-p.5' is none of timm's parts",
    "augmentation: {rand_augment: rand-p1.5}": "'p1.5' in 'rand-p1.5' is none of timm's parts",
    "augmentation: {rand_augment: rand-m9-m4}": "'rand-m9-m4' gives m twice",
    "augmentation: {rand_augment: rand-m12}": "off at 10; lower it, or add mmax12",
    "augmentation: {rand_augment: rand-m9, color_jitter: 0.4}": "timm ignores color_jitter",
    "augmentation: {flip: 1.5}": "5:22: flip: should be less than or equal to 1",
    "amp: 1": "5:6: amp: expected true, false or bf16, got a number 1",
    "amp: 0.0": "5:6: amp: expected true, false or bf16, got a number 0.0",
    "amp: fp8": "5:6: amp: expected False, True or 'bf16', got text 'fp8'",
    "label_smoothing: 1": "5:18: label_smoothing: should be less than 1",
    "batch_norm: synced": "5:13: batch_norm: expected 'own' or 'shared', got text 'synced'",
    "clip_grad_norm: .inf": "5:17: clip_grad_norm: expected a number",
}


def write(folder: Path, text: str = RECIPE) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_left_out_is_switched_off(tmp_path: Path) -> None:
    loaded = recipe.load(write(tmp_path))
    assert not loaded.mixes and not loaded.amp and loaded.clip_grad_norm is None
    assert loaded.augmentation == recipe.Augmentation()
    assert loaded.optimizer.weight_decay == loaded.label_smoothing == 0


@pytest.mark.parametrize("right", MISTAKES)
def test_a_mistake_is_answered_with_its_place(right: str, tmp_path: Path) -> None:
    wrong, expected = MISTAKES[right]
    path = write(tmp_path, RECIPE.replace(right, wrong, 1))
    with pytest.raises(SuiteError) as error:
        recipe.load(path)
    assert str(error.value).lower().startswith(str(path).lower())
    assert expected.lower() in str(error.value).lower()


@pytest.mark.parametrize("part", PARTS)
def test_parts_that_do_not_fit_are_refused(part: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError) as error:
        recipe.load(write(tmp_path, RECIPE + part + "\n"))
    assert PARTS[part].lower() in str(error.value).lower()


@pytest.mark.parametrize(
    "words", ["rand", "rand-m9-mstd0.5-inc1", "rand-n2-m4-p1.0", "rand-m12-mmax30", "rand-p0.5-t3a",
              "rand-m4-n2-tweights"],
)  # fmt: skip
def test_what_is_accepted_of_rand_augment_timm_accepts_too(words: str, tmp_path: Path) -> None:
    loaded = recipe.load(write(tmp_path, RECIPE + f"augmentation: {{rand_augment: {words}}}\n"))
    assert loaded.augmentation.rand_augment == words
    assert rand_augment_transform(words, {}).num_layers == 2  # type: ignore[no-untyped-call]


def test_an_odd_batch_cannot_be_mixed(tmp_path: Path) -> None:
    text = RECIPE.replace("64", "63") + "cutmix: 1.0\n"
    with pytest.raises(SuiteError, match="mix pairs: batch_size 63 is odd"):
        recipe.load(write(tmp_path, text))


@pytest.mark.parametrize("path", sorted(shipped.recipes().values()), ids=str)
def test_recipes_that_come_along_can_be_read(path: Path) -> None:
    assert recipe.load(path).name == path.stem


def test_the_papers_recipe_is_the_authors_command() -> None:
    """README.md of locuslab/convmixer: 10 GPUs, `-b 64`, no `--sync-bn`; their train.py draws
    bilinear or bicubic (`--train-interpolation random`)."""
    path = shipped.recipes()["paper"]
    paper = recipe.load(path)
    assert paper.batch_size / 10 == 64 and paper.batch_norm == "own"
    crop = paper.augmentation.crop
    assert crop is not None and crop.interpolation == "random"


def test_models_that_are_trained_share_their_preprocessing(
    write_suite: Callable[[str], Path],
) -> None:
    shared, said, own = (
        TINY + f"accuracy: {{train: digits{more}}}\n"
        for more in ("", ", preprocessing: shared", ", preprocessing: own")
    )
    loaded = [suite.load(str(write_suite(text))).suite for text in (shared, said)]
    assert loaded[0].accuracy.preprocessing == "shared"
    assert loaded[0].hash == loaded[1].hash
    with pytest.raises(SuiteError, match="all see the same pixels; leave preprocessing out"):
        suite.load(str(write_suite(own)))


def with_training(named: str) -> str:
    return TINY + f"accuracy: {{preprocessing: shared, train: {named}}}\n"


def test_a_suite_names_a_recipe_beside_it_or_one_that_comes_along(
    tmp_path: Path, write_suite: Callable[[str], Path]
) -> None:
    write(tmp_path)
    own = suite.load(str(write_suite(with_training("mine.yaml")))).suite
    assert own.accuracy.train is not None and own.accuracy.train.epochs == 2
    other = suite.load(str(write_suite(with_training("digits")))).suite
    assert other.accuracy.train == recipe.load(shipped.recipes()["digits"])


def test_a_recipe_is_part_of_what_a_suite_measures(
    tmp_path: Path, write_suite: Callable[[str], Path]
) -> None:
    def hash_with(text: str) -> str:
        write(tmp_path, text)
        return suite.load(str(write_suite(with_training("mine.yaml")))).suite.hash

    assert hash_with(RECIPE) == hash_with("# a comment\n" + RECIPE)
    assert hash_with(RECIPE) != hash_with(RECIPE.replace("0.01", "0.02"))


def test_a_recipe_may_stand_in_the_suite(write_suite: Callable[[str], Path]) -> None:
    inside = "{name: mine, epochs: 2, batch_size: 64, optimizer: {lr: 0.01}}"
    assert suite.load(str(write_suite(with_training(inside)))).suite.accuracy.train is not None
    with pytest.raises(SuiteError, match="unknown key 'epoch', did you mean 'epochs'"):
        suite.load(str(write_suite(with_training(inside.replace("epochs", "epoch")))))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("{preprocessing: shared, train: digit}", "no shipped recipe has that name, did you"),
        ("{preprocessing: own, train: digits}", "all see the same pixels; leave preproce"),
        ("{preprocessing: shared, train: digits, seeds: [1, 1]}", "a seed is given twice"),
        ("{preprocessing: shared, train: digits, seeds: []}", "at least 1 item"),
        ("{preprocessing: shared, train: 3}", "expected keys and values, got a number 3"),
    ],
)
def test_what_a_suite_says_of_training_is_checked(
    asked: str, expected: str, write_suite: Callable[[str], Path]
) -> None:
    with pytest.raises(SuiteError, match=expected):
        suite.load(str(write_suite(TINY + f"accuracy: {asked}\n")))


def test_seeds_without_a_training_are_refused(write_suite: Callable[[str], Path]) -> None:
    with pytest.raises(SuiteError, match="accuracy: seeds need a training; add train: RECIPE"):
        suite.load(str(write_suite(TINY + "accuracy: {seeds: [0, 1]}\n")))
