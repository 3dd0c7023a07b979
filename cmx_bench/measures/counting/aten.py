"""What each operator of torch does to a product that is spelt elementwise: one table, by name.

Names are those of aten without overload and without the ``_`` of operators that work in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from torch import Tensor


class Kind(Enum):
    """What operators do, with their names; an example says what each does to a product `p`, or how
    it makes one."""

    # Linear: a product goes on.
    ADD = "add"  # p + x
    SUBTRACT = "sub subtract rsub"  # p - x
    NEGATE = "neg negative"  # -p
    # p.clamp(0, 1): elementwise, by numbers.
    KEEP = """
        positive where masked_fill copy to type_as real imag conj conj_physical _conj_physical
        resolve_conj resolve_neg lerp nan_to_num clamp clip clamp_min clamp_max deg2rad
        rad2deg ldexp round
        """
    # p.flip(0): the elements in another order, or each several times.
    MOVE = """
        clone _to_copy repeat tile repeat_interleave flip fliplr flipud roll rot90 im2col unfold
        complex unsafe_split unsafe_chunk unsafe_split_with_sizes _unsafe_view _reshape_copy
        channel_shuffle native_channel_shuffle pixel_shuffle pixel_unshuffle dropout feature_dropout
        alpha_dropout feature_alpha_dropout native_dropout tril triu contiguous reshape reshape_as
        flatten broadcast_to
        """
    JOIN = "cat concat stack hstack vstack dstack column_stack row_stack"  # cat([p, x])
    # p[index]: elements that are picked, padded or resampled, and as good as new.
    PICK = """
        index index_select gather take take_along_dim masked_scatter scatter index_copy index_put
        put index_fill _unsafe_index _unsafe_masked_index _unsafe_masked_index_put_accumulate
        slice_scatter select_scatter diagonal_scatter as_strided_scatter diag_embed block_diag
        _chunk_cat sort topk embedding pad constant_pad_nd reflection_pad1d reflection_pad2d
        reflection_pad3d replication_pad1d replication_pad2d replication_pad3d upsample_nearest1d
        upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d
        upsample_trilinear3d upsample_bicubic2d _upsample_nearest_exact1d _upsample_nearest_exact2d
        _upsample_nearest_exact3d _upsample_bilinear2d_aa _upsample_bicubic2d_aa
        _upsample_lanczos2d_aa grid_sampler grid_sampler_2d grid_sampler_3d maximum minimum
        """
    MULTIPLY = "mul multiply outer ger kron polar xlogy special_xlog1py"  # a * b makes p
    DIVIDE = "div divide true_divide"  # p / x, and a / b.reciprocal() makes p
    ADD_PRODUCT = "addcmul addcdiv addr"  # x + a * b
    # Of p they are nonlinear, and of x.expand(...) they make p.
    NORMALISE = "native_layer_norm native_group_norm _native_batch_norm_legit"
    NORMALISE_BY_STATISTICS = "batch_norm native_batch_norm _native_batch_norm_legit_no_training"
    SQUARE = "square"  # (a[:, None] - b).square() makes p, as distances are spelt
    # They add up: what was multiplied before is a dot product now.
    SUM = """
        sum nansum cumsum trace col2im scatter_add scatter_reduce index_add index_reduce
        segment_reduce sum_to_size
        """
    MEAN = """
        mean nanmean avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d
        adaptive_avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d
        """
    SPREAD = "var std var_mean std_mean"
    NORM = "norm linalg_vector_norm linalg_norm frobenius_norm"  # squares before it adds up
    # They reduce otherwise.
    EXTREME = """
        amax amin aminmax max min argmax argmin median nanmedian kthvalue mode cummax cummin
        _cummax_helper _cummin_helper max_pool2d_with_indices max_pool3d_with_indices
        adaptive_max_pool2d adaptive_max_pool3d fractional_max_pool2d fractional_max_pool3d
        """
    PROD = "prod cumprod"  # stack([a, b]).prod(0) makes p
    ADD_EXPONENTIALS = "logsumexp logcumsumexp"  # of a.log() + b.log()
    ADD_TWO_EXPONENTIALS = "logaddexp logaddexp2"
    # Functions of one tensor, which end a product.
    EXPONENTIAL = "exp exp2 expm1"  # (a.log() + b.log()).exp() makes p
    LOGARITHM = "log log2 log10 log1p"
    LOG_GATE = "log_sigmoid_forward _log_softmax"
    GATE = "sigmoid hardsigmoid _softmax _safe_softmax _masked_softmax"
    INVERT = "reciprocal rsqrt"
    NONLINEAR = ""  # p.relu(), and whatever else is not in the table
    # Others.
    BLANK = "zeros empty eye"  # to be written into, or a mask
    FOREIGN = "-"  # not torch's own: nobody knows what it does, so that a product goes on


KINDS: Mapping[str, Kind] = {name: kind for kind in Kind for name in kind.value.split()}

ELEMENTWISE = frozenset([Kind.ADD, Kind.SUBTRACT, Kind.NEGATE, Kind.KEEP])
REARRANGE = frozenset([Kind.MOVE, Kind.JOIN, Kind.PICK])
LINEAR = ELEMENTWISE | REARRANGE | {Kind.MULTIPLY, Kind.DIVIDE}

# Which operands are followed, where the order is another, or some are overwritten or say where.
_OPERANDS = {
    "rsub": slice(None, None, -1),
    "copy": slice(1, None),
    **dict.fromkeys(("grid_sampler", "grid_sampler_2d", "grid_sampler_3d"), slice(1)),
}
_ALONG = frozenset(["sum", "nansum", "mean", "nanmean", "cumsum", "logsumexp", "logcumsumexp"])


def of(name: str, args: Sequence[Any], named: Mapping[str, Any]) -> Kind:
    """The kind of a call: ``pow(x, 2)`` is a square, ``pow(x, 3)`` is nonlinear."""
    kind = KINDS.get(name, Kind.NONLINEAR)
    second = args[1] if len(args) > 1 else None
    number = second if isinstance(second, int | float) else None
    if name == "pow":
        powers: Mapping[object, Kind] = {1: Kind.MOVE, 2: Kind.SQUARE, -1: Kind.INVERT}
        return powers.get(number, kind) if isinstance(args[0], Tensor) else Kind.EXPONENTIAL
    accumulates = any(value is True for value in args[3:]) or named.get("accumulate")
    other = {
        "rsub": Kind.NEGATE if number is not None else None,  # 1 - p
        "lerp": Kind.ADD_PRODUCT if isinstance(args[-1], Tensor) else None,
        "scatter": Kind.SUM if named.get("reduce") == "add" else None,
        "index_put": Kind.SUM if accumulates else None,
        "put": Kind.SUM if accumulates else None,
    }.get(name)
    if kind is Kind.NORM and number not in (None, 2):  # which squares nothing
        return Kind.SPREAD
    return other or kind


def followed(name: str, operands: Sequence[Tensor]) -> Sequence[Tensor]:
    """The operands in order: a minuend first, and no grid of samples."""
    return operands[_OPERANDS.get(name, slice(None))]


def added_up(name: str, args: Sequence[Any]) -> Iterable[int] | None:
    """The dimensions along which an operator that adds up does so; None where it says none."""
    if name not in _ALONG and KINDS.get(name) is not Kind.MEAN:
        return None
    every = range(args[0].dim())
    if name not in _ALONG:
        return every[-int(name[-2]) :]  # of positions, which come last
    dims = args[1] if len(args) > 1 and args[1] is not None else []
    return [dims] if isinstance(dims, int) else dims or every
