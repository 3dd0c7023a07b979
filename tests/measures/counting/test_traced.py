"""The first count: operators that an output depends on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cmx_bench.measures.counting import traced
from cmx_bench.measures.counting.twice import count
from cmx_bench.models.building import build_on_meta

from .test_twice import Function, macs


class Net(nn.Module):
    """A convolution, a cosine, which is made of products and has no rule, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 10)

    def forward(self, image: Tensor) -> Tensor:
        features = self.stem(image).flatten(2)
        similar = functional.cosine_similarity(features, features, dim=1)
        out: Tensor = self.head((features * similar[:, None]).mean(2))
        return out


def count_operators(model: nn.Module, by_parts: bool = False) -> traced.Trace:
    images = torch.empty(1, 3, 8, 8, device="meta")
    with torch.no_grad():
        return traced.count(model.requires_grad_(False), (images,), by_parts=by_parts)


def test_costs_stand_by_operator() -> None:
    trace = count_operators(build_on_meta(Net))
    assert trace.operators == {"aten::_convolution": 36 * 4 * 27, "aten::linear": 40}
    assert trace.activations == 36 * 4 + 10


def test_an_operator_that_is_made_of_others_can_be_counted_by_its_parts() -> None:
    """A power of a matrix is made of products, and has no rule of its own."""
    model = build_on_meta(lambda: Function(lambda image: torch.linalg.matrix_power(image, 2)))
    assert count_operators(model).operators == {}
    kind = "aten::linalg_matrix_power"
    assert count_operators(model, by_parts=True).operators == {kind: 3 * 8 * 8 * 8}


def test_what_no_output_depends_on_is_not_there() -> None:
    def waste(image: Tensor) -> Tensor:
        image @ image
        return image.relu()

    assert count_operators(build_on_meta(lambda: Function(waste))).operators == {}


def test_a_module_may_have_a_slash_in_its_name() -> None:
    """As those of MONAI's HoVerNet, which fvcore takes for a module and one inside it."""

    def build() -> nn.Module:
        model = nn.Sequential()
        model.add_module("conv/bn", nn.Conv2d(3, 4, 3))
        return model

    assert count(build, 8).macs == 36 * 4 * 27


# --- the rule of each operator, against arithmetic ------------------------------------------------


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
            lambda x: torch._VF.einsum(  # type: ignore[attr-defined]
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
