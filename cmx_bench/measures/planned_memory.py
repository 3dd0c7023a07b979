"""Peak of live tensor bytes of a forward pass, the same on every machine.

Nothing is computed: the forward runs on fake CPU tensors, which have a shape, a layout and a
storage size but no data. What a run really allocates is more: workspaces of the kernels, an
allocator's rounding and cache, a CUDA context.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch._prims_common import suggest_memory_format
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import CmxError, CountError, SkipError, first_line
from cmx_bench.measures import Samples
from cmx_bench.measures.counting.tracing import in_words
from cmx_bench.measures.forward import AUTOCAST, DTYPES
from cmx_bench.models import fast, unseen
from cmx_bench.models.building import build, build_on_meta
from cmx_bench.models.tensors import change_plain, convert, leaves, once, tensors_in


def measure(model: Model, setting: Setting) -> Samples:
    """Bytes of weights, input and intermediates alive at once, for a batch of the setting.

    Raises:
        SkipError: the setting's runtime is not torch.
    """
    if setting.runtime != "torch":
        raise SkipError(f"{setting.runtime} plans its memory by itself, and tells nobody: a "
                        "setting with runtime: torch")  # fmt: skip
    batch = setting.batch_size
    try:
        planned = planned_peak(
            lambda: fast.finish(build(model, setting.image_size), model),
            (batch, 3, setting.image_size, setting.image_size),
            DTYPES[setting.precision],
            AUTOCAST[setting.kind] if setting.precision == "autocast" else None,
            setting.layout == "nhwc",
        )
    except CmxError:
        raise
    except Exception as error:  # of the model's own code, or of torch's on its behalf
        count = "one image" if batch == 1 else f"{batch} images"
        raise CountError(
            f"cannot be counted on {count}: {in_words(error) or first_line(error)}"
        ) from error
    return {"planned_memory": [planned]}


def planned_peak(
    build: Callable[[], nn.Module],
    input_shape: tuple[int, int, int, int],
    dtype: torch.dtype,
    autocast: torch.dtype | None = None,
    channels_last: bool = False,
) -> int:
    """Bytes of parameters, buffers, plain tensors and input, and the most that intermediates add.

    ``build`` returns a fresh model on the current default device; the model and its input
    ``x: input_shape`` (N, C, H, W) are in ``dtype`` and, if asked, channels-last. ``autocast`` is
    the reduced dtype of ``torch.autocast`` around the forward: parameters keep ``dtype``, and a
    layer's reduced copy of them lives while the layer runs. That is so in ``torch.inference_mode``
    (measured with torch 2.11 and 2.15); in ``torch.no_grad`` autocast would cache every copy.

    Counted is every storage from the operator that made it until its last tensor is gone: views
    share one, in-place operators make none, an operator's inputs live while its outputs are made.

    Assumed, so that the number is one number for a torch version, with or without a GPU:

    - attention is fused: ``scaled_dot_product_attention`` makes its output and nothing else, so
      its N x N scores are never a live tensor (attention written as two matrix products makes
      them, and they count); ``nn.MultiheadAttention`` calls it here, though torch's fast path of
      that layer makes the scores on CPUs (42 MiB in place of 22 for ViT-Tiny of two layers at 384
      pixels and batch 4, torch 2.15);
    - a convolution's output is channels-last if its input or weight is, and its kernel needs no
      workspace;
    - autocast follows the CPU's lists of operators: they leave softmax and layer norm reduced,
      which CUDA's would widen.
    """
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = convert(build_on_meta(build), "meta", dtype, layout)
    model.eval()
    # Without a gradient asked for, autocast caches nothing, as in inference mode.
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    with fake, torch.no_grad(), unseen.watching(model) as hidden:
        image = torch.empty(input_shape, dtype=dtype, device="cpu", memory_format=layout)
        live = _LiveBytes()
        live.hold([image])
        named = chain(model.named_parameters(), model.named_buffers())
        weights = {name: live.place(tensor) for name, tensor in named}
        change_plain(model, live.place)
        try:
            with _FusedAttention(), live, torch.autocast("cpu", autocast, bool(autocast)):
                output = functional_call(model, weights, (image,))
        finally:
            if hidden():
                raise CountError(hidden())
    if next(tensors_in(output), None) is None:
        raise CountError("the model returns no tensor")
    return live.peak


class _LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the storages alive; ``peak`` is the most there ever were, in bytes."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = 0
        self.peak = 0
        self._alive: set[int] = set()
        self.place = once(self._place)

    def _place(self, tensor: Tensor) -> Tensor:
        """A tensor without data in place of one on the meta device, which stays alive."""
        placed = torch.empty_like(tensor, device="cpu")
        self.hold([placed])
        return placed

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # On the meta device is what code keeps of having built the model, as `lru_cache` does, and
        # weights that the model does not show.
        args, named = tree_map_only(
            Tensor,
            lambda tensor: (
                self.place(tensor) if tensor.is_meta and not tensor.requires_grad else tensor
            ),
            (args, kwargs or {}),
        )
        output = func(*args, **named)
        if func is torch.ops.aten.convolution.default:
            output = _laid_out(output, args[0], args[1])
        self.hold(leaves(output))
        return output

    def hold(self, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()
            address = storage._cdata  # of the storage itself: every view of it has the same
            if address not in self._alive:
                self._alive.add(address)
                self.live += storage.nbytes()
                weakref.finalize(storage, self._release, address, storage.nbytes())
        self.peak = max(self.peak, self.live)

    def _release(self, address: int, size: int) -> None:
        self._alive.remove(address)
        self.live -= size


def _laid_out(output: Tensor, image: Tensor, weight: Tensor) -> Tensor:
    """A convolution's output in the layout of cuDNN and oneDNN, whatever this CPU would choose."""
    layouts = {suggest_memory_format(image), suggest_memory_format(weight)}
    if torch.channels_last in layouts:
        return output.contiguous(memory_format=torch.channels_last)
    return output.contiguous()


class _FusedAttention(TorchFunctionMode):
    """Gives attention its output without choosing a kernel, which torch does by device."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is nn.functional.scaled_dot_product_attention:
            return _attention_output(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _attention_output(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor:
    return query.new_empty(*query.shape[:-1], value.shape[-1])
