"""Counts real models with both counters and compares them with the numbers measured before.

Run by hand: ``python tests/bench/counting.py`` counts the models of the paper, exit code 1 unless
every number is equal. ``--modules`` counts one model of each of timm's model modules instead, at
its default input size, exit code 1 unless 95 % of them count. ``--torchvision`` counts those of
torchvision for classification, segmentation and video, exit code 1 unless all count.
``--transformers`` counts those of transformers for image classification, as its configurations
come, beside torch's own counter, exit code 1 unless all that count agree with it.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import warnings
from collections.abc import Sequence
from functools import partial

import timm
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

from cmx_bench.errors import CountError, in_a_line
from cmx_bench.measures.counting.twice import count, count_module
from cmx_bench.models.building import build_on_meta

# model: (params, MACs), the same from a closed formula, from hooks and from both counters.
EXPECTED = {
    "convmixer_1536_20": (51_625_960, 51_099_168_768),
    "convmixer_768_32": (21_110_248, 20_676_851_712),
    "resnet50": (25_557_032, 4_089_184_256),
    "resnet152": (60_192_808, 11_513_626_624),
    "deit_small_patch16_224": (22_050_664, 4_598_882_304),
    "deit_base_patch16_224": (86_567_656, 17_563_828_224),
    "resmlp_12_224": (15_350_872, 3_009_739_776),
    "resmlp_24_224": (30_020_680, 5_961_292_800),
    "resmlp_big_24_224": (129_138_280, 100_230_739_968),
    "mixer_s16_224": (18_528_264, 3_776_958_464),
    "mixer_b16_224": (59_880_472, 12_601_767_936),
}

SHARE = 0.95


def compare_expected() -> bool:
    equal = True
    print(f"{'model':24}{'params':>14}{'MACs':>18}{'activations':>14}{'seconds':>9}")
    for name, expected in EXPECTED.items():
        build = partial(timm.create_model, name, num_classes=1000)
        started = time.perf_counter()
        counts = count(build, 224)
        seconds = time.perf_counter() - started
        params = sum(parameter.numel() for parameter in build_on_meta(build).parameters())
        same = (params, counts.macs) == expected
        equal = equal and same
        print(
            f"{name:24}{params:14,}{counts.macs:18,}{counts.activations:14,}{seconds:9.2f}  "
            + ("equal" if same else f"NOT EQUAL: {expected[0]:,} params, {expected[1]:,} MACs")
        )
    return equal


def representatives() -> list[str]:
    """The first model, in timm's order, of each of timm's modules.

    Not the smallest: finding it takes building every model, and on the meta device a large model
    costs no more to count than a small one.
    """
    first = (timm.list_models(module=module)[:1] for module in timm.list_modules())
    return [name for names in first for name in names]


def _same(model: nn.Module) -> nn.Module:
    return model


def count_modules() -> bool:
    names = representatives()
    uncounted: dict[str, str] = {}
    unbuilt = 0
    for name in names:
        stage = "not built"
        try:
            model = build_on_meta(partial(timm.create_model, name))
            stage = "refused"
            config = timm.get_pretrained_cfg(name)
            channels, size, _ = config.input_size if config else (3, 224, 224)
            started = time.perf_counter()
            counts = count(partial(_same, model), size, channels)
        except Exception as error:  # a CountError or the model's own: every one is reported
            uncounted[name] = f"{stage}: {type(error).__name__}: {error}".splitlines()[0]
            unbuilt += stage == "not built"
            print(f"{name:40}{uncounted[name]}", flush=True)
            continue
        seconds = time.perf_counter() - started
        print(
            f"{name:40}{size:5}{counts.macs:18,}{counts.activations:15,}{seconds:8.2f} s",
            flush=True,
        )
    built = len(names) - unbuilt
    counted = len(names) - len(uncounted)
    print(f"\n{counted} of {built} counted equal ({counted / built:.1%}), {unbuilt} not built")
    for name, why in uncounted.items():
        print(f"  {name} {why}")
    return counted / built >= SHARE


def count_torchvision() -> bool:
    uncounted = 0
    for task in (models, models.segmentation, models.video):
        for name in models.list_models(module=task):
            frames = (16,) if task is models.video else ()
            size = 299 if name == "inception_v3" else 224
            images = torch.empty(1, 3, *frames, size, size, device="meta")
            no_files = {"weights_backbone": None} if task is models.segmentation else {}
            model = build_on_meta(partial(models.get_model, name, **no_files))
            try:
                counts = count_module(model, images)
            except CountError as error:
                uncounted += 1
                print(f"{name:30}{error}", flush=True)
            else:
                print(f"{name:30}{counts.macs:18,}{counts.activations:15,}", flush=True)
    print(f"{uncounted} refused")
    return not uncounted


class _Logits(nn.Module):
    """A model of transformers without what it gives beside logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images).logits
        return logits


def count_transformers() -> bool:
    auto = importlib.import_module("transformers.models.auto.modeling_auto")
    different = 0
    for config_class, classes in auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING.items():
        for cls in classes if isinstance(classes, tuple) else (classes,):
            try:
                config = config_class()
                model = build_on_meta(lambda cls=cls, config=config: _Logits(cls(config)))  # type: ignore[misc]
                size = getattr(config, "image_size", 224)
                image = torch.empty(1, 3, *_sides(size), device="meta")
                ours = count_module(model, image).macs
            except Exception as error:  # a CountError, or that a package is not there
                print(f"{cls.__name__:45}{in_a_line(error)[:120]}", flush=True)
                continue
            with torch.no_grad(), FlopCounterMode(display=False) as theirs:
                model(image)
            macs = theirs.get_total_flops() // 2
            different += ours != macs
            print(f"{cls.__name__:45}{ours:18,}{'' if ours == macs else f' {macs:,}'}", flush=True)
    print(f"{different} differ from torch.utils.flop_counter")
    return not different


def _sides(size: int | Sequence[int]) -> Sequence[int]:
    return (size, size) if isinstance(size, int) else size


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--modules", action="store_true", help="one model of each timm module")
    parser.add_argument("--torchvision", action="store_true", help="torchvision's models")
    parser.add_argument("--transformers", action="store_true", help="those of transformers")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"torch {torch.__version__}, timm {timm.__version__}")
    if chosen.modules:
        return 0 if count_modules() else 1
    if chosen.torchvision:
        return 0 if count_torchvision() else 1
    if chosen.transformers:
        return 0 if count_transformers() else 1
    return 0 if compare_expected() else 1


if __name__ == "__main__":
    sys.exit(main())
