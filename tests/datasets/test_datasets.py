"""Names of data sets and the paths that options give for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmx_bench import datasets
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


def test_digits_need_no_path(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cmx-bench brings the digits"):
        datasets.parse([f"digits={tmp_path}"], "digits")
