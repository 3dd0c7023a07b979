"""The second count: every operator that torch's dispatcher is asked for, one by one.

What a model calls is made of operators of a closed set, and all of them come by here. Each has a
cost, or it is free, or it is refused by name. It is free because torch tags it so, because of its
schema, or by the table below. So nothing is left out, whatever the trace knows (see `traced`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from math import nan, prod
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry
from torch.utils.module_tracker import ModuleTracker

from cmx_bench.errors import CountError
from cmx_bench.measures import spelt
from cmx_bench.measures.spelt import Operand

_Rule: TypeAlias = Callable[[Sequence[Any], Tensor], int]  # of the arguments and the first output

# What torch's own counter of FLOPs has no formula for. Every MAC is two FLOPs there.
_MACS: Mapping[str, _Rule] = {
    "aten::mv": lambda args, out: args[0].numel(),
    "aten::addmv": lambda args, out: args[1].numel(),
    "aten::dot": lambda args, out: args[0].numel(),
    "aten::vdot": lambda args, out: args[0].numel(),
    "aten::addbmm": lambda args, out: args[1].numel() * args[2].shape[-1],
    "torchvision::deform_conv2d": lambda args, out: (
        out.shape[0] * prod(out.shape[2:]) * args[1].numel()
    ),
}

# Free operators of aten that torch tags neither as elementwise nor as a reduction, beside views and
# makers of tensors. What is not here has a cost, or is refused: solvers and factorisations, Fourier
# transforms, distances, trilinear products.
_FREE = spelt.LINEAR | frozenset(
    """
    native_layer_norm native_group_norm native_batch_norm _native_batch_norm_legit
    _batch_norm_no_update _batch_norm_with_update _fused_rms_norm _weight_norm_interface renorm
    _softmax _log_softmax _safe_softmax _masked_softmax

    hardswish glu _prelu_kernel log_sigmoid_forward rrelu_with_noise heaviside copysign
    floor_divide polar fake_quantize_per_tensor_affine_cachemask
    fake_quantize_per_channel_affine_cachemask
    _fake_quantize_per_tensor_affine_cachemask_tensor_qparams

    max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool2d adaptive_max_pool3d
    fractional_max_pool2d fractional_max_pool3d max_unpool2d max_unpool3d
    _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d
    _upsample_bilinear2d_aa _upsample_bicubic2d_aa _upsample_lanczos2d_aa grid_sampler_2d
    grid_sampler_3d affine_grid_generator

    cummax _cummax_helper cummin _cummin_helper cumprod logcumsumexp median nanmedian mode
    kthvalue sort topk searchsorted bucketize isin histc histogram hash_tensor dist

    embedding _embedding_bag _embedding_bag_forward_only embedding_renorm put index_fill
    nonzero_static diagonal_scatter as_strided_scatter block_diag _chunk_cat _unsafe_masked_index
    _unsafe_masked_index_put_accumulate _pack_padded_sequence

    fill zero resize resize_as set bernoulli normal uniform random exponential geometric cauchy
    log_normal multinomial poisson binomial linspace logspace

    nll_loss_forward nll_loss2d_forward binary_cross_entropy mse_loss smooth_l1_loss huber_loss
    binary_cross_entropy_with_logits soft_margin_loss multi_margin_loss
    multilabel_margin_loss_forward _ctc_loss _linalg_check_errors
    """.split()  # noqa: SIM905
)


@dataclass(slots=True)
class Dispatched:
    """What torch ran. Modules have the names that ``ModuleTracker`` gives them.

    ``modules``: MACs by module, those inside it included, and by operator.
    """

    operators: Counter[str] = field(default_factory=Counter)
    activations: int = 0
    modules: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def macs(self) -> int:
        return self.operators.total()


@contextmanager
def counting() -> Iterator[Dispatched]:
    """Counts what runs inside, as it runs.

    Raises:
        CountError: an operator is neither counted nor free, or reads what a tensor holds.
    """
    with (
        ModuleTracker() as modules,
        _Called() as called,
        _Dispatch(modules, called) as dispatch,
    ):
        yield dispatch.counted


class _Dispatch(TorchDispatchMode):
    supports_higher_order_operators = True

    def __init__(self, modules: ModuleTracker, called: _Called) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counted = Dispatched()
        self._modules = modules
        self._called = called
        self._products = _Products()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if isinstance(func, torch._ops.HigherOrderOperator):
            raise self._refused(func)
        rule = _rule(func)
        if rule is None:
            with self:  # in inference mode, operators come whole that elsewhere come in parts
                output = func.decompose(*args, **named)
            if output is not NotImplemented:
                return output
            self._judge(func, args, named)
        output = func(*args, **named)
        tensors = _tensors(output)
        spelt_out = self._products.follow(func, args, named, tensors)
        if macs := rule(args, named, output) if rule else spelt_out:
            self._add(func, macs, tensors[0].numel())
        return output

    def _judge(self, func: Any, args: Any, named: Any) -> None:
        """Lets pass what is free, and runs on shapes alone."""
        if _reads(func, args, named):
            raise CountError(
                f"{self._caller(func)} needs to know what a tensor holds: "
                f"what it computes, and so its MACs, depends on the image"
            )
        if not _is_free(func) or _weighs(func, args, named):
            raise self._refused(func)

    def _add(self, func: Any, macs: int, elements: int) -> None:
        name = func._schema.name
        self.counted.operators[name] += macs
        self.counted.activations += elements
        for module in self._modules.parents - {"Global"}:
            self.counted.modules.setdefault(module, Counter())[name] += macs

    def _refused(self, func: Any) -> CountError:
        return CountError(f"no rule counts {self._caller(func)}")

    def _caller(self, func: Any) -> str:
        """The operator, what it was called as, and the module that calls it."""
        name = str(func) if isinstance(func, torch._ops.HigherOrderOperator) else func._schema.name
        called = f", called as {self._called.name}," if self._called.name else ""
        modules = self._modules.parents - {"Global"}
        return f"{name}{called} in {max(modules, key=len, default='the model')}"


class _Called(TorchFunctionMode):
    """The function that was called last, as its user knows it."""

    name = ""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.name = resolve_name(func) or ""
        return func(*args, **(kwargs or {}))


def _tensors(value: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor) and not is_lazy(leaf)]


# --- costs ----------------------------------------------------------------------------------------


def _rule(func: Any) -> Callable[[Any, Any, Any], int] | None:
    """The MACs of a call, of its arguments and output."""
    if own := _MACS.get(func._schema.name):
        return lambda args, named, output: own(args, output)
    if formula := flop_registry.get(func._overloadpacket):
        return lambda args, named, output: formula(*args, **named, out_val=output) // 2
    return None


# --- what is free ---------------------------------------------------------------------------------

_FREE_TAGS = {torch.Tag.pointwise, torch.Tag.reduction, torch.Tag.inplace_view}
_READING_TAGS = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}


def _reads(func: Any, args: Any, named: Any) -> bool:
    """Whether the result, or its shape, depends on what a tensor on the meta device would hold."""
    tensors = _tensors((args, named))
    if func._overloadpacket is torch.ops.aten.index:
        tensors = [mask for mask in tensors[1:] if mask.dtype in {torch.bool, torch.uint8}]
    return bool(_READING_TAGS & set(func.tags)) and any(tensor.is_meta for tensor in tensors)


@cache
def _is_free(func: Any) -> bool:
    """Elementwise, a reduction, a view, a question, a maker of tensors, or one of the table."""
    schema, name = func._schema, _plain(func)
    for one in (func, *_functional(func)):
        if _FREE_TAGS & set(one.tags) or any(map(_shares, one._schema.returns)):
            return True
    if not any(map(_is_tensor, schema.returns)) and not any(map(_is_written, schema.arguments)):
        return True
    if func.namespace != "aten":
        return False
    if not any(_is_tensor(one) for one in schema.arguments):
        return True
    return name in _FREE or name.startswith("new_") or name.endswith("_like")


def _weighs(func: Any, args: Any, named: Any) -> bool:
    """Whether a bag of embeddings is a weighted sum, which is a product with a sparse matrix."""
    return "per_sample_weights" in {
        one.name
        for one, value in zip(func._schema.arguments, args, strict=False)
        if isinstance(value, Tensor)
    } | {name for name, value in named.items() if isinstance(value, Tensor)}


def _is_tensor(argument: Any) -> bool:
    return "Tensor" in str(argument.type)


def _is_written(argument: Any) -> bool:
    return argument.alias_info is not None and argument.alias_info.is_write


def _shares(result: Any) -> bool:
    """Whether it is a view: it shares the elements of an argument, and writes none."""
    return result.alias_info is not None and not result.alias_info.is_write


def _functional(func: Any) -> Iterator[Any]:
    """The overloads of ``eq`` for ``eq_``, whose tag torch does not repeat, and of a ``_copy``."""
    name = _plain(func).removesuffix("_copy")
    packet = getattr(getattr(torch.ops, func.namespace), name, None)
    for overload in packet.overloads() if packet else ():
        yield getattr(packet, overload)


def _plain(func: Any) -> str:
    """An operator's name without the ``_`` of one that works in place."""
    name: str = func._overloadpacket.__name__
    return name.removesuffix("_")


# --- products that are spelt elementwise ----------------------------------------------------------


class _Products:
    """What is known of tensors, by storage: views know it, and so does what is written into."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Operand, Tensor]] = {}  # the tensor keeps its place taken

    def follow(self, func: Any, args: Any, named: Any, outputs: Sequence[Tensor]) -> int:
        """The MACs that an operator adds up of a product."""
        schema = func._schema
        exponent = args[1] if len(args) > 1 else None
        if isinstance(exponent, Tensor):
            exponent = nan
        name = spelt.of_power(_plain(func), exponent)
        view = any(_shares(one) for one in schema.returns)
        outs = {one.name for one in schema.arguments if one.is_out}
        read = [value for key, value in named.items() if key not in outs]
        operands = [self._operand(tensor) for tensor in _tensors((args, read))]
        counted = 0
        for output in outputs:
            macs, result = spelt.follow(name, operands, output.numel(), view)
            counted = counted or macs
            if not view:
                self._learn(output, result)
        return counted

    def _operand(self, tensor: Tensor) -> Operand:
        known = self._known.get(_storage(tensor))
        distinct, product = _distinct(tensor), False
        if known:
            distinct, product = min(distinct, known[0].distinct), known[0].product
        return Operand(tensor.numel(), distinct, product)

    def _learn(self, output: Tensor, result: Operand) -> None:
        place = _storage(output)
        if place in self._known and output.numel() < self._known[place][1].numel():
            result = result._replace(product=result.product or self._known[place][0].product)
        if result.product or result.grown:
            self._known[place] = result, output
        else:
            self._known.pop(place, None)


def _storage(tensor: Tensor) -> int:
    place: int = tensor.untyped_storage()._cdata
    return place


def _distinct(tensor: Tensor) -> int:
    """How many elements a tensor is made of: fewer than it has where it is expanded or unfolded."""
    sizes = [
        (size, stride)
        for size, stride in zip(tensor.shape, tensor.stride(), strict=True)
        if stride and size > 1
    ]
    reach = 1 + sum((size - 1) * stride for size, stride in sizes)
    return min(prod(size for size, _ in sizes), reach)
