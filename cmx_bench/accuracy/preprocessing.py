"""The preprocessing of a model: size, crop and interpolation, then mean and standard deviation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import timm
import torch
from PIL.Image import Image
from timm.data.config import resolve_data_config
from timm.data.transforms_factory import create_transform
from torch import Tensor

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import ModelError
from cmx_bench.models import weights
from cmx_bench.models.building import build, build_on_meta
from cmx_bench.spec.suite import Accuracy

Transform: TypeAlias = Callable[[Image], Tensor]


@dataclass(frozen=True, slots=True)
class Geometry:
    """The part of preprocessing that works on pixels. Models with the same geometry share images.

    `fill` is the colour around an image whose crop mode is "border", None for other modes.
    """

    image_size: int
    crop_pct: float
    crop_mode: str
    interpolation: str
    fill: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """From an image to a model's input; `mean` and `std` are of channels between 0 and 1."""

    geometry: Geometry
    mean: tuple[float, ...]
    std: tuple[float, ...]


def transform(geometry: Geometry) -> Transform:
    """timm's own: from an image to uint8 pixels `(3, image_size, image_size)`."""
    transform: Transform = create_transform(
        geometry.image_size,
        crop_pct=geometry.crop_pct,
        crop_mode=geometry.crop_mode,
        interpolation=geometry.interpolation,
        mean=geometry.fill or (0.0, 0.0, 0.0),
        use_prefetcher=True,
    )
    return transform


def colours(preprocessing: Preprocessing, device: str, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of pixels, to be taken from and to divide images `(n, 3, H, W)`
    by."""
    mean, std = (
        torch.tensor([255 * share for share in shares], device=device, dtype=dtype)
        for shares in (preprocessing.mean, preprocessing.std)
    )
    return mean.view(1, 3, 1, 1), std.view(1, 3, 1, 1)


def of(model: Model, setting: Setting, asked: Accuracy) -> Preprocessing:
    """The preprocessing of a model: its own, as in timm's `validate.py`, or the shared one.

    A user's model has its own where it carries timm's `pretrained_cfg`, and timm's defaults else.

    Raises:
        ModelError: its images are not square, or it cannot be built.
    """
    if asked.preprocessing == "shared":
        shared = asked.shared
        size = asked.shared_size(setting)
        geometry = Geometry(size, shared.crop_pct, "center", shared.interpolation)
        return Preprocessing(geometry, tuple(shared.mean), tuple(shared.std))
    arguments = {"in_chans": 3, "img_size": asked.image_size}
    config = resolve_data_config(  # type: ignore[no-untyped-call]
        arguments, _config(model, setting), use_test_size=True
    )
    _, height, width = config["input_size"]
    if height != width:
        raise ModelError(f"{model.name}: takes images of {height} × {width}, not square ones; "
                         f"set image_size under accuracy")  # fmt: skip
    mean, std = tuple(config["mean"]), tuple(config["std"])
    fill = mean if config["crop_mode"] == "border" else None
    geometry = Geometry(
        height, config["crop_pct"], config["crop_mode"], config["interpolation"], fill
    )
    return Preprocessing(geometry, mean, std)


def _config(model: Model, setting: Setting) -> dict[str, Any]:
    """timm's configuration of the weights, or of the architecture; empty where it has none."""
    if model.source == "python":
        module = build_on_meta(lambda: build(model, setting.image_size))
        return dict(getattr(module, "pretrained_cfg", None) or {})
    tag = f".{model.recipe}" if model.recipe else ""
    config = timm.get_pretrained_cfg(f"{weights.architecture(model)}{tag}", allow_unregistered=True)
    return config.to_dict() if config else {}  # type: ignore[no-untyped-call]
