"""Weights for a built model: timm's by tag, or a local checkpoint, never by unpickling code."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Set
from itertools import chain
from pathlib import Path
from typing import Any

import safetensors.torch
import timm
import torch
from huggingface_hub import try_to_load_from_cache
from torch import Tensor, nn
from torch.serialization import safe_globals

from cmx_bench.cell import Model
from cmx_bench.errors import WeightsError, quote
from cmx_bench.models import SUFFIXES, digest_of
from cmx_bench.models.convmixer import rename_authors_keys
from cmx_bench.models.resampling import (
    Resampling,
    State,
    image_sizes,
    is_of_other_size,
    resample,
    unlike,
)
from cmx_bench.units import tally

# What timm looks for on the hub, in this order.
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")
# Where checkpoints keep what timm looks for, in its order.
_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
# Names of moving averages: `model_ema`, `ema.shadow`, `netEMA`; not `remaining`.
_AVERAGED = re.compile(r"EMA|(?<![A-Za-z])[Ee]ma(?![a-z])")
# What torch's averages and thop keep besides parameters: no model has these.
_COUNTERS = ("n_averaged", "total_ops", "total_params")


def is_file(weights: str) -> bool:
    """Whether a suite's `weights` name a checkpoint file rather than a timm tag."""
    return "/" in weights or weights.endswith(SUFFIXES)


def load(module: nn.Module, model: Model, image_size: int | None = None) -> Resampling | None:
    """Fills `module` with the weights that `model` names; none named, none loaded.

    Weights of another image size are resampled: timm's own, and those of a file where the model
    asks for that.

    Args:
        image_size: that `module` is built for; None for that of the weights.

    Returns:
        From which size they were resampled; None where they fit as they are.

    Raises:
        WeightsError: they are missing, unreadable, or do not fit the module.
    """
    if model.weights is None:
        return None
    if not is_file(model.weights):
        state, resampled = _read_timm(model, image_size)
        _check_fit(module, state, model)
        module.load_state_dict(state)
        return resampled
    states = {name: _ready(state, module) for name, state in read_checkpoint(model).items()}
    state = _choose(states, module, model)
    same_names = state.keys() == module.state_dict().keys()
    fitting = resample(state, module) if model.resample and same_names else None
    _check_fit(module, fitting or state, model)
    module.load_state_dict(fitting or state)
    return None if fitting is None else Resampling((image_sizes(state, module) or (None,))[0])


def _ready(state: State, module: nn.Module) -> State:
    """A state dict under the module's names: without counters, without the prefix that all keys
    share, as the authors' ConvMixer has them; as it is where none of that makes it fit.

    As torch does, it has the module's own `num_batches_tracked` where an old file lacks all.
    """
    own = module.state_dict()
    left = {key: value for key, value in state.items()
            if key in own or key.rpartition(".")[2] not in _COUNTERS}  # fmt: skip
    counters = {key: value for key, value in own.items() if key.endswith("num_batches_tracked")}
    names = list(left)
    while True:
        short = dict(zip(names, left.values(), strict=True))
        for renamed in (short, rename_authors_keys(short)):
            counted = any(key.endswith("num_batches_tracked") for key in renamed)
            ready = renamed if counted else counters | renamed
            if ready.keys() == own.keys():
                return ready
        prefixes = {name.rpartition(".")[0].partition(".")[0] for name in names}
        if len(prefixes) != 1 or "" in prefixes:  # a lone tensor has none
            return left
        names = [name.partition(".")[2] for name in names]


def _choose(states: Mapping[str, State], module: nn.Module, model: Model) -> State:
    """The state dict with the module's names, or with most of them; of several that have all the
    one that timm takes, an EMA first."""
    own = module.state_dict()
    fitting = [name for name, state in states.items() if state.keys() == own.keys()]
    averaged = [name for name in fitting if _AVERAGED.search(name)]
    known = [name for name in _WRAPPERS if name in (averaged or fitting)]
    chosen = known[:1] or averaged or fitting
    if len(chosen) > 1:
        raise WeightsError(f"{model.name}: {model.weights} holds several models that fit: "
                           f"{', '.join(chosen)}; save one alone")  # fmt: skip
    nearest = max(states, key=lambda name: len(states[name].keys() & own.keys()))
    return states[chosen[0] if chosen else nearest]


def read_checkpoint(model: Model) -> dict[str, State]:
    """The state dicts in a file of weights, by the keys under which they lie.

    torch.load runs with `weights_only`; the one class it accepts besides tensors is
    argparse.Namespace, in which timm's trainer keeps its options.
    """
    path = Path(str(model.weights))
    if not path.is_file():
        raise WeightsError(f"{model.name}: no weights at {path}; give the path of a checkpoint")
    try:
        if path.suffix == ".safetensors":
            content: object = _read_safetensors(path)
        else:
            with safe_globals([argparse.Namespace]):
                content = torch.load(path, map_location="cpu", weights_only=True)
        states = dict(_state_dicts(content, ""))
    except Exception as error:  # zipfile, pickle, safetensors, OSError: whatever the file provokes
        raise WeightsError(
            f"{model.name}: {path} cannot be read as a checkpoint of plain tensors "
            f"({type(error).__name__}); save its state_dict alone, with safetensors or torch.save"
        ) from error
    if not states:
        raise WeightsError(f"{model.name}: {path} holds no tensors by name; save a state_dict")
    for key, tensor in chain.from_iterable(state.items() for state in states.values()):
        if tensor.is_meta or tensor.is_quantized or tensor.layout is not torch.strided:
            raise WeightsError(f"{model.name}: {path} has {quote(key)} without numbers, sparse "
                               f"or quantised; save dense tensors of floats")  # fmt: skip
    return states


def _state_dicts(content: object, name: str) -> Iterator[tuple[str, State]]:
    if not isinstance(content, Mapping):
        return
    state = {key: value for key, value in content.items()
             if isinstance(key, str) and isinstance(value, Tensor)}  # fmt: skip
    if state:
        yield name, state
    for key, value in content.items():
        if isinstance(key, str):
            yield from _state_dicts(value, f"{name}.{key}" if name else key)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        str(path).encode()
    except UnicodeEncodeError:  # their reader of files takes UTF-8 alone
        return safetensors.torch.load(path.read_bytes())
    return safetensors.torch.load_file(path)


def _read_timm(model: Model, image_size: int | None) -> tuple[State, Resampling | None]:
    """timm's weights of one tag, from its local cache or the hub, resized by timm where they are of
    another image size, and from which; those that it cannot resize are as they are."""
    name = f"{architecture(model)}.{model.weights}"
    config = timm.get_pretrained_cfg(name)
    size = int(config.input_size[-1]) if config and config.fixed_input_size else image_size
    resized = image_size not in (None, size)
    tries: list[dict[str, Any]] = [{"img_size": image_size}, {}] if resized else [{}]
    for arguments in tries:
        try:
            module: nn.Module = timm.create_model(name, pretrained=True, **arguments)
            return module.state_dict(), Resampling(size) if resized else None
        except (OSError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and arguments:
                continue  # what does not fit is told by its size
            raise WeightsError(
                f"{model.name}: the weights {name} are neither in the local cache nor within "
                f"reach; add --weights {model.name}=FILE"
            ) from error
    raise AssertionError


def sha256(model: Model) -> str:
    """The SHA-256 of the file whose weights were loaded last; empty where there is no one file."""
    file = _file(model)
    return "" if file is None or not file.is_file() else digest_of(file)


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


def _check_fit(module: nn.Module, state: State, model: Model) -> None:
    """One line instead of torch's list of every key that does not fit."""
    own = module.state_dict()
    missing, extra = own.keys() - state.keys(), state.keys() - own.keys()
    if missing or extra:
        raise WeightsError(
            f"{model.name}: {model.weights} holds another model: {_such(missing)} missing and "
            f"{_such(extra)} unknown{_parts(state, own.keys())}"
        )
    other_shapes = unlike(state, module)
    for theirs, ours in other_shapes.values():
        if theirs[:1] == ours[:1] or theirs[1:] != ours[1:]:
            continue
        if ours[0] == model.num_classes:
            raise WeightsError(
                f"{model.name}: {model.weights} has {theirs[0]} classes, the suite asks for "
                f"{ours[0]}; set num_classes: {theirs[0]}"
            )
        if theirs[0] == model.num_classes and model.source == "python":
            raise WeightsError(
                f"{model.name}: {model.weights} has {theirs[0]} classes, as the suite, the model "
                f"{ours[0]}; give {model.target} the number under args"
            )
    _refuse_other_size(module, state, model)
    for key, (theirs, ours) in other_shapes.items():
        raise WeightsError(
            f"{model.name}: {model.weights} holds another model: {quote(key)} has shape {theirs}, "
            f"expected {ours}"
        )
    for key, value in own.items():
        if expected := _lost(value, state[key].dtype):
            raise WeightsError(f"{model.name}: {model.weights} has {quote(key)} in "
                               f"{state[key].dtype}, expected {expected}; save these")  # fmt: skip


def _lost(own: Tensor, theirs: torch.dtype) -> str:
    """What must be there for a tensor of the module, where numbers of type `theirs` are not what
    they were: small ones have scales that no layer knows of, torch drops imaginary halves, and
    floats round places, though no counters."""
    if own.is_complex():
        return "" if theirs.is_complex else "complex numbers"
    if not own.is_floating_point():
        rounded = own.dim() and (theirs.is_floating_point or theirs.is_complex)
        return "whole numbers" if rounded else ""
    wide = theirs.is_floating_point and theirs.itemsize >= min(2, own.itemsize)
    return "" if wide else "floats of 16 bits at least"


def _parts(state: State, names: Set[str]) -> str:
    """What to do where parts of a checkpoint are the model, each behind a prefix of its own."""
    wanted = {name for name in names if not name.endswith("num_batches_tracked")}
    first = min(wanted)
    before = [key.removesuffix(first) for key in state if key.endswith(first)]
    prefixes = [part for part in before if part and all(part + name in state for name in wanted)]
    if not prefixes:
        return ""
    quotes = " or ".join(map(quote, prefixes))
    return f"; what begins with {quotes} is this model: save that alone"


def _refuse_other_size(module: nn.Module, state: State, model: Model) -> None:
    """The same model for images of another size: both sizes, and the way on."""
    sizes = image_sizes(state, module)
    if not sizes and not is_of_other_size(state, module):
        return
    theirs = f"{sizes[0]} px" if sizes else "another size"
    built = f", and it is built for {sizes[1]} px" if sizes else ""
    begin = f"{model.name}: {model.weights} is of this model for images of {theirs}{built}"
    evaluate = f"evaluate it at {theirs if sizes else 'its own'} (image_size under accuracy)"
    if resample(state, module) is None:
        raise WeightsError(f"{begin}; timm cannot resample it: {evaluate}")
    raise WeightsError(
        f"{begin}; add resample: true to the model, to resample the weights as timm does, or "
        f"{evaluate}"
    )


def _such(keys: Set[str]) -> str:
    """`3 parameters (such as 'stem.weight') are`."""
    example = f" (such as {quote(min(keys))})" if keys else ""
    return f"{tally(len(keys), 'parameter')}{example}" + (" is" if len(keys) == 1 else " are")
