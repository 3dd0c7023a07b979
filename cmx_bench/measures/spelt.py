"""Follows matrix products written elementwise: a product that grows, and is added up later.

``(x[:, None] * w).sum(2)`` multiplies and adds as ``w @ x`` does. A product is followed where it
has more elements than each of its factors is made of, weights left out. A factor that was expanded,
repeated or unfolded is made of what it was before, and so is a sum or a difference of two such.
What is linear passes a product on, from views to additions; a nonlinear function ends it. The
reduction that adds it up is counted as one multiply-accumulate an element. So is that of the square
of a difference that grew, as a distance is spelt. So is an addition of two products, as in
``sum(x[:, None, i] * w[i] for i in range(n))``, but of two squares: positions have such.
Products that do not grow are left to `dots`.

Names of operators are without namespace, overload and the ``_`` of those that work in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor


class SpeltError(Exception):
    """Nobody knows what a product that is added up, or reduced otherwise, stands for; the text says
    what would count."""


class Operand(NamedTuple):
    """A tensor: how many elements it has, how many it is made of, whether it is a product, whether
    of squares, whether what it is a sum of was counted, and whether it is made of weights alone."""

    elements: int
    distinct: int
    product: bool = False
    square: bool = False
    counted: bool = False
    weight: bool = False

    @property
    def grown(self) -> bool:
        return self.distinct < self.elements


DIVIDE = frozenset(["div", "divide", "true_divide"])
_MULTIPLY = DIVIDE | frozenset(
    "mul multiply outer ger kron polar square xlogy special_xlog1py".split()  # noqa: SIM905
)
ADD_A_PRODUCT = frozenset(["addcmul", "addcdiv", "addr"])
ADD = frozenset(
    """
    add sub subtract rsub neg negative positive lerp where masked_fill copy clone to _to_copy
    type_as real imag conj conj_physical _conj_physical resolve_conj resolve_neg batch_norm
    native_batch_norm _native_batch_norm_legit_no_training nan_to_num clamp clip clamp_min
    clamp_max deg2rad rad2deg ldexp
    """.split()  # noqa: SIM905
)
SUBTRACT = frozenset(["sub", "subtract", "rsub"])
ADD_TWO = SUBTRACT | {"add"}
# Their elements are the operand's, each once or several times, in another order.
_MOVE = frozenset(
    """
    cat concat stack hstack vstack dstack column_stack row_stack repeat tile repeat_interleave
    flip fliplr flipud roll rot90 im2col unfold complex unsafe_split unsafe_chunk
    unsafe_split_with_sizes _unsafe_view _reshape_copy channel_shuffle native_channel_shuffle
    pixel_shuffle pixel_unshuffle dropout feature_dropout alpha_dropout feature_alpha_dropout
    native_dropout tril triu contiguous reshape reshape_as flatten broadcast_to
    """.split()  # noqa: SIM905
)
# Theirs are as good as new: picked, padded, or put beside others.
_PICK = frozenset(
    """
    index index_select gather take take_along_dim masked_scatter scatter index_copy index_put
    _unsafe_index slice_scatter select_scatter diag_embed pad constant_pad_nd reflection_pad1d
    reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d
    upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d
    upsample_trilinear3d upsample_bicubic2d _upsample_nearest_exact1d _upsample_nearest_exact2d
    _upsample_nearest_exact3d _upsample_bilinear2d_aa _upsample_bicubic2d_aa _upsample_lanczos2d_aa
    grid_sampler grid_sampler_2d grid_sampler_3d embedding put index_fill diagonal_scatter
    as_strided_scatter block_diag _chunk_cat sort topk _unsafe_masked_index
    _unsafe_masked_index_put_accumulate
    """.split()  # noqa: SIM905
)
_SQUARE_AND_ADD_UP = frozenset(["norm", "linalg_vector_norm", "linalg_norm", "frobenius_norm"])
MEANS = frozenset(
    """
    mean nanmean avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d
    adaptive_avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d
    """.split()  # noqa: SIM905
)
ADD_UP = _SQUARE_AND_ADD_UP.union(
    MEANS,
    """
    sum nansum cumsum var std var_mean std_mean trace col2im scatter_add scatter_reduce index_add
    index_reduce segment_reduce sum_to_size
    """.split(),  # noqa: SIM905
)
# They reduce by anything but additions.
_REDUCE = frozenset(
    """
    amax amin aminmax max min argmax argmin median nanmedian kthvalue mode prod logsumexp cumprod
    cummax cummin _cummax_helper _cummin_helper logcumsumexp max_pool2d_with_indices
    max_pool3d_with_indices adaptive_max_pool2d adaptive_max_pool3d fractional_max_pool2d
    fractional_max_pool3d
    """.split()  # noqa: SIM905
)
ADD_EXPONENTIALS = frozenset(["logsumexp", "logcumsumexp"])
# They add up along the dimensions that they are told.
ALONG = ADD_EXPONENTIALS | frozenset(["sum", "nansum", "mean", "nanmean", "cumsum"])
# As norms do: of squares.
SPREADS = _SQUARE_AND_ADD_UP | {"var", "std", "var_mean", "std_mean"}
# What they give of one tensor are parts of it, in other places.
MOVED = _MOVE | _PICK | {"clone", "_to_copy"}
LINEAR = _MULTIPLY | ADD_A_PRODUCT | ADD | _MOVE | _PICK | ADD_UP

# Which operands' elements the result has, where others only say which or how.
SOURCES = {
    "where": slice(1, None),
    "masked_fill": slice(1),
    "copy": slice(1, None),
    "batch_norm": slice(1),
    **dict.fromkeys(("grid_sampler", "grid_sampler_2d", "grid_sampler_3d"), slice(1)),
}


def meaning(name: str, args: Sequence[Any], named: Mapping[str, Any]) -> str:
    """What to follow an operator as, which depends on its arguments."""
    if name == "pow":
        if not isinstance(args[0], Tensor):
            return "exp2"
        known: Mapping[object, str] = {1: "clone", 2: "square", -1: "reciprocal"}
        number = isinstance(args[1], int | float)
        return known.get(args[1], "float_power") if number else "float_power"
    if name == "lerp" and isinstance(args[2], Tensor):
        return "addcmul"
    adds = any(value is True for value in args[3:]) or named.get("accumulate")
    if (name in _PICK and adds) or (name == "scatter" and named.get("reduce") == "add"):
        return "index_add"
    return name


def of_norm(name: str, args: Sequence[Any]) -> str:
    """What to follow a norm as: one of another exponent than 2 squares nothing."""
    exponent = args[1] if len(args) > 1 else 2
    other = isinstance(exponent, int | float) and exponent != 2
    return "sum" if other and name in _SQUARE_AND_ADD_UP else name


def reduced(name: str, args: Sequence[Any]) -> Iterable[int]:
    """The dimensions that a sum or a mean adds up."""
    every = range(args[0].dim())
    if name not in ALONG:  # of positions, which come last
        return every[-int(name[-2]) :]
    dims = args[1] if len(args) > 1 and args[1] is not None else []
    return [dims] if isinstance(dims, int) else dims or every


def reduces(name: str, operands: Sequence[Operand], elements: int) -> bool:
    """Whether an operator reduces a product to `elements` elements without adding any up, as a
    maximum does. Nobody knows what such a product stands for."""
    kept = "cum" in name or "pool" in name
    return name in _REDUCE and any(
        operand.product and (elements < operand.elements or kept) for operand in operands
    )


def follow(name: str, operands: Sequence[Operand], elements: int) -> tuple[int, Operand]:
    """What an operator, no view, adds up, in multiply-accumulates, and its result of so many
    elements.

    Args:
        name: see `meaning`.
    """
    fresh = Operand(elements, elements)
    sources = operands[SOURCES.get(name, slice(None))]
    if not sources:
        return 0, fresh
    if name in ADD_A_PRODUCT:
        added, *factors = sources
        name, sources = "add", [added, _multiply("mul", factors, elements)]
    if name in _MOVE:
        distinct = sum(source.distinct for source in sources)
    elif name in ADD:
        distinct = _made_of(sources)
    elif name in _PICK:
        distinct = elements
    elif name in _MULTIPLY:
        return 0, _multiply(name, sources, elements)
    elif name in ADD_UP:
        squares = name in _SQUARE_AND_ADD_UP
        wanted = (s for s in sources if (s.product and not s.counted) or (squares and s.grown))
        # Sums of each step, as of cumsum, are made of what the products are made of.
        sums = [source.distinct for source in sources if source.elements == elements]
        return sum(source.elements for source in wanted), Operand(elements, min([elements, *sums]))
    else:
        return 0, fresh
    result = _pass_on(sources, elements, min(elements, distinct))
    products = [source for source in sources if source.product and not source.square]
    if name in ADD_TWO and len(products) > 1:
        macs = sum(source.elements for source in products if not source.counted)
        return macs, result._replace(counted=True, distinct=elements)
    return 0, result


def _pass_on(sources: Sequence[Operand], elements: int, distinct: int) -> Operand:
    """What has the elements of products and of others."""
    products = [source for source in sources if source.product]
    return Operand(
        elements,
        distinct,
        product=bool(products),
        square=any(source.square for source in products),
        counted=bool(products) and all(source.counted for source in products),
    )


def _multiply(name: str, factors: Sequence[Operand], elements: int) -> Operand:
    """A product, or a scaled operand where there is one factor of more than one element."""
    square = name == "square"
    if square:
        factors = [*factors, *factors]
    # What is divided by a product is none.
    known = factors[:1] if name in DIVIDE else factors
    factors = [factor for factor in factors if factor.elements > 1]
    largest = _made_of(factors) if factors else elements
    result = _pass_on(known, elements, min(elements, largest))
    if len(factors) < 2:
        return result
    if largest < elements:
        return Operand(elements, largest, product=True, square=square or result.square)
    return result._replace(distinct=elements, square=result.product and (square or result.square))


def _made_of(operands: Sequence[Operand]) -> int:
    """The most elements that one of several operands is made of. Of weights only where there is
    nothing else: of one image, what a matrix of weights meets may be a vector."""
    others = [operand for operand in operands if not operand.weight]
    return max(operand.distinct for operand in others or operands)
