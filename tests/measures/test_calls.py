"""Kinds of work and their MACs, against arithmetic and against the two other counts."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import timm
import torch
from torch import Tensor, nn

from cmx_bench.errors import CountError
from cmx_bench.measures.calls import Call, Calls, macs_by_kind
from cmx_bench.measures.counting.twice import count
from cmx_bench.models.convmixer import ConvMixer

SIZE = 64


def convmixer() -> nn.Module:
    return ConvMixer(16, 2, 5, 8, num_classes=10).eval()


def deit() -> nn.Module:
    return timm.create_model("deit_tiny_patch16_224", img_size=SIZE, depth=2).eval()


def test_a_convmixer() -> None:
    n = (SIZE // 8) ** 2
    assert macs_by_kind(convmixer, SIZE) == {
        "convolution": n * 16 * 3 * 8**2 + 2 * n * 16 * 16,  # patches, pointwise
        "depthwise": 2 * n * 16 * 5**2,
        "linear": 16 * 10,
    }


@pytest.mark.parametrize("fused", [True, False])
def test_a_deit(fused: bool) -> None:
    """Attention is one call or two products: QKᵀ and AV."""
    tokens, dim = (SIZE // 16) ** 2 + 1, 192

    def build() -> nn.Module:
        model = deit()
        for module in model.modules():
            if hasattr(module, "fused_attn"):
                vars(module)["fused_attn"] = fused
        return model

    assert macs_by_kind(build, SIZE) == {
        "convolution": (tokens - 1) * dim * 3 * 16**2,
        "linear": 2 * 12 * tokens * dim**2 + 1000 * dim,
        "attention": 2 * 2 * tokens**2 * dim,
    }


@pytest.mark.parametrize(
    "build",
    [
        convmixer,
        deit,
        lambda: timm.create_model("resnet10t").eval(),
        lambda: timm.create_model("resmlp_12_224", img_size=SIZE).eval(),
        lambda: timm.create_model("mixer_s16_224", img_size=SIZE).eval(),
    ],
)
def test_all_kinds_together_are_the_count(build: Callable[[], nn.Module]) -> None:
    assert sum(macs_by_kind(build, SIZE).values()) == count(build, SIZE).macs


def test_tensors_that_a_model_makes_and_casts_of_its_device() -> None:
    """As in the count of all MACs: on the meta device these are not as elsewhere."""

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.places, self.head = nn.Embedding(SIZE, SIZE), nn.Linear(SIZE, 4)

        def forward(self, images: Tensor) -> Tensor:
            with torch.autocast(images.device.type, enabled=False):
                out: Tensor = self.head(images + self.places(torch.arange(SIZE)))
            return out

    assert macs_by_kind(Tokens, SIZE) == {"linear": 3 * SIZE**2 * 4}


class Products(nn.Module):
    """Products by a weight, as it is and as a view of it, and of activations."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(SIZE, SIZE))

    def forward(self, images: Tensor) -> Tensor:
        rows = images[:, 0]
        mixed = rows @ self.weight + torch.matmul(self.weight.t(), rows)
        return torch.einsum("bij,bjk->bik", mixed, rows) + mixed.bmm(rows)


def test_a_product_by_a_weight_is_linear() -> None:
    assert macs_by_kind(Products, SIZE) == {"linear": 2 * SIZE**3, "attention": 2 * SIZE**3}


def test_products_of_an_ensemble_by_vmap_are_linear() -> None:
    class Ensemble(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = nn.Parameter(torch.zeros(5, SIZE, 4))

        def forward(self, images: Tensor) -> Tensor:
            return torch.vmap(lambda weight: images @ weight)(self.weights)

    assert macs_by_kind(Ensemble, SIZE) == {"linear": 5 * 3 * SIZE**2 * 4}


def test_a_product_with_a_vector_counts() -> None:
    class Query(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query = nn.Parameter(torch.zeros(SIZE))

        def forward(self, images: Tensor) -> Tensor:
            return images @ self.query

    assert macs_by_kind(Query, SIZE) == {"linear": 3 * SIZE**2}


def test_a_product_spelt_elementwise_has_no_kind() -> None:
    class Spelt(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return (images[..., None] * images[..., None, :, :]).sum(-2)

    with pytest.raises(CountError, match=f"sum has {3 * SIZE**3} MACs, and its kind"):
        macs_by_kind(Spelt, SIZE)


def test_a_transposed_convolution_is_no_depthwise_one() -> None:
    def build() -> nn.Module:
        return nn.ConvTranspose2d(3, 4, 2, 2)

    assert macs_by_kind(build, SIZE) == {"convolution": SIZE**2 * 3 * 4 * 2**2}


class Recurrent(nn.Module):
    """Layers of every kind, of which each is one call of torch, or a cell."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.rows = getattr(nn, kind)(SIZE, 4)

    def forward(self, images: Tensor) -> Tensor:
        out = self.rows(images[:, 0, 0] if isinstance(self.rows, nn.RNNCellBase) else images[:, 0])
        first: Tensor = out[0] if isinstance(out, tuple) else out
        return first


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell"])
def test_a_recurrent_layer_is_linear(kind: str) -> None:
    """Each gate multiplies a row and the state by weights, for every row."""
    gates = {"G": 3, "L": 4, "R": 1}[kind[0]]
    rows = 1 if kind.endswith("Cell") else SIZE
    macs = rows * gates * 4 * (SIZE + 4)
    assert macs_by_kind(lambda: Recurrent(kind), SIZE) == {"linear": macs}
    assert count(lambda: Recurrent(kind), SIZE).macs == macs


def test_the_operands_of_a_recurrent_layer_are_all_its_weights() -> None:
    calls: list[Call] = []
    layer = nn.GRU(SIZE, 4, bidirectional=True)
    with torch.no_grad(), Calls(layer, lambda call: (calls.append(call), call.run())[1]):
        layer(torch.zeros(2, 1, SIZE))
    [call] = [call for call in calls if call.kind]
    weights = sum(weight.numel() for weight in layer.parameters())
    assert sum(operand.numel() for operand in call.operands) == 2 * SIZE + 2 * 4 + weights


def test_a_scripted_part_is_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(nn.Linear(SIZE, 4))
    with pytest.raises(CountError, match="^1 is scripted, and a scripted model cannot be traced"):
        macs_by_kind(lambda: nn.Sequential(nn.ReLU(), scripted), SIZE)


def test_work_of_an_unknown_kind_is_refused() -> None:
    class Distances(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.cdist(images, images)

    with pytest.raises(CountError, match=r"cdist has \d+ MACs, and its kind of work is unknown: "):
        macs_by_kind(Distances, SIZE)
