"""Weights for a built model: timm's by tag, or a local checkpoint, never by unpickling code."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import timm
import timm.models
import torch
from huggingface_hub import try_to_load_from_cache
from torch import Tensor, nn
from torch.serialization import safe_globals

from cmx_bench.cell import Model
from cmx_bench.errors import WeightsError
from cmx_bench.files import named_in_utf_8
from cmx_bench.models import SUFFIXES
from cmx_bench.models.convmixer import rename_authors_keys

# What timm looks for on the hub, in this order.
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")


def is_file(weights: str) -> bool:
    """Whether a suite's `weights` name a checkpoint file rather than a timm tag."""
    return "/" in weights or weights.endswith(SUFFIXES)


def load(module: nn.Module, model: Model) -> None:
    """Fills `module` with the weights that `model` names; none named, none loaded.

    Raises:
        WeightsError: they are missing, unreadable, or do not fit the module.
    """
    if model.weights is None:
        return
    read = read_checkpoint if is_file(model.weights) else read_timm
    state_dict = _with_counters(read(model), module)
    if state_dict.keys() != module.state_dict().keys():
        state_dict = _with_counters(rename_authors_keys(state_dict), module)
    _check_fit(module, state_dict, model)
    module.load_state_dict(state_dict)


def _with_counters(state_dict: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """As torch: with the module's own where an old file lacks BatchNorm's `num_batches_tracked`."""
    own = {key: one for key, one in module.state_dict().items()
           if key.endswith("num_batches_tracked")}  # fmt: skip
    counted = any(key.endswith("num_batches_tracked") for key in state_dict)
    return state_dict if counted else own | state_dict


def read_checkpoint(model: Model) -> dict[str, Tensor]:
    """The state dict in a `.safetensors`, `.pth` or `.pth.tar` file.

    Finds it under the usual keys (`state_dict_ema`, `state_dict`, `model`) and strips `module.`
    prefixes. torch.load runs with `weights_only`; the one
    class it accepts beside tensors is argparse.Namespace, in which timm's trainer keeps its
    options.
    """
    path = Path(str(model.weights))
    if not path.is_file():
        raise WeightsError(f"{model.name}: no weights at {path}; give the path of a checkpoint")
    try:
        with named_in_utf_8(path) as named, safe_globals([argparse.Namespace]):
            state_dict = timm.models.load_state_dict(str(named), device="cpu", weights_only=True)
    except Exception as error:  # zipfile, pickle, safetensors, OSError: whatever the file provokes
        raise WeightsError(
            f"{model.name}: {path} cannot be read as a checkpoint of plain tensors "
            f"({type(error).__name__}); save its state_dict alone, with safetensors or torch.save"
        ) from error
    return state_dict


def read_timm(model: Model) -> dict[str, Tensor]:
    """timm's weights of one tag, from its local cache or the hub."""
    name = f"{architecture(model)}.{model.weights}"
    try:
        module: nn.Module = timm.create_model(name, pretrained=True)
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"{model.name}: the weights {name} are neither in the local cache nor within reach; "
            f"add --weights {model.name}=FILE"
        ) from error
    return module.state_dict()


def sha256(model: Model) -> str:
    """The SHA-256 of the file whose weights were loaded last; empty where there is no one file."""
    file = _file(model)
    if file is None or not file.is_file():
        return ""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _file(model: Model) -> Path | None:
    """The file of a model's weights: its own, or the one in timm's caches."""
    if model.weights is None:
        return None
    if is_file(model.weights):
        return Path(model.weights)
    config = timm.get_pretrained_cfg(f"{architecture(model)}.{model.weights}")
    if config is None:
        return None
    if config.hf_hub_id:
        for name in _HUB_FILES:
            cached = try_to_load_from_cache(config.hf_hub_id, name)
            if isinstance(cached, str):
                return Path(cached)
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    return folder / str(config.url).rpartition("/")[2] if config.url else None


def architecture(model: Model) -> str:
    """timm's name of a model, without the tag."""
    return model.target or model.name


def tags(model: Model) -> list[str]:
    """The tags of the weights that timm has for a model."""
    names = timm.list_pretrained(f"{architecture(model)}.*")
    return [name.partition(".")[2] for name in names]


def _check_fit(module: nn.Module, state_dict: dict[str, Tensor], model: Model) -> None:
    """One line instead of torch's list of every key that does not fit."""
    own = module.state_dict()
    missing, extra = own.keys() - state_dict.keys(), state_dict.keys() - own.keys()
    if missing or extra:
        raise WeightsError(
            f"{model.name}: {model.weights} holds another model: {len(missing)} parameters are "
            f"missing and {len(extra)} unknown (such as {min(missing or extra)!r})"
        )
    for key, value in own.items():
        if value.shape == state_dict[key].shape:
            continue
        theirs, ours = tuple(state_dict[key].shape), tuple(value.shape)
        if theirs[:1] != ours[:1] and theirs[1:] == ours[1:] and ours[0] == model.num_classes:
            raise WeightsError(
                f"{model.name}: {model.weights} has {theirs[0]} classes, the suite asks for "
                f"{ours[0]}; set num_classes: {theirs[0]}"
            )
        raise WeightsError(
            f"{model.name}: {model.weights} holds another model: {key!r} has shape {theirs}, "
            f"expected {ours}"
        )
