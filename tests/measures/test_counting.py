"""MACs and activations against arithmetic done by hand, and what must be refused."""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Callable

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional

from cmx_bench.errors import CountError
from cmx_bench.measures.counting import count, count_module
from cmx_bench.models.building import build_on_meta

# params and MACs per 224 x 224 image: a closed formula, hooks and both counters gave the same.
MEASURED = [
    ("convmixer_1536_20", 51_625_960, 51_099_168_768),
    ("convmixer_768_32", 21_110_248, 20_676_851_712),
    ("resnet50", 25_557_032, 4_089_184_256),
    ("resnet152", 60_192_808, 11_513_626_624),
    ("deit_small_patch16_224", 22_050_664, 4_598_882_304),
    ("deit_base_patch16_224", 86_567_656, 17_563_828_224),
    ("resmlp_12_224", 15_350_872, 3_009_739_776),
    ("resmlp_24_224", 30_020_680, 5_961_292_800),
    ("resmlp_big_24_224", 129_138_280, 100_230_739_968),
    ("mixer_s16_224", 18_528_264, 3_776_958_464),
    ("mixer_b16_224", 59_880_472, 12_601_767_936),
]


class Function(nn.Module):
    """A model that is one function of the image."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, image: Tensor) -> Tensor:
        return self.function(image)


def ones(like: Tensor, *shape: int) -> Tensor:
    return torch.ones(*shape, device=like.device)


def macs(function: Callable[[Tensor], Tensor], image_size: int = 8, in_channels: int = 3) -> int:
    return count(lambda: Function(function), image_size, in_channels).macs


@pytest.mark.parametrize(("name", "params", "expected"), MEASURED)
def test_models_of_the_paper(name: str, params: int, expected: int) -> None:
    def build() -> nn.Module:
        return timm.create_model(name, num_classes=1000)

    counts = count(build, 224)
    assert counts.macs == expected
    assert sum(counts.operators.values()) == expected
    assert sum(parameter.numel() for parameter in build_on_meta(build).parameters()) == params


def test_same_padding_is_counted_in_activations() -> None:
    counts = count(lambda: timm.create_model("convmixer_1536_20"), 224)
    assert counts.activations == 41 * 32 * 32 * 1536 + 1000 == 64_488_424


@pytest.mark.parametrize(
    ("h", "d", "k", "p", "size"),
    [(8, 2, 3, 4, 32), (12, 1, 9, 7, 56), (8, 3, 4, 2, 16), (8, 2, 8, 7, 63), (16, 1, 2, 1, 8)],
)
def test_convmixer_closed_form(h: int, d: int, k: int, p: int, size: int) -> None:
    def build() -> nn.Module:
        blocks: list[nn.Module] = [nn.Conv2d(3, h, p, stride=p)]
        for _ in range(d):
            blocks += [nn.Conv2d(h, h, k, groups=h, padding="same"), nn.BatchNorm2d(h)]
            blocks += [nn.Conv2d(h, h, 1), nn.GELU()]
        return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(h, 10))

    n = size // p
    counts = count(build, size)
    assert counts.macs == n * n * h * 3 * p * p + d * (n * n * h * k * k + n * n * h * h) + h * 10
    assert counts.activations == n * n * h * (1 + 2 * d) + 10


@pytest.mark.parametrize(
    ("convolution", "expected"),
    [
        # 6 filters of 4 / 2 channels and 3 x 3 taps at 4 x 4 outputs, padding included.
        (lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), 4 * 4 * 6 * 2 * 9),
        (lambda: nn.Conv2d(4, 6, 3, dilation=2, padding=(2, 0), bias=False), 8 * 4 * 6 * 4 * 9),
        # Each of 8 x 8 inputs is multiplied by every tap.
        (lambda: nn.ConvTranspose2d(4, 6, 2, stride=2), 8 * 8 * 4 * 6 * 4),
        (lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1), 8 * 8 * 4 * 6 * 9),
        (lambda: nn.Conv2d(4, 6, 3, padding="valid"), 6 * 6 * 6 * 4 * 9),
        (lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"), 8 * 8 * 6 * 4 * 9),
        (lambda: nn.Sequential(nn.Flatten(2), nn.Conv1d(4, 6, 3, padding=1)), 64 * 6 * 4 * 3),
    ],
)
def test_convolutions(convolution: Callable[[], nn.Module], expected: int) -> None:
    assert count(convolution, 8, in_channels=4).macs == expected


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        (lambda x: torch.ones(8, 8, device=x.device) @ x, 3 * 8 * 8 * 8),  # W(N,N) @ x(1,3,N,C)
        (lambda x: torch.ones(7, 1, 5, 8, device=x.device) @ x, 7 * 3 * 5 * 8 * 8),
        (lambda x: torch.mm(x[0, 0], x[0, 1]), 8 * 8 * 8),
        (lambda x: torch.bmm(x[0], x[0]), 3 * 8 * 8 * 8),
        (lambda x: torch.addmm(x[0, 0], x[0, 0], x[0, 1]), 8 * 8 * 8),
        (lambda x: torch.baddbmm(x[0], x[0], x[0]), 3 * 8 * 8 * 8),
        (lambda x: torch.einsum("bcij,bcjk->bcik", x, x), 3 * 8 * 8 * 8),
        (lambda x: torch.einsum("...ij,ki->...kj", x, x[0, 0]), 3 * 8 * 8 * 8),
        (lambda x: torch.einsum("bcij,bdij", x, x), 3 * 3 * 8 * 8),
        (lambda x: torch.einsum("i,j->ij", x[0, 0, 0], x[0, 1, 0]), 0),
        (lambda x: functional.scaled_dot_product_attention(x, x, x[..., :5]), 3 * 64 * (8 + 5)),
        (lambda x: functional.linear(x, torch.ones(5, 8, device=x.device)), 3 * 8 * 8 * 5),
        (lambda x: x @ x[0, 0, 0], 3 * 8 * 8),
        (lambda x: x[0, 0, 0] @ x, 3 * 8 * 8),
        (lambda x: x[0, 0, 0] @ x[0, 0, 1], 8),
        (lambda x: functional.linear(x, x[0, 0, 0]), 3 * 8 * 8),
        (lambda x: torch.addmv(x[0, 0, 0], x[0, 0], x[0, 0, 0]), 8 * 8),
        (lambda x: torch.vdot(x[0, 0, 0], x[0, 0, 1]), 8),
        (lambda x: torch.inner(x, x[0, 0]), 3 * 8 * 8 * 8),
        (lambda x: torch.tensordot(x, x, dims=([2, 3], [2, 3])), 3 * 3 * 8 * 8),
        (lambda x: torch.tensordot(x, x[0, 0], dims=1), 3 * 8 * 8 * 8),
        (lambda x: torch.addbmm(x[0, 0], x[0], x[0]), 3 * 8 * 8 * 8),
        # (8 x 8)(8 x 2)(2 x 8), the last two first or last.
        (lambda x: torch.linalg.multi_dot([x[0, 0], x[0, 1, :, :2], x[0, 2, :2]]), 2 * 8 * 8 * 2),
        # Pair by pair: the first pair has nothing to sum and is elementwise, the second sums i, j.
        (lambda x: torch.einsum("cij,cij,ij->c", x[0], x[0], x[0, 0]), 3 * 8 * 8),
        (lambda x: torch.einsum("ci,di,de->ce", x[0, 0], x[0, 1], x[0, 2]), 2 * 8 * 8 * 8),
        (lambda x: torch.einsum("b...,b...->b", x, x), 3 * 8 * 8),
        # As opt_einsum lets torch do it: the last two first, then the first with those.
        (
            lambda x: torch._VF.einsum(
                "ab,bc,cd->ad", [x[0, 0], x[0, 1, :, :2], x[0, 2, :2]], path=[1, 2, 0, 1]
            ),
            8 * 2 * 8 + 8 * 8 * 8,
        ),
        (lambda x: torch.einsum("bcij,bij->bc", x, x.sum(1)), 3 * 8 * 8),
        (lambda x: torch.einsum("bcii->bc", x), 0),
        (torch.inference_mode()(lambda x: x @ x), 3 * 8 * 8 * 8),
    ],
)
def test_products(product: Callable[[Tensor], Tensor], expected: int) -> None:
    assert macs(product) == expected


def test_a_token_mixer_on_the_left_with_a_batch() -> None:
    """fvcore's own rule multiplies W(N, N) once instead of once for each of the 6 images."""

    def mix(image: Tensor) -> Tensor:
        tokens = image.reshape(6, 16, 2)
        return torch.ones(16, 16, device=image.device) @ tokens

    assert macs(mix) == 6 * 16 * 16 * 2


def test_attention_counts_both_products_as_activations() -> None:
    def attend(image: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(image, image, image[..., :5])

    assert count(lambda: Function(attend), 8).activations == 3 * 8 * 8 + 3 * 8 * 5


def test_a_gate_and_its_sum_are_elementwise() -> None:
    assert macs(lambda x: (x * x.mean((2, 3), keepdim=True).sigmoid()).sum(1)) == 0


def test_an_lstm_applies_its_weights_at_every_step() -> None:
    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(8, 5, num_layers=2, bidirectional=True, batch_first=True)

        def forward(self, image: Tensor) -> Tensor:
            out: Tensor = self.lstm(image[:, 0])[0]
            return out

    # 8 steps, both directions; the second layer reads the 2 x 5 outputs of the first.
    assert count(Rows, 8).macs == 8 * 2 * (4 * 5 * (8 + 5) + 4 * 5 * (10 + 5))


def test_norms_activations_and_pooling_cost_nothing() -> None:
    def build() -> nn.Module:
        layers = nn.BatchNorm2d(3), nn.GELU(), nn.AvgPool2d(2), nn.LayerNorm(4), nn.Softmax(-1)
        return nn.Sequential(*layers)

    counts = count(build, 8)
    assert (counts.macs, counts.activations) == (0, 0)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda x: torch.fft.fft2(x).real,
            "no rule counts aten::_fft_c2c, called as torch.fft.fft2, in Function",
        ),
        (torch.linalg.inv, "no rule counts aten::linalg_inv_ex, called as torch.lin"),
        (lambda x: torch.ops.aten.linalg_vecdot(x, x), "linalg_vecdot: write it with einsum or"),
        (lambda x: torch.cond(x.sum() > 0, torch.sin, torch.cos, (x,)), "cond in .*: write it wit"),
        (lambda x: x * x.mean().item(), "called as torch.Tensor.item, .* depends on the image"),
        (lambda x: x if x.mean() > 0 else -x, "torch.Tensor.__bool__, .* depends on the image"),
        (lambda x: x[x > 0], "aten::index, .* depends on the image"),
        (lambda x: x.view(8, 3, 8, 8), r"forward fails on a batch of shape \(1, 3, 8, 8\): Runti"),
        (lambda x: None, "returns no tensor"),
    ],
)
def test_what_cannot_be_counted_is_refused_by_name(
    function: Callable[[Tensor], Tensor], message: str
) -> None:
    with pytest.raises(CountError, match=message):
        macs(function)


def test_an_operator_of_a_library_is_refused() -> None:
    """It may multiply whatever it likes inside."""
    library = torch.library.Library("cmx_test", "DEF")
    library.define("gram(Tensor image) -> Tensor")
    library.impl("gram", lambda image: image @ image, "CompositeExplicitAutograd")
    with pytest.raises(CountError, match="no rule counts cmx_test::gram"):
        macs(torch.ops.cmx_test.gram)


def test_a_refusal_names_the_module() -> None:
    class Spectrum(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return torch.fft.rfft(image).real

    with pytest.raises(CountError, match="called as torch.fft.rfft, in Sequential.1: where it"):
        count(lambda: nn.Sequential(nn.ReLU(), Spectrum()), 8)


def test_dead_code_is_named() -> None:
    """The trace drops a product nobody uses; the dispatcher sees it being done."""

    def waste(image: Tensor) -> Tensor:
        image @ image
        return image.relu()

    with pytest.raises(
        CountError,
        match=r"depends on what is computed in Function \(aten::bmm 1536\), 1536 MACs in all: ret",
    ):
        macs(waste)


def test_a_module_of_dead_code_is_named() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
            self.heads = nn.ModuleList(nn.Sequential(nn.Linear(8, size)) for size in (1, 2, 3))

        def forward(self, image: Tensor) -> Tensor:
            self.unused(image)
            for head in self.heads:
                head(image[:, 0, 0])
            out: Tensor = self.used(image)
            return out

    with pytest.raises(CountError) as error:
        count(Branches, 8)
    assert str(error.value) == (
        "no output of the model depends on what is computed in Branches.unused (aten::convolution "
        "3888), Branches.heads.0.0 (aten::addmm 8), Branches.heads.1.0 (aten::addmm 16) and 1 more "
        "modules, 3936 MACs in all: return it, or delete that code"
    )


class Query(nn.Module):
    """A parameter goes into a module, as the class token does in CaiT, and comes out of one."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(1, 8))
        self.project = nn.Linear(8, 4)
        self.keep = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        query = self.query.expand(len(x), -1)
        return self.project(self.keep(query)) + x.mean()


def test_a_parameter_may_be_a_modules_input() -> None:
    assert count(Query, 8).macs == 8 * 4


# --- products spelt elementwise -------------------------------------------------------------------


def grown(x: Tensor) -> Tensor:
    """The products of x @ x, (1, 3, 8, 8) each, before they are added up over the last but one."""
    return x[..., None] * x[..., None, :, :]


def added_in_place(x: Tensor) -> Tensor:
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
        lambda x: (x[..., None] / x[..., None, :, :]).sum(-2),
        lambda x: torch.addcmul(x[..., None], x[..., None], x[..., None, :, :]).sum(-2),
        lambda x: (x[..., None].expand(1, 3, 8, 8, 8) * x[..., None, :, :]).sum(-2),
        lambda x: (x[..., None].repeat(1, 1, 1, 1, 8) * x[..., None, :, :]).sum(-2),
        lambda x: (x[..., None] - x[..., None, :, :]).pow(2).sum(-2),  # distances
        lambda x: (x[..., None] - x[..., None, :, :]).norm(dim=-2),
        lambda x: torch.zeros_like(grown(x)).index_add(0, torch.zeros(1).long(), grown(x)),
        # Added up one by one: each of 8 is 3 x 8 x 8 products.
        lambda x: sum(grown(x).unbind(-2)),
        lambda x: sum(x[..., i, None] * x[..., i, None, :] for i in range(8)),
        lambda x: functools.reduce(torch.sub, grown(x).unbind(-2)) + x,
        added_in_place,
        lambda x: functools.reduce(
            lambda out, i: torch.addcmul(out, x[..., i, None], x[..., i, None, :]), range(8), x
        ),
        lambda x: (2 * sum(grown(x).unbind(-2))).sum(-1),
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
        (lambda x: grown(x).amax(-2), 0),
        (lambda x: (x * x.mean((2, 3), keepdim=True)).sum(1), 0),
        (lambda x: (x[..., None] - x[..., None, :, :]).abs().sum(-2), 0),
        (lambda x: (x[..., None] - x[..., None, :, :]).norm(1, dim=-2), 0),
        (lambda x: grown(x)[..., 0] + x, 0),
        (lambda x: grown(x).square()[..., 0] + grown(x).pow(2)[..., 1], 0),
        (lambda x: x * x.cos() + x.flip(-1) * x.mean(1, keepdim=True).sin(), 0),
        (lambda x: sum(grown(x).relu().unbind(-2)), 0),
        # A sum of products is a factor once more: 8 x (3 x 8 x 8) and 3 x 8 x 8 x 8.
        (lambda x: (sum(grown(x).unbind(-2))[..., None] * x[..., None, :, :]).sum(-2), 2 * 1536),
    ],
)
def test_what_is_a_product_spelt_elementwise(
    product: Callable[[Tensor], Tensor], expected: int
) -> None:
    assert macs(product) == expected


def test_a_product_written_into_a_part_is_not_passed_over() -> None:
    """The trace does not follow it there; then the counts differ."""

    def write(image: Tensor) -> Tensor:
        whole = torch.zeros(2, 3, 8, 8, 8, device=image.device)
        whole[1:] = grown(image)
        return whole.sum(-2)

    with pytest.raises(CountError, match="two counts differ"):
        macs(write)


# --- operators and models that others met ---------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.asin(x.mT) / x.numel(),
        lambda x: x.log1p().fill_(1) + torch.zeros_like(x).zero_(),
        lambda x: x.flatten().sort().values.cumprod(0) + x.median(),
        lambda x: functional.grid_sample(x, torch.zeros(1, 5, 5, 2), align_corners=False),
        lambda x: functional.embedding_bag(torch.zeros(1, 4).long(), ones(x, 4, 5)),
        lambda x: functional.one_hot(x[0, 0].long(), 4),
        lambda x: functional.local_response_norm(x, 2),
        lambda x: functional.cosine_similarity(x, x),
        lambda x: x.scatter_add(0, torch.zeros(1, 3, 8, 8).long(), x).tril(),
        lambda x: torch.view_as_real(torch.complex(x, x)).logsumexp(-1),
        lambda x: x + torch.arange(8),  # made on the CPU, were it not counted elsewhere
    ],
)
def test_free_operators(function: Callable[[Tensor], Tensor]) -> None:
    assert macs(function) == 0


class Parts(nn.Module):
    """A model that is a function of the image and of parts with weights."""

    def __init__(self, function: Callable[..., object], *parts: nn.Module) -> None:
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, image: Tensor) -> object:
        return self.function(image, *self.parts)


class Output:
    """What a model of somebody's may return."""

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits


CONVOLUTION = 6 * 6 * 4 * 27


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: Parts(lambda x, f: f(x[:, 0]), nn.GRU(8, 5, 2)), 8 * 15 * (8 + 5 + 5 + 5)),
        (lambda: Parts(lambda x, f: f(x[:, 0]), nn.RNN(8, 5)), 8 * 5 * (8 + 5)),
        (lambda: Parts(lambda x, f: f(x[:, 0]), nn.RNN(8, 5, 1, "relu")), 8 * 5 * (8 + 5)),
        (lambda: Parts(lambda x, f: f(x[0, 0]), nn.GRUCell(8, 5)), 8 * 15 * (8 + 5)),
        (
            lambda: Parts(lambda x, f: f(x[:, 0]), nn.LSTM(8, 5, bias=False, proj_size=3)),
            8 * (20 * 8 + 20 * 3 + 3 * 5),
        ),
        (lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), CONVOLUTION),
        # Its weight (4, 27) by a vector, and that by another.
        (
            lambda: nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 4, 3)),
            CONVOLUTION + 4 * 27 + 4,
        ),
        (lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(5)), 192 * 5),
        (lambda: torch.compile(nn.Conv2d(3, 4, 3)), CONVOLUTION),
        (lambda: nn.Sequential(torch.compile(nn.Conv2d(3, 4, 3))), CONVOLUTION),
        (lambda: Parts(lambda x, f: {"a": f(x), "b": [x]}, nn.Conv2d(3, 4, 3)), CONVOLUTION),
        (lambda: Parts(lambda x, f: Output(f(x)), nn.Conv2d(3, 4, 3)), CONVOLUTION),
        (
            lambda: Parts(lambda x, f: x + f(torch.arange(8, device=x.device)), nn.Embedding(8, 8)),
            0,
        ),
        (
            lambda: Parts(
                lambda x, f: torchvision.ops.deform_conv2d(x, ones(x, 1, 18, 6, 6), f.weight),
                nn.Conv2d(3, 4, 3),
            ),
            CONVOLUTION,
        ),
    ],
)
def test_models_of_others(build: Callable[[], nn.Module], expected: int) -> None:
    assert count(build, 8).macs == expected


def test_a_swin_of_torchvision() -> None:
    assert count(torchvision.models.swin_t, 224).macs == 4_490_566_656


def test_a_video() -> None:
    model = build_on_meta(lambda: nn.Conv3d(3, 4, 3))
    assert count_module(model, torch.empty(1, 3, 5, 8, 8, device="meta")).macs == 3 * 36 * 4 * 81


def test_a_scripted_model_is_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(nn.Conv2d(3, 4, 3))
    with pytest.raises(CountError, match="^1 is scripted, and a scripted model cannot be traced"):
        count(lambda: nn.Sequential(nn.ReLU(), scripted), 8)


def test_quantised_weights_are_refused() -> None:
    def build() -> nn.Module:
        model = nn.Sequential(nn.Flatten(), nn.Linear(192, 10))
        return torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(CountError, match="no rule counts quantized::linear_dynamic"):
            count(build, 8)


def test_nothing_is_printed_or_left_behind(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    filters, level = list(warnings.filters), logging.getLogger("fvcore").level
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        count(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), 8)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert (warnings.filters, logging.getLogger("fvcore").level) == (filters, level)
    assert torch._C._get_tracing_state() is None


def test_a_model_that_reads_values_while_it_is_built() -> None:
    """timm 1.0.20 does, for its drop-path rates."""

    def build() -> nn.Module:
        rate = torch.linspace(0, 0.1, 2)[1].item()
        return nn.Sequential(nn.Dropout(rate), nn.Conv2d(3, 4, 1))

    assert count(build, 8).macs == 8 * 8 * 3 * 4
