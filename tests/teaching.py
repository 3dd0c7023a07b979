"""Small models that have learnt something, without training: for tests of accuracy."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.data import ImageNetInfo, create_transform
from torch import Tensor

from tests.photographs import CLASSES, crops

_PHOTOGRAPHS = 60


def teach(name: str, file: Path, image_size: int = 64, classes: int = 1000, **options: Any) -> None:
    """Saves weights of a timm model whose classifier knows the photographs a little.

    Each class is the mean of the features of some crops, those of the labels of their own: so that
    some images are right, some wrong, and models differ. Of as many classes as the photographs
    have, these are the classes; of others, they are numbered as ImageNet's.
    """
    torch.manual_seed(0)
    module: Any = timm.create_model(name, num_classes=classes, **options).eval()
    features = _features(module, list(crops(_PHOTOGRAPHS, 160, 120, seed=2)), image_size)
    rng = random.Random(name)
    groups = [rng.sample(range(_PHOTOGRAPHS), 6) for _ in range(classes)]
    numbers = CLASSES if classes == len(CLASSES) else ImageNetInfo().label_names()
    for place, synset in enumerate(CLASSES):
        label = numbers.index(synset)
        if label < classes:
            groups[label] = list(range(place, _PHOTOGRAPHS, len(CLASSES)))
    means = torch.stack([features[group].mean(0) for group in groups])
    head: Any = module.get_classifier()
    with torch.no_grad():
        head.weight.copy_(2 * means)
        head.bias.copy_(-means.square().sum(1))
    save_file(module.state_dict(), file)


@torch.inference_mode()
def _features(module: Any, images: Sequence[Image.Image], image_size: int) -> Tensor:
    transform = create_transform(image_size, interpolation="bicubic")
    batch = torch.stack([transform(image) for image in images])
    return module.forward_head(module.forward_features(batch), pre_logits=True)
