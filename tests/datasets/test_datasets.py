"""Names of data sets and the paths that options give for them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from cmx_bench import datasets
from cmx_bench.datasets import Item, held
from cmx_bench.errors import DataError


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
        (
            "imagenet=.",
            "evaluates on imagenet-val; write imagenet-val=PATH",
        ),
    ],
)
def test_options_that_are_wrong_are_refused(option: str, said: str) -> None:
    with pytest.raises(DataError, match=said.replace("?", r"\?")):
        datasets.parse([option], "imagenet-val")


def test_two_paths_of_a_data_set_are_refused(tmp_path: Path) -> None:
    option = f"photos={tmp_path}"
    with pytest.raises(DataError, match=f"--data {option}: gives a second path; keep one"):
        datasets.parse([option, option], "photos")


def test_digits_need_no_path(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cmx-bench brings the digits"):
        datasets.parse([f"digits={tmp_path}"], "digits")


@pytest.mark.parametrize(
    ("mode", "level", "told"),
    [
        ("I;16", 40_000, "with levels up to 40000"), ("I", 256, "with levels up to 256"),
        ("F", 0.5, "of floating-point numbers"),
    ],
)  # fmt: skip
def test_an_image_of_more_levels_than_models_see_is_broken(
    mode: str, level: float, told: str
) -> None:
    """Pillow cuts them off: 40,000 of 65,535 would be white, and a half of 1 black."""
    item = Item("scan.png", 0, held(Image.new(mode, (2, 2), level)))
    message = f"is a grey image {told}, and models see 0 to 255; save it with 8 bits"
    with pytest.raises(DataError, match=message) as error:
        datasets.rgb(item)
    assert datasets.why_broken(error.value) == str(error.value)


def test_an_image_of_16_bits_may_have_few_levels() -> None:
    file = io.BytesIO()
    Image.new("I;16", (2, 2), 200).save(file, "PNG")
    image = datasets.rgb(Item("mask.png", 0, held(file.getvalue())))
    assert (image.mode, image.getpixel((0, 0))) == ("RGB", (200, 200, 200))
