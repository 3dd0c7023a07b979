"""The user's word on operators: what is counted by it, how a function is called, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cmx_bench.cell import ZERO, Model, Setting
from cmx_bench.errors import CountError
from cmx_bench.measures import macs
from cmx_bench.measures.calls import macs_by_kind
from cmx_bench.measures.counting.twice import count, objection

RULES = """\
def gram(image, scale, *, out_shape):
    return out_shape.numel() * image[-1]

def parts(image, sizes, dim, *, out_shape):
    assert (tuple(sizes), dim) == ((1, 2), 1), (sizes, dim)
    return sum(shape.numel() for shape in out_shape)

def half(*shapes, out_shape, **others):
    return 0.5

def fails(*shapes, out_shape, **others):
    raise ValueError("no such shape")

number = 3
"""


@pytest.fixture(autouse=True)
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_rules.py").write_text(RULES)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module", autouse=True)
def library() -> Iterator[None]:
    """`own::gram(x)` is x @ xᵀ, scaled; nobody can see that."""
    own = torch.library.Library("own", "DEF")
    own.define("gram(Tensor image, float scale=1.0) -> Tensor")
    own.impl("gram", lambda image, scale=1.0: image @ image.mT * scale, "CompositeExplicitAutograd")
    yield
    own._destroy()  # type: ignore[no-untyped-call]


class Gram(nn.Module):
    """A convolution of 4 x 6 x 6 outputs, of 27 products each, and a Gram matrix of 4 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 4, 3)

    def forward(self, image: Tensor) -> Tensor:
        products: Tensor = torch.ops.own.gram(self.features(image).flatten(2))
        return products


CONVOLUTION, GRAM = 4 * 36 * 27, 4 * 4 * 36


def test_a_function_counts_an_operator() -> None:
    counts = count(Gram, 8, counted_by={"own::gram": "own_rules:gram"})
    assert counts.macs == CONVOLUTION + GRAM
    assert counts.activations == 4 * 36 + 4 * 4
    assert counts.given == {"own::gram": GRAM}


def test_an_operator_costs_nothing() -> None:
    counts = count(Gram, 8, counted_by={"own::gram": ZERO, "aten::asin": ZERO})
    assert (counts.macs, counts.activations) == (CONVOLUTION, 4 * 36)
    assert counts.given == {"own::gram": 0}


def test_without_a_word_the_refusal_says_both_ways_on() -> None:
    with pytest.raises(CountError) as error:
        count(lambda: nn.Sequential(nn.Identity(), Gram()), 8)
    assert str(error.value) == (
        "no rule counts own::gram, called as own.gram, in Sequential.1: where it multiplies and "
        "adds up nothing, say macs: {zero: [own::gram]} in the suite, else macs: {rules: "
        "{own::gram: 'module:function'}}"
    )


def test_a_function_gets_every_argument_and_all_outputs() -> None:
    class Split(nn.Module):
        def forward(self, image: Tensor) -> tuple[Tensor, ...]:
            return torch.split_with_sizes(image, dim=1, split_sizes=[1, 2])

    counts = count(Split, 8, counted_by={"aten::split_with_sizes": "own_rules:parts"})
    assert counts.given == {"aten::split_with_sizes": 3 * 64}


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("own_rules:half", "own_rules:half counts own::gram: expected MACs, a whole number .* 0.5"),
        ("own_rules:fails", "own_rules:fails fails to count own::gram: ValueError: no such shape"),
        ("own_rules:number", "own_rules:number, which is to count own::gram, is no function"),
        ("own_rules:gran", "own_rules:gran, .* is no function, did you mean 'gram'"),
        ("no_rules:gram", "no_rules:gram, which .* cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_function_that_does_not_count(target: str, message: str) -> None:
    with pytest.raises(CountError, match=message):
        count(Gram, 8, counted_by={"own::gram": target})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("aten::asn", "torch has no operator aten::asn, did you mean 'aten::asin'"),
        ("aten::mm", "aten::mm is counted by a rule of its own; leave it out"),
        ("aten::einsum", "aten::einsum is counted by a rule of its own"),
        ("aten::cosine_similarity", "is made of other operators, which are counted one by one"),
        ("aten::_local_scalar_dense", "reads what a tensor holds"),
        ("aten::asin", ""),
        ("aten::_fft_c2c", ""),
        ("somebodys::gram", ""),
    ],
)
def test_words_that_cannot_be_taken(name: str, message: str) -> None:
    reason = objection(name)
    assert message in reason and bool(reason) == bool(message)


SETTING = Setting("s", "cpu", "fp32", "nchw", "none", 1, 8)


def test_a_record_says_whose_word_it_rests_on(tmp_path: Path) -> None:
    (tmp_path / "own_net.py").write_text(
        "import torch\nfrom torch import nn\n\nclass Spectrum(nn.Module):\n"
        "    def forward(self, image):\n        return torch.fft.fft2(image).real\n"
    )
    words = {"aten::_fft_c2c": "own_counts:gram", "aten::asin": ZERO}
    (tmp_path / "own_counts.py").write_text("def gram(*shapes, out_shape):\n    return 7\n")
    model = Model("net", "Net", "net", "python", "own_net:Spectrum", counted_by=words)
    watched: Any = macs.measure(model, SETTING)
    [(name, word)] = watched.details["given"].items()
    assert (watched.values["macs"], name) == ([7], "aten::_fft_c2c")
    assert (word["by"], word["macs"], word["origin"]["file"]) == (
        "own_counts:gram",
        7,
        "own_counts.py",
    )


def test_what_has_a_word_is_work_of_no_kind() -> None:
    by_kind = macs_by_kind(Gram, 8, {"own::gram": "own_rules:gram"})
    assert by_kind == {"convolution": CONVOLUTION, "other": GRAM}
