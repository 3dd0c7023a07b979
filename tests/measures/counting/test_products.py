"""Products spelt elementwise, against arithmetic."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cmx_bench.cell import ZERO
from cmx_bench.errors import CountError
from cmx_bench.measures.counting.given import words
from cmx_bench.measures.counting.twice import count, count_module

from .test_effects import Weighted, vector
from .test_twice import Function, macs, ones


def grown(x: Tensor) -> Tensor:
    """The products of x @ x, (1, 3, 8, 8) each, before they are added up over the last but one."""
    return x[..., None] * x[..., None, :, :]


def total(parts: Iterable[Tensor]) -> Tensor:
    """The sum of tensors, one by one."""
    return functools.reduce(torch.add, parts)


def grey(x: Tensor) -> Tensor:
    """Of an image as a camera gave it, and how blue that is, as CSATv2 makes both of a normalised
    one."""
    bright = x[:, 0] * 0.299 + x[:, 1] * 0.587 + x[:, 2] * 0.114
    return torch.stack([bright, (x[:, 2] - bright) * 0.564])


def add_in_place(x: Tensor) -> Tensor:
    out = torch.zeros_like(x)
    for i in range(8):
        out += x[..., i, None] * x[..., i, None, :]
    return out


@pytest.mark.parametrize(
    "product",
    [
        lambda x: grown(x).sum(-2),
        lambda x: grown(x).mean(-2),
        lambda x: grown(x).transpose(1, 3).sum(3),
        lambda x: (grown(x) * 0.125).sum(-2),
        lambda x: (grown(x) + 1 - x[..., None]).to(torch.float64).sum(-2),
        lambda x: grown(x).masked_fill(x[..., None, :] > 0, 0).sum(-2),
        lambda x: torch.where(x[..., None, :] > 0, grown(x), 0).sum(-2),
        lambda x: grown(x).mul_(2).add_(1).sum(-2),
        lambda x: grown(x).cumsum(-2),
        lambda x: grown(x).var(-2),
        lambda x: grown(x).norm(dim=-2),
        lambda x: grown(x).norm(1, dim=-2),
        lambda x: functional.avg_pool3d(grown(x)[0], (1, 8, 1)),
        lambda x: functional.adaptive_avg_pool3d(grown(x)[0], (8, 1, 8)),
        lambda x: torch.stack(grown(x).unbind(1)).sum(-2),
        lambda x: torch.cat(grown(x).chunk(4, -1), -1).reshape(-1, 8, 8).sum(-2),
        lambda x: functional.interpolate(grown(x)[0], scale_factor=1, mode="nearest-exact").sum(-2),
        lambda x: grown(x).clamp(-9, 9).deg2rad().sum(-2),
        lambda x: (x[..., None] / x[..., None, :, :]).sum(-2),
        lambda x: (x[..., None] / x[..., None, :, :].reciprocal()).sum(-2),
        lambda x: torch.addcmul(x[..., None], x[..., None], x[..., None, :, :]).sum(-2),
        lambda x: torch.lerp(x[..., None] * 0, x[..., None], x[..., None, :, :]).sum(-2),
        lambda x: torch.xlogy(x[..., None], x[..., None, :, :]).sum(-2),
        lambda x: torch.polar(x[..., None].abs(), x[..., None, :, :]).real.sum(-2),
        lambda x: grown(x).pow(1).sum(-2),
        lambda x: grown(x).topk(8, -2).values.sort(-2).values.sum(-2),
        lambda x: x.new_zeros(3, 8, 8).index_put(
            (torch.zeros(8).long(),), grown(x)[0].movedim(1, 0), accumulate=True
        ),
        lambda x: x.new_zeros(1, 3, 8, 1, 8).scatter(
            3, torch.zeros(1, 3, 8, 8, 8).long(), grown(x), reduce="add"
        ),
        lambda x: (x[..., None].expand(1, 3, 8, 8, 8) * x[..., None, :, :]).sum(-2),
        lambda x: (x[..., None].repeat(1, 1, 1, 1, 8) * x[..., None, :, :]).sum(-2),
        lambda x: (x[..., None] - x[..., None, :, :]).pow(2).sum(-2),  # distances
        lambda x: (x[..., None] - x[..., None, :, :]).norm(dim=-2),
        lambda x: torch.dist(x[..., None], x[..., None, :, :]),
        lambda x: functional.mse_loss(*torch.broadcast_tensors(x[..., None], x[..., None, :, :])),
        lambda x: torch.zeros_like(grown(x)).index_add(0, torch.zeros(1).long(), grown(x)),
        # Added up one by one: each of 8 is 3 x 8 x 8 products.
        lambda x: sum(grown(x).unbind(-2)),
        lambda x: sum(x[..., i, None] * x[..., i, None, :] for i in range(8)),
        lambda x: functools.reduce(torch.sub, grown(x).unbind(-2)) + x,
        add_in_place,
        lambda x: functools.reduce(
            lambda out, i: torch.addcmul(out, x[..., i, None], x[..., i, None, :]), range(8), x
        ),
        lambda x: (2 * total(grown(x).unbind(-2))).sum(-1),
    ],
)
def test_a_product_spelt_elementwise(product: Callable[[Tensor], Tensor]) -> None:
    assert macs(product) == 3 * 8 * 8 * 8


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        (lambda x: torch.outer(x[0, 0, 0], x[0, 1, 0]).sum(0), 8 * 8),
        (lambda x: torch.einsum("i,j->ij", x[0, 0, 0], x[0, 1, 0]).sum(0), 8 * 8),
        # Convolutions by windows: along rows, of 6 windows of 3, and of 36 windows of 3 x 3.
        (lambda x: (x.unfold(-1, 3, 1) * ones(x, 3, 1, 1, 3)).sum(-1), 3 * 8 * 6 * 3),
        (lambda x: (functional.unfold(x, 3) * ones(x, 27, 1)).sum(1), 27 * 36),
        # No products: a nonlinearity ends one, a gate grows nothing, a distance by |a - b| adds.
        (lambda x: grown(x).relu().sum(-2), 0),
        (lambda x: functional.gelu(grown(x)).sum(-2), 0),
        (lambda x: grown(x).softmax(-1).sum(-2), 0),
        (lambda x: (x * x.mean((2, 3), keepdim=True)).amax(1), 0),
        (lambda x: grown(x).relu().amax(-2), 0),
        (lambda x: (x[..., None] - x[..., None, :, :]).abs().sum(-2), 0),
        (lambda x: (x[..., None] - x[..., None, :, :]).norm(1, dim=-2), 0),
        (lambda x: grown(x)[..., 0] + x, 0),
        (lambda x: grown(x).square()[..., 0] + grown(x).pow(2)[..., 1], 0),
        (lambda x: x * x.cos() + x.flip(-1) * x.mean(1, keepdim=True).sin(), 0),
        (lambda x: sum(grown(x).relu().unbind(-2)), 0),
        # So are the sums of each step.
        (lambda x: (grown(x).cumsum(1) * x[..., None]).sum(-2), 2 * 1536),
        # A sum of products is a factor once more: 8 x (3 x 8 x 8) and 3 x 8 x 8 x 8.
        (lambda x: (total(grown(x).unbind(-2))[..., None] * x[..., None, :, :]).sum(-2), 2 * 1536),
    ],
)
def test_what_is_a_product_spelt_elementwise(
    product: Callable[[Tensor], Tensor], expected: int
) -> None:
    assert macs(product) == expected


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        # Of one image the product is no larger than the weight.
        (lambda s, x: (vector(x)[:, None] * s.w).sum(2), 5 * 3),
        (lambda s, x: (s.w.double() * vector(x)[:, None] * s.scale).mean(2), 5 * 3),
        (lambda s, x: (vector(x)[:, None] - s.w).pow(2).sum(2), 5 * 3),
        (lambda s, x: (vector(x)[:, None] * torch.arange(15.0).cos().view(5, 3)).sum(2), 5 * 3),
        (lambda s, x: (vector(x)[0, :1, None] * s.w.view(1, 15)).view(5, 3).sum(1), 0),
        (lambda s, x: (vector(x)[..., None, None, None] * s.taps).sum((1, 2, 3)), 3 * 27),
        (lambda s, x: (vector(x)[:, None] * (s.w * x.mean())).sum(2), 5 * 3),
        (lambda s, x: (vector(x)[:, None] * s.w).round().sum(2), 5 * 3),
        # Norms scale by weights, which makes products of what was expanded.
        (lambda s, x: functional.layer_norm(
            vector(x)[:, None].expand(1, 5, 3), (5, 3), s.w).sum(2), 5 * 3),
        (lambda s, x: functional.group_norm(
            x.mean(1, keepdim=True).expand(1, 3, 8, 8), 3, s.scale).sum(1), 3 * 64),
        (lambda s, x: functional.batch_norm(
            x.mean(1, keepdim=True).expand(1, 3, 8, 8), s.scale, s.scale, s.scale).sum(1), 3 * 64),
        (lambda s, x: functional.instance_norm(
            x.mean(1, keepdim=True).expand(1, 3, 8, 8), weight=s.scale).sum(1), 3 * 64),
        (lambda s, x: functional.batch_norm(
            functional.layer_norm(x, (3, 8, 8)), s.scale, s.scale, s.scale).sum(1), 0),
        # Weights that scale, that are scaled, or of which norms are taken.
        (lambda s, x: (x * s.scale[:, None, None]).mean((2, 3)), 0),
        (lambda s, x: (x.mT * s.w[0, :, None, None] + x).mean(1), 0),
        (lambda s, x: grey(x * s.scale[:, None, None]), 0),
        (lambda s, x: x.mean() * (s.w * s.scale).norm(dim=1) * s.w.square().sum(), 0),
        (lambda s, x: functools.reduce(
            lambda out, i: out + out.sin() * s.w[i, :, None, None], range(5), x).mean(1), 0),
    ],
)  # fmt: skip
def test_a_product_with_a_weight(
    function: Callable[[Weighted, Tensor], object], expected: int
) -> None:
    assert count(lambda: Weighted(function), 8).macs == expected


@pytest.mark.parametrize(
    "function",
    [
        lambda s, x: total((vector(x) * s.scale).unbind(-1)),
        lambda s, x: total((2 * (x * s.scale[:, None, None] + 1)).unbind(1)),
    ],
)
def test_what_a_constant_scaled_is_not_added_up_one_by_one(
    function: Callable[[Weighted, Tensor], object],
) -> None:
    """It is a dot product with the constant. Where each part is scaled once more, as for a grey
    image, it is not."""
    with pytest.raises(CountError, match=r"no rule counts aten::add.* by einsum or matmul"):
        count(lambda: Weighted(function), 8)


@pytest.mark.parametrize("name", ["amax", "argmin", "prod", "logsumexp", "cumprod"])
def test_a_product_that_is_not_added_up_is_refused(name: str) -> None:
    def reduce(x: Tensor) -> Tensor:
        reduced: Tensor = getattr(grown(x) + 1, name)(-2)
        return reduced + 0.0

    with pytest.raises(CountError, match=f"^no rule counts aten::{name},.* spelt elementwise: wh"):
        macs(reduce)
    word = words({f"aten::{name}": ZERO})
    image = torch.empty(1, 3, 8, 8, device="meta")
    assert count_module(Function(reduce), image, words=word).macs == 0


@pytest.mark.parametrize(
    "function",
    [
        lambda x: functional.max_pool3d(grown(x)[0], (1, 8, 1)),
        lambda x: functional.adaptive_max_pool3d(grown(x)[0], (8, 1, 8)),
    ],
)
def test_the_maximum_of_a_product_is_refused(function: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(CountError, match="^no rule counts aten::.* spelt elementwise: where"):
        macs(function)


def add_one_by_one(x: Tensor) -> Tensor:
    return total(x[..., i, None] * x[..., i, None, :] for i in range(8))


def test_a_gate_behind_a_sum_of_products_is_free() -> None:
    """As behind a layer: a sum that was counted is no product to add up once more."""
    gated = macs(lambda x: (add_one_by_one(x) * x.mean((2, 3), keepdim=True).sigmoid()).mean(2))
    assert gated == macs(add_one_by_one) == 3 * 8 * 8 * 8


@pytest.mark.parametrize(
    "factor", [lambda x: x.flip(-1), lambda x: add_one_by_one(x).transpose(2, 3)]
)
def test_a_dot_product_behind_a_sum_of_products_is_not_passed_over(
    factor: Callable[[Tensor], Tensor],
) -> None:
    """As a state space is read: the states are sums of products, and are multiplied and added."""
    with pytest.raises(CountError, match=r"no rule counts aten::sum.* by einsum or matmul"):
        macs(lambda x: (add_one_by_one(x) * factor(x)).sum(-1))


def test_a_product_written_into_a_part_is_not_passed_over() -> None:
    """Nobody follows which part is a product and which is not."""

    def write(image: Tensor) -> Tensor:
        whole = torch.zeros(2, 3, 8, 8, 8, device=image.device)
        whole[1:] = grown(image)
        return whole.sum(-2)

    with pytest.raises(CountError, match="no rule counts aten::sum.* is spelt elementwise: where"):
        macs(write)
