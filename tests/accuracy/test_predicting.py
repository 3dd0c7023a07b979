"""Pixels to classes: the arithmetic of timm's `validate.py`, written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cmx_bench.accuracy.predicting import TOP, predict_with
from cmx_bench.accuracy.preprocessing import Geometry, Preprocessing
from cmx_bench.cell import Model, Setting
from cmx_bench.errors import ModelError

MODEL = Model("m", "M", "convmixer", "convmixer", "", num_classes=10)
SETTING = Setting("cpu", "cpu", "fp32", "nchw", "none", 4, 8)
PREPROCESSING = Preprocessing(
    Geometry(8, 1.0, "center", "bicubic"), (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)
)


@pytest.fixture
def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 8), nn.Flatten(), nn.Linear(4, 10)).eval()


@pytest.fixture
def pixels() -> Tensor:
    """Ten images, which are two batches of four and a half one."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(256, (10, 3, 8, 8), generator=generator, dtype=torch.uint8)


def logits_of(module: nn.Module, pixels: Tensor) -> Tensor:
    """The logits of all images at once, with channels between 0 and 1."""
    mean, std = (torch.tensor(each).view(1, 3, 1, 1)
                 for each in (PREPROCESSING.mean, PREPROCESSING.std))  # fmt: skip
    with torch.inference_mode():
        logits: Tensor = module((pixels / 255 - mean) / std)
    return logits


def test_the_five_likeliest_classes_with_their_probabilities(
    module: nn.Module, pixels: Tensor
) -> None:
    classes, scores = predict_with(module, MODEL, SETTING, PREPROCESSING)(pixels)
    probabilities, order = logits_of(module, pixels).softmax(1).topk(TOP)
    assert torch.equal(classes, order)
    torch.testing.assert_close(scores, probabilities, rtol=1e-4, atol=1e-6)


def test_a_choice_among_fewer_classes_gives_their_own_numbers(
    module: nn.Module, pixels: Tensor
) -> None:
    """The probabilities are shares of these classes alone."""
    valid = [7, 2, 4]
    classes, scores = predict_with(module, MODEL, SETTING, PREPROCESSING, valid)(pixels)
    probabilities, order = logits_of(module, pixels)[:, valid].softmax(1).topk(3)
    assert torch.equal(classes, torch.tensor(valid)[order])
    torch.testing.assert_close(scores, probabilities, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(scores.sum(1), torch.ones(10))


def test_values_that_are_not_finite_are_refused(module: nn.Module, pixels: Tensor) -> None:
    with torch.no_grad():
        module[2].bias[3] = torch.nan  # type: ignore[index, union-attr]
    with pytest.raises(ModelError, match="m: gives values that are not finite"):
        predict_with(module, MODEL, SETTING, PREPROCESSING)(pixels)


def test_a_head_of_other_classes_is_refused(pixels: Tensor) -> None:
    narrow = nn.Sequential(nn.Flatten(), nn.Linear(192, 9)).eval()
    with pytest.raises(ModelError, match="m: "):
        predict_with(narrow, MODEL, SETTING, PREPROCESSING)(pixels)
