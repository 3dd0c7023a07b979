"""Gives the BatchNorm layers of untrained models the statistics of the images that pass through.

A BatchNorm layer begins with a mean of 0 and a variance of 1, whatever comes in. In evaluation mode
an untrained network then passes on almost nothing that differs from position to position: behind
16 layers of ConvMixer-768/32 only a twentieth of a value does, and a third of all values are zeros.
A GPU whose power is limited computes faster on such numbers than on those of a trained network,
while networks with LayerNorm, which normalises what it gets, have no such advantage.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@torch.inference_mode()
def normalise(module: nn.Module, run: Callable[[], object]) -> bool:
    """Sets the running statistics of all BatchNorm layers by one pass of `run` through `module`;
    gives whether there are any.

    Each layer takes mean and variance over images and positions of its own input, so that the same
    pass in evaluation mode gives what one in training mode would. Nothing else changes, nothing is
    drawn at random, and a module without such layers is not run at all.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
    hooks = [
        layer.register_forward_pre_hook(_take) for layer in layers if layer.track_running_stats
    ]
    if hooks:
        run()
    for hook in hooks:
        hook.remove()
    return bool(hooks)


def _take(layer: _BatchNorm, arguments: tuple[Tensor]) -> None:
    values = arguments[0]
    if values[:, 0].numel() > 1:  # one value alone would be normalised to nothing
        variance, mean = torch.var_mean(values, [0, *range(2, values.ndim)], correction=0)
        layer.running_mean.copy_(mean)  # type: ignore[union-attr]
        layer.running_var.copy_(variance)  # type: ignore[union-attr]
