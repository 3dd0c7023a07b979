"""Dot products that are spelt elementwise are refused; gates, poolings and norms count none."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cmx_bench.cell import ZERO
from cmx_bench.errors import CountError
from cmx_bench.measures.counting.given import words
from cmx_bench.measures.counting.twice import count, count_module

LAYER = 64 * 3 * 8  # of 64 positions, from 3 to 8 features


class Tokens(nn.Module):
    """A function of the features of 64 tokens, (1, 64, 4) twice, and of their gates (1, 64, 1)."""

    def __init__(self, function: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.layer, self.gate = nn.Linear(3, 8), nn.Linear(8, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        both = self.layer(image.flatten(2).mT)
        q, k = both.chunk(2, -1)
        gate = self.gate(both)
        return self.function(q, k, gate), gate


class Weighted(nn.Module):
    """A function of an image (1, 3, 8, 8) and of weights `w` (5, 3), `taps` (3, 3, 3, 3), and of
    `kept` (5, 3), which no checkpoint holds."""

    def __init__(self, function: Callable[[Weighted, Tensor], object]) -> None:
        super().__init__()
        self.function = function
        self.w, self.taps = nn.Parameter(torch.zeros(5, 3)), nn.Parameter(torch.zeros(3, 3, 3, 3))
        self.register_buffer("scale", torch.ones(3))
        self.scale: Tensor
        self.register_buffer("kept", torch.ones(5, 3), persistent=False)
        self.kept: Tensor
        self.plain = [torch.ones(5, 3)]

    def forward(self, image: Tensor) -> object:
        return self.function(self, image)


def places() -> Tensor:
    """Of each two of eight positions how far apart they are, in rows and in columns."""
    grid = torch.stack(torch.meshgrid(torch.arange(4), torch.arange(2), indexing="ij")).flatten(1)
    return grid[:, :, None] - grid[:, None]


def marks() -> Tensor:
    """(64, 4), a one in each row."""
    return torch.zeros(64, 4, dtype=torch.long).scatter(1, torch.arange(64)[:, None] % 4, 1)


def query(q: Tensor) -> Tensor:
    """(1, 1, 4)."""
    return q.mean(1, keepdim=True)


def shape(k: Tensor) -> Tensor:
    """(1, 4, 8, 8)."""
    return k.mT.unflatten(2, (8, 8))


def vector(x: Tensor) -> Tensor:
    """(1, 3)."""
    return x.mean((2, 3))


def rotate(x: Tensor) -> Tensor:
    first, second = x.unflatten(-1, (2, 2)).unbind(-1)
    turned = torch.stack([-second, first], -1).flatten(-2)
    return x * torch.arange(4.0).cos() + turned * torch.arange(4.0).sin()


REFUSED = "elementwise, which counts where it is spelt by einsum"


@pytest.mark.parametrize(
    "function",
    [
        lambda q, k, g: (query(q) * k).sum(-1),
        lambda q, k, g: (k * query(q).expand_as(k)).sum(-1),
        lambda q, k, g: (query(q) * 0.5 * k + 0.0).mT.sum(1),
        lambda q, k, g: (functional.layer_norm(q, (4,)) * k.relu()).masked_fill(k > 0, 0).sum(2),
        lambda q, k, g: (shape(q).roll(1, 3) * shape(k)).flatten(2).sum(1),  # of positions
        lambda q, k, g: (k * g).sum(1),  # no softmax makes these weights
        # Behind whatever is linear.
        lambda q, k, g: (q * k + k).sum(-1),
        lambda q, k, g: (q * k * g.sigmoid()).sum(-1),
        lambda q, k, g: torch.where(k > 0, q * k, k).sum(-1),
        lambda q, k, g: torch.cat([q * k, k], 1).sum(-1),
        lambda q, k, g: functional.pad(q * k, (1, 1)).flip(-1).tril().sum(-1),
        lambda q, k, g: (q * k)[..., [0, 2]].contiguous().double().clamp(-9, 9).sum(-1),
        lambda q, k, g: functional.interpolate(shape(q) * shape(k), scale_factor=2).sum(1),
        lambda q, k, g: torch.addcmul(k, q, k).sum(-1) + torch.addcmul(g, q, k).sum(-1),
        lambda q, k, g: (q * k).view(1, 64, 2, 2).sum(2).sum(-1),
        lambda q, k, g: (query(q) * k).flatten().sum(0),
        # Of what any function makes of features.
        lambda q, k, g: (q.tanh() * functional.max_pool1d(k, 1)).sum(-1),
        lambda q, k, g: (functional.softplus(q).sqrt() * k.clamp(-1, 1)).sum(-1),
        # By any sum.
        lambda q, k, g: (q * k).cumsum(-1)[..., -1],
        lambda q, k, g: (q * k).mean(-1) * 4,
        lambda q, k, g: functional.avg_pool1d(q * k, 4),
        lambda q, k, g: torch.zeros_like(g[0]).index_add(1, torch.zeros(4).long(), (q * k)[0]),
        lambda q, k, g: functional.cosine_similarity(q, k, -1),
        lambda q, k, g: (functional.normalize(q, dim=-1) * functional.normalize(k, dim=-1)).sum(-1),
        # Added up one by one.
        lambda q, k, g: q[..., 0] * k[..., 0] + q[..., 1] * k[..., 1],
        lambda q, k, g: sum(part * k[..., i] for i, part in enumerate(query(q).unbind(-1))),
        lambda q, k, g: sum((q * k).unbind(-1)) + sum(2 * part for part in (q * k).unbind(1)),
        lambda q, k, g: functools.reduce(
            lambda out, i: torch.addcmul(out, q[..., i], k[..., i]), range(4), k[..., 0]
        ),
        lambda q, k, g: torch.stack([q[..., i] * k[..., i] for i in range(4)]).sum(0),
        lambda q, k, g: torch.cat([q[..., i, None] * k[..., i, None] for i in range(4)], 2).sum(2),
        # By a product of several, and by logarithms.
        lambda q, k, g: torch.stack([q, k]).prod(0).sum(-1),
        lambda q, k, g: torch.cat([q[..., None], k[..., None]], -1).prod(-1).sum(-1),
        lambda q, k, g: torch.stack([q, k]).cumprod(0)[-1].mean(-1),
        lambda q, k, g: (q.log() + k.log()).exp().sum(-1),
        lambda q, k, g: (q.clamp(1e-6).log2() + query(k).log2() + 1).exp2().mean(-1),
        lambda q, k, g: (10 ** (q.log10() + k.log10())).sum(-1),
        lambda q, k, g: (q.log1p() + k.log1p()).masked_fill(k > 0, -9).expm1().sum(-1),
        lambda q, k, g: torch.stack([q.log(), k.log()]).sum(0).exp().sum(-1),
        lambda q, k, g: (q.log()[..., None] + k.log()[..., None, :]).exp().sum(-1),
        lambda q, k, g: (q.log().exp() * k).sum(-1),
        lambda q, k, g: ((q * k).log() + g).exp().sum(-1),
        lambda q, k, g: (q.log() + k.log()).logsumexp(-1) + k.log().logcumsumexp(1)[..., 0],
        lambda q, k, g: (q.log() - (-k.log())).exp().sum(-1),
        lambda q, k, g: torch.rsub(-(k + 1).log(), q.log()).exp().sum(-1),
        lambda q, k, g: (-(-q.log() - k.log())).exp().sum(-1),
        lambda q, k, g: (q.log()[:, :, None] - k.log()[:, None]).exp().sum(-1),
        lambda q, k, g: (q[:, :, None] - k[:, None] + 1).exp().sum(-1),
        lambda q, k, g: (q.log_softmax(-1)[:, :, None] + k[:, None]).logsumexp(-1),
        lambda q, k, g: functools.reduce(
            torch.logaddexp, (q[..., i].log() + k[..., i].log() for i in range(4))
        ),
        lambda q, k, g: functools.reduce(
            torch.logaddexp, (q[..., i, None].log() + k[:, None, :, i].log() for i in range(4))
        ),
        # Rounded, as quantised numbers are.
        lambda q, k, g: (q * k).round().sum(-1) + torch.maximum(q * k, -k).sum(-1),
        # By quotients.
        lambda q, k, g: (q / k.reciprocal()).sum(-1) + (q / (1 / k)).sum(-1),
        lambda q, k, g: (query(q) / (k**-1 * 2)).mean(-1),
        # Of two gates.
        lambda q, k, g: (q.sigmoid() * k.softmax(-1)).sum(-1),
        lambda q, k, g: (query(q).exp() * (1 - k.sigmoid())).mean(-1),
        lambda q, k, g: torch.zeros_like(g[0]).index_put(
            (torch.arange(64)[:, None].expand(64, 4), torch.zeros(64, 4).long()),
            (q * k)[0],
            accumulate=True,
        ),
    ],
)
def test_a_dot_product_of_features_is_refused(
    function: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> None:
    with pytest.raises(CountError, match=REFUSED):
        count(lambda: Tokens(function), 8)


@pytest.mark.parametrize(
    "function",
    [
        lambda q, k, g: (k * g.softmax(1)).sum(1),
        lambda q, k, g: (k * g.sigmoid()).sum(1) + (k * (g > 0).float()).sum(1),
        lambda q, k, g: (functional.normalize(g, dim=1) * k).sum(1),
        lambda q, k, g: (k * g.exp() / g.exp().sum(1, keepdim=True)).sum(1),
        lambda q, k, g: (q * k).mean(1) + functional.avg_pool2d(shape(q) * shape(k), 8).flatten(),
        lambda q, k, g: functional.interpolate(shape(q) * shape(k), scale_factor=2).mean((2, 3)),
        lambda q, k, g: (shape(k) * query(q).mT[..., None]).sum((2, 3)),
        lambda q, k, g: (k * k).sum(-1) + (k - k.mean()).square().sum(-1),
        lambda q, k, g: torch.stack([q * k.sigmoid(), k], 1).sum(1) + q * k,
        lambda q, k, g: (q * k).relu().sum(-1) + (q * k).softmax(-1).sum(-1),
        lambda q, k, g: (q * k).std(-1) + functional.layer_norm(q * k, (4,)).sum(-1),
        lambda q, k, g: (q * k + q).mean(-1) + (q * k).amax(-1),  # as a norm by hand
        # Geometric means, softmax by hand, and gates from logarithms.
        lambda q, k, g: k.clamp(1e-6).log().mean(1).exp().sum(-1) + k.prod(1).pow(1 / 64).sum(-1),
        lambda q, k, g: (k.log().sum(1) / 64).exp().sum(-1) + (0.5 * (q.log() + k.log())).exp(),
        lambda q, k, g: (
            (q - q.exp().sum(-1, keepdim=True).log()).exp().sum(-1) + q.log().logsumexp(-1)
        ),
        lambda q, k, g: (k * (g.sigmoid().log() + g.softmax(1).log()).exp()).sum(1),
        lambda q, k, g: (k * (1 - g.sigmoid()).prod(-1, keepdim=True)).sum(1) + (2**g * k).sum(1),
        lambda q, k, g: (q.log() - k.log()).exp() + (q.log() + k.log()).exp().mean(1),
        lambda q, k, g: (q.log() - k.log()).exp().sum(-1) + (-q.log() + k.log()).exp().sum(-1),
        lambda q, k, g: (q / k).sum(-1) + (q * k.square().sum(-1, keepdim=True).rsqrt()).sum(-1),
        lambda q, k, g: (q.exp() * q.exp().sum(-1, keepdim=True).reciprocal()).sum(-1),
        # Entropies, and what grows without being multiplied.
        lambda q, k, g: ((q.softmax(-1) * q.log_softmax(-1)).sum(-1), torch.xlogy(k, k).sum(-1)),
        lambda q, k, g: (q[:, :, None] - k[:, None]).softmax(-1).sum(-1),
        lambda q, k, g: (-(q[:, :, None] - k[:, None]).abs()).exp().sum(-1),
        # Relative positions, as RegionViT looks them up in each pass.
        lambda q, k, g: q[:, places().mul(torch.tensor([1, 7])[:, None, None]).sum(0) % 64],
        # Rotary positions of what a norm has scaled: every other element of one product.
        lambda q, k, g: rotate(q * torch.arange(4.0)),
        # Masks that are made of constants in each pass; a trace, as iSQRT-COV spells it.
        lambda q, k, g: (k.view(1, 16, 4, 4) * (3.0 * torch.eye(4))).sum((2, 3)),
        lambda q, k, g: (q * (torch.arange(64) < 9)[:, None]).sum(1) + (q * marks().float()).sum(1),
        lambda q, k, g: q[:, (places() * torch.tensor([1, 7])[:, None, None]).amax(0) % 64],
    ],
)
def test_gates_norms_and_poolings_are_free(
    function: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> None:
    assert count(lambda: Tokens(function), 8).macs == LAYER + 64 * 8


@pytest.mark.parametrize(
    "function",
    [
        lambda s, x: torch.stack([(vector(x) * s.w[o]).sum(1) for o in range(5)], 1),
        lambda s, x: torch.stack([(s.w[o] * x.movedim(1, -1)).sum(-1) for o in range(5)], 1),
        lambda s, x: (x * s.w[0, :, None, None]).mean(),
        lambda s, x: torch.stack([(vector(x) * s.kept[o]).sum(1) for o in range(5)], 1),
        lambda s, x: torch.stack([(vector(x) * s.plain[0][o]).sum(1) for o in range(5)], 1),
        # Of images themselves.
        lambda s, x: (x * x.mean((2, 3), keepdim=True)).sum(1),
        lambda s, x: (x * functional.conv2d(x, s.taps, padding=1)).sum(1),
        lambda s, x: (x * s.w[0].abs()[:, None, None] * 0.5 + 1).flip(1).sum(1),
        lambda s, x: torch.stack([vector(x)[0], s.w[0]]).prod(0).sum(),
        lambda s, x: (vector(x).log()[:, None] + s.w.log()).exp().sum(2),
        # A convolution of each channel, tap by tap.
        lambda s, x: sum(
            x[..., i : i + 6, j : j + 6] * s.taps[0, :, i, j, None, None]
            for i in range(3) for j in range(3)
        ),
        lambda s, x: sum(x.roll(i, 3) * s.taps[0, :, 0, i, None, None] for i in range(3)),
        lambda s, x: sum(x[..., i : i + 6].clone() * s.taps[0, 0, 0, i] for i in range(3)),
        lambda s, x: functools.reduce(
            lambda out, i: out.add_(x[..., i : i + 6] * s.taps[0, 0, i].view(3, 1, 1)),
            range(3), torch.zeros_like(x[..., :6]),
        ),
    ],
)  # fmt: skip
def test_a_product_that_is_spelt_row_by_row_is_refused(
    function: Callable[[Weighted, Tensor], object],
) -> None:
    with pytest.raises(CountError, match=REFUSED):
        count(lambda: Weighted(function), 8)


# --- operators that nobody knows -----------------------------------------------------------------

LIBRARY = torch.library.Library("test_effects", "DEF")
LIBRARY.define("halved(Tensor x) -> Tensor")
LIBRARY.impl("halved", lambda x: x / 2, "CompositeExplicitAutograd")
HALVED = torch.ops.test_effects.halved


def pointwise(x: Tensor) -> Tensor:
    return functional.conv2d(x, torch.zeros(3, 3, 1, 1, device=x.device))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x[..., None] * x[..., None, :, :], -2),
        lambda x: (pointwise(x) * pointwise(x.flip(1)), 1),
    ],
)
def test_an_operator_that_nobody_knows_passes_a_product_on(
    function: Callable[[Tensor], tuple[Tensor, int]],
) -> None:
    """Of what the user's word says that it has no MACs itself."""

    class Own(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            product, dim = function(x)
            return HALVED(product).sum(dim)

    word = words({"test_effects::halved": ZERO})
    with pytest.raises(CountError, match=r"^no rule counts aten::sum, .*" + REFUSED):
        count_module(Own(), torch.empty(1, 3, 8, 8, device="meta"), words=word)
