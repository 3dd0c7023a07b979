"""Decides which operators have no MACs: by torch's tags, by their schema, or by a table."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor

from cmx_bench.measures.counting.aten import KINDS
from cmx_bench.models.tensors import leaves

# Operators of aten that are free, and that torch tags neither as elementwise nor as a reduction:
# those of the table in `aten`, and these. Views and makers of tensors are free too. Solvers,
# factorisations, Fourier transforms and distances are not: they have a cost, or are refused.
_FREE = KINDS.keys() | frozenset(
    """
    _batch_norm_no_update _batch_norm_with_update _fused_rms_norm _weight_norm_interface renorm

    hardswish glu _prelu_kernel rrelu_with_noise heaviside copysign floor_divide
    fake_quantize_per_tensor_affine_cachemask fake_quantize_per_channel_affine_cachemask
    _fake_quantize_per_tensor_affine_cachemask_tensor_qparams

    max_unpool2d max_unpool3d affine_grid_generator

    searchsorted bucketize isin histc histogram hash_tensor

    embedding_renorm linalg_cross nonzero_static _pack_padded_sequence

    fill zero resize resize_as set bernoulli normal uniform random exponential geometric cauchy
    log_normal multinomial poisson binomial linspace logspace

    nll_loss_forward nll_loss2d_forward binary_cross_entropy smooth_l1_loss huber_loss
    binary_cross_entropy_with_logits soft_margin_loss multi_margin_loss
    multilabel_margin_loss_forward _ctc_loss _linalg_check_errors
    """.split()  # noqa: SIM905
)


_RESAMPLING = {
    f"torchvision::{name}" for name in ("roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool")
}
_FREE_TAGS = {torch.Tag.pointwise, torch.Tag.reduction, torch.Tag.inplace_view}
_READING_TAGS = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}


def reads(func: Any) -> bool:
    """Whether the result of an overload, or its shape, depends on what tensors hold."""
    return bool(_READING_TAGS & set(func.tags))


@cache
def is_free(func: Any) -> bool:
    """Whether an operator is elementwise, a reduction, a view, a query, a maker of tensors, or in
    the table."""
    schema = func._schema
    for overload in (func, *_functional(func)):
        if _FREE_TAGS & set(overload.tags) or any(map(shares, overload._schema.returns)):
            return True
    if not any(map(_is_tensor, schema.returns)) and not any(map(_is_written, schema.arguments)):
        return True
    if func.namespace != "aten":
        return schema.name in _RESAMPLING
    if not any(map(_is_tensor, schema.arguments)):
        return True
    return plain(func) in _FREE or is_blank(func)


def is_blank(func: Any) -> bool:
    """Whether an operator makes a tensor of the shape or the type of another alone."""
    name = plain(func)
    return name.startswith("new_") or name.endswith("_like")


def _is_tensor(argument: Any) -> bool:
    return "Tensor" in str(argument.type)


def _is_written(argument: Any) -> bool:
    return argument.alias_info is not None and argument.alias_info.is_write


def shares(result: Any) -> bool:
    """Whether it is a view: it shares the elements of an argument, and writes none."""
    return result.alias_info is not None and not result.alias_info.is_write


def is_view(func: Any) -> bool:
    """Whether its result shares the elements of an argument, or is that with another shape."""
    seen = torch.Tag.inplace_view in func.tags or plain(func) == "_unsafe_view"  # no schema says so
    return seen or any(map(shares, func._schema.returns))


def operands_of(func: Any, args: Any, named: Any) -> list[Tensor]:
    """The tensors that an operator computes with, those in lists too."""
    outs = {argument.name for argument in func._schema.arguments if argument.is_out}
    return leaves((args, [value for key, value in named.items() if key not in outs]))


def _functional(func: Any) -> Iterator[Any]:
    """The overloads of ``eq`` for ``eq_``, whose tag torch does not repeat, and of a ``_copy``."""
    return overloads(f"{func.namespace}::{plain(func).removesuffix('_copy')}")


def overloads(name: str) -> Iterator[Any]:
    """Those of an operator; none where there is no such operator."""
    namespace, _, short = name.partition("::")
    packet = getattr(getattr(torch.ops, namespace), short, None)
    for overload in packet.overloads() if packet else ():
        yield getattr(packet, overload)


def plain(func: Any) -> str:
    """An operator's name without the ``_`` of an in-place operator."""
    name: str = func._overloadpacket.__name__
    return name.removesuffix("_")
