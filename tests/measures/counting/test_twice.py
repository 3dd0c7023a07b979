"""MACs and activations against arithmetic done by hand, and what must be refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from cmx_bench.errors import CountError
from cmx_bench.measures.counting.twice import count, count_module
from cmx_bench.models.building import build_on_meta

from ...measured import MEASURED


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


# --- operators and models that others met ---------------------------------------------------------


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
        (lambda: Parts(lambda x, f: f(x[0]), nn.Conv2d(3, 4, 3, padding="same")), 64 * 4 * 27),
        (lambda: Parts(lambda x, f: f(x[0, 0]), nn.ConvTranspose1d(8, 4, 3)), 8 * 4 * 8 * 3),
        (lambda: torch.compile(nn.Conv2d(3, 4, 3)), CONVOLUTION),
        (lambda: nn.Sequential(cast(nn.Module, torch.compile(nn.Conv2d(3, 4, 3)))), CONVOLUTION),
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


def test_quantised_weights_are_refused() -> None:
    def build() -> nn.Module:
        model = nn.Sequential(nn.Flatten(), nn.Linear(192, 10))
        return torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(CountError, match="no rule counts quantized::linear_dynamic"):
            count(build, 8)


def test_dead_code_is_named() -> None:
    def waste(image: Tensor) -> Tensor:
        image @ image
        return image.relu()

    with pytest.raises(
        CountError,
        match=r"depends on what is computed in Function \(aten::bmm 1536\), 1536 MACs in all: ret",
    ):
        macs(waste)


def test_a_dead_product_that_is_spelt_elementwise_is_named() -> None:
    def waste(image: Tensor) -> Tensor:
        sums = (image[..., None] * image[..., None, :, :]).sum(-2)
        (sums + image).relu()
        return image.relu()

    with pytest.raises(
        CountError, match=r"in Function \(aten::sum 1536\), 1536 MACs in all: return it, or del"
    ):
        macs(waste)


def test_what_other_threads_compute_is_refused() -> None:
    """torch shows it to them alone, and it would count as nothing."""

    def multiply_in_a_thread(image: Tensor) -> Tensor:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(torch.matmul, image, ones(image, 8, 4)).result().relu()

    for function in (
        multiply_in_a_thread,
        lambda image: multiply_in_a_thread(image) + image @ ones(image, 8, 4),
    ):
        with pytest.raises(CountError, match="computes in threads of its own, where nobody sees"):
            macs(function)


def test_a_model_that_depends_on_no_image_is_refused() -> None:
    for blank in (torch.zeros_like, lambda image: image.new_zeros(1, 8)):
        with pytest.raises(CountError, match="no output of the model depends on its images, one"):
            macs(lambda image, blank=blank: blank(image) @ ones(image, 8, 4))  # type: ignore[misc]


@pytest.mark.parametrize(
    "function",
    [
        lambda image: image @ ones(image, 8, 4) if len(image) > 1 else image[..., :4],
        lambda image: image @ ones(image, 8, 4) if len(image) != 6 else image[..., :4],
        lambda image: image.flatten(1) @ image.flatten(1).T @ ones(image, len(image), 4),
    ],
)
def test_an_image_costs_the_same_whatever_stands_beside_it(
    function: Callable[[Tensor], Tensor],
) -> None:
    with pytest.raises(CountError, match="MACs for one image, .* for 6 and .* for 12: what an im"):
        count(lambda: Function(function), 8, batch_size=6)


@pytest.mark.parametrize(
    "function",
    [
        lambda image: image @ (ones(image, 8, 8) @ ones(image, 8, 8)),  # once a batch
        lambda image: image.reshape(1, 3, 8, 8) @ ones(image, 8, 4),  # takes one image
        # Alone it is a product with a weight, and in a batch one that grows.
        lambda image: (image.mean((1, 2, 3))[:, None] * ones(image, 5)).sum(1),
    ],
)
def test_what_is_computed_once_a_batch_counts(function: Callable[[Tensor], Tensor]) -> None:
    alone = count(lambda: Function(function), 8)
    assert count(lambda: Function(function), 8, batch_size=6) == alone


def test_a_module_of_dead_code_is_named() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.model = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
            self.heads = nn.ModuleList(nn.Sequential(nn.Linear(8, size)) for size in (1, 2, 3))

        def forward(self, image: Tensor) -> Tensor:
            self.model(image)
            for head in self.heads:
                head(image[:, 0, 0])
            out: Tensor = self.used(image)
            return out

    with pytest.raises(CountError) as error:
        count(Branches, 8)
    assert str(error.value) == (
        "no output of the model depends on what is computed in Branches.model (aten::convolution "
        "3888), Branches.heads.0.0 (aten::addmm 8), Branches.heads.1.0 (aten::addmm 16) and 1 more "
        "modules, 3936 MACs in all: return it, or delete that code"
    )


def test_modules_that_a_list_holds_are_named_where_they_differ_alone() -> None:
    class Lists(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in range(2))
            self.head = nn.Linear(8, 2)

        def forward(self, image: Tensor) -> Tensor:
            for layer in self.layers:
                image = layer(image)
            self.head(image)
            return image

    with pytest.raises(CountError, match=r"is computed in Lists.head \(aten::addmm 384\), 384 MA"):
        count(Lists, 8)


def test_a_scripted_model_is_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(nn.Conv2d(3, 4, 3))
    with pytest.raises(CountError, match="^1 is scripted, and a scripted model cannot be traced"):
        count(lambda: nn.Sequential(nn.ReLU(), scripted), 8)


def test_a_compiled_function_is_refused() -> None:
    compiled = torch.compile(lambda x: x * 2)
    with pytest.raises(CountError, match="^the model calls what torch.compile has compiled, which"):
        macs(compiled)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.view(8, 3, 8, 8), r"forward fails on a batch of shape \(1, 3, 8, 8\): Runti"),
        (lambda x: None, "returns no tensor"),
    ],
)
def test_a_model_that_does_not_run_is_refused(
    function: Callable[[Tensor], Tensor], message: str
) -> None:
    with pytest.raises(CountError, match=message):
        macs(function)
