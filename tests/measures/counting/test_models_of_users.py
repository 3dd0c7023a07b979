"""Models as users write them, against arithmetic, or refused with a way on that works."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention.flex_attention import flex_attention

from cmx_bench.cell import ZERO
from cmx_bench.errors import CountError
from cmx_bench.measures.counting.twice import count

CONVOLUTION = 6 * 6 * 4 * 27  # of 8 x 8 pixels by 3 x 3, from 3 to 4 channels


class Net(nn.Module):
    """A function of itself and an image of 8 x 8, with parts, and `w` (5, 3)."""

    def __init__(self, function: Callable[..., object], **parts: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.w = nn.Parameter(torch.zeros(5, 3))
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, image: Tensor) -> object:
        return self.function(self, image)


def features() -> nn.Module:
    return nn.Conv2d(3, 4, 3)


def tokens(image: Tensor) -> Tensor:
    """(1, 64, 3)."""
    return image.flatten(2).mT


def encoder() -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)


# Of 8 tokens of 8: queries, keys, values and projection, both products of attention, the MLP.
ATTENTION, MLP = 8 * 8 * 8 * 4 + 2 * 8 * 8 * 8, 2 * 8 * 8 * 16


class Scaled(torch.autograd.Function):
    """A product with a backward pass of its own, as code around kernels has."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return x @ weight.T if ctx.needs_input_grad[0] is False else x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return gradients


class SetUp(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, weight: Tensor) -> Tensor:
        return x @ weight.T

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs)


def script(function: Callable[..., Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(function)


def swish_of(x: Tensor, weight: Tensor) -> Tensor:
    return (x @ weight.T) * x.mean()


SWISH = script(swish_of)


def step_through(cell: nn.Module, image: Tensor) -> object:
    state = None
    for row in image[:, 0].unbind(1):
        state = cell(row, state)
    return state


def in_full(module: nn.Module, image: Tensor) -> object:
    with torch.autocast(image.device.type, enabled=False):
        return module(image)


class Case(NamedTuple):
    name: str
    build: Callable[[], nn.Module]
    macs: int


CASES = [
    Case("distances to prototypes", lambda: Net(lambda s, x: torch.cdist(tokens(x), s.w)), 960),
    Case("city-block distances", lambda: Net(lambda s, x: torch.cdist(tokens(x), s.w, p=1.0)), 0),
    Case("bilinear pooling", lambda: Net(lambda s, x: s.b(x, x), b=nn.Bilinear(8, 8, 4)), 6144),
    Case("a cross product", lambda: Net(lambda s, x: torch.linalg.cross(x, x, dim=1)), 0),
    Case("a dot product", lambda: Net(lambda s, x: torch.linalg.vecdot(x, x, dim=1)), 3 * 64),
    Case(
        # Its norms of what was broadcast, (1, 5, 3) where (1, 1, 3) would do, and the product.
        "cosines to prototypes",
        lambda: Net(
            lambda s, x: functional.cosine_similarity(x.mean((2, 3))[:, None], s.w[None], dim=-1)
        ),
        2 * 5 * 3,
    ),
    Case(
        "a weighted bag of words",
        lambda: Net(
            lambda s, x: functional.embedding_bag(
                torch.zeros(2, 4).long(), s.w, per_sample_weights=torch.ones(2, 4), mode="sum"
            )
            + x.amax()
        ),
        2 * 4 * 3,
    ),
    Case("weights in half", lambda: features().half(), CONVOLUTION),
    Case("weights in bfloat16", lambda: features().bfloat16(), CONVOLUTION),
    Case("weights in double", lambda: nn.Sequential(features().double()), CONVOLUTION),
    Case("a complex convolution",
         lambda: Net(lambda s, x: s.c(x.to(torch.complex64)).abs(),
                     c=nn.Conv2d(3, 4, 3, dtype=torch.complex64)), CONVOLUTION),
    Case("a function of autograd", lambda: Net(lambda s, x: Scaled.apply(tokens(x), s.w)), 960),
    Case("one with its own context", lambda: Net(lambda s, x: SetUp.apply(tokens(x), s.w)), 960),
    Case("a scripted function", lambda: Net(lambda s, x: SWISH(tokens(x), s.w)), 960),
    Case("a product in a loop",
         lambda: Net(lambda s, x: sum(s.w[:, i, None, None] * x[:, i, None] for i in range(3))),
         5 * 3 * 64),
    Case("a transformer", lambda: Net(lambda s, x: s.e(x[:, 0]), e=encoder()),
         2 * (ATTENTION + MLP)),
    Case("an encoder and a decoder",
         lambda: Net(lambda s, x: s.t(x[:, 0], x[:, 1]),
                     t=nn.Transformer(8, 2, 1, 1, 16, batch_first=True)), 3 * ATTENTION + 2 * MLP),
    Case("a recurrent cell in a loop",
         lambda: Net(lambda s, x: step_through(s.c, x), c=nn.LSTMCell(8, 5)), 8 * 4 * 5 * (8 + 5)),
    Case(
        "packed sequences",
        lambda: Net(
            lambda s, x: s.r(
                nn.utils.rnn.pack_padded_sequence(x[:, 0], torch.tensor([8]), batch_first=True)
            )[0].data,
            r=nn.GRU(8, 5, batch_first=True),
        ),
        8 * 3 * 5 * (8 + 5),
    ),
    Case("regions of interest",
         lambda: Net(lambda s, x: torchvision.ops.roi_align(s.f(x), [x.new_zeros(2, 4)], 2),
                     f=features()), CONVOLUTION),
    Case("a dict of outputs, some of them none",
         lambda: Net(lambda s, x: {"logits": s.f(x), "loss": None, "steps": 3}, f=features()),
         CONVOLUTION),
    Case("tuples in lists",
         lambda: Net(lambda s, x: (s.f(x), [x, (x, {"x": x})]), f=features()), CONVOLUTION),
    Case("one channel, in a wrapper", lambda: Net(lambda s, x: s.f(x[:, :1]), f=nn.Conv2d(1, 4, 3)),
         36 * 4 * 9),
    Case("images that are not square, in a wrapper",
         lambda: Net(lambda s, x: s.f(x[..., :5]), f=features()), 6 * 3 * 4 * 27),
    Case(
        "two images at once, in a wrapper",
        lambda: Net(lambda s, x: s.f((x, x.flip(-1))), f=Net(lambda s, pair: s.f(pair[0] + pair[1]),
                                                             f=features())),
        CONVOLUTION,
    ),
    Case(
        "a check of values that is skipped on the meta device",
        lambda: Net(lambda s, x: s.f(x) if x.is_meta or x.isfinite().all() else x, f=features()),
        CONVOLUTION,
    ),
    Case(
        "weights given from outside",
        lambda: Net(
            lambda s, x: torch.func.functional_call(s.f, dict(s.f.named_parameters()), (x,)),
            f=features(),
        ),
        CONVOLUTION,
    ),
    Case(
        "another path where it is traced",
        lambda: Net(lambda s, x: s.f(x) if not torch.jit.is_tracing() else x, f=features()),
        CONVOLUTION,
    ),
    Case(
        "mixed precision of the images' own device",
        lambda: Net(lambda s, x: in_full(s.f, x), f=features()),
        CONVOLUTION,
    ),
    Case(
        "another device that is named",
        lambda: Net(lambda s, x: s.f(x.cpu() + torch.ones(8).to("cpu")), f=features()),
        CONVOLUTION,
    ),
    Case(
        "an ensemble of one module with weights of its own",
        lambda: Net(
            lambda s, x: [
                torch.func.functional_call(s.f, {"weight": w, "bias": w[:, 0, 0, 0]}, (x,))
                for w in s.f.weight.expand(2, 4, 3, 3, 3)
            ],
            f=features(),
        ),
        2 * CONVOLUTION,
    ),
    Case("an ensemble of convolutions by vmap",
         lambda: Net(lambda s, x: torch.vmap(lambda w: functional.conv2d(x, w))(
             s.f.weight.expand(2, 4, 3, 3, 3)), f=features()), 2 * CONVOLUTION),
    Case("an operator of torch by its own name",
         lambda: Net(lambda s, x: torch.ops.aten.conv2d(x, s.f.weight), f=features()), CONVOLUTION),
    Case(
        "ensembles by vmap",
        lambda: Net(lambda s, x: torch.vmap(lambda weight: tokens(x) @ weight[:, None])(s.w)),
        5 * 64 * 3,
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_model_that_counts(case: Case) -> None:
    assert count(case.build, 8).macs == case.macs


@pytest.fixture(scope="module", autouse=True)
def kernels() -> Iterator[None]:
    """Operators of a user's library: a product, and one that says that it is elementwise."""
    own = torch.library.Library("kernels", "DEF")
    own.define("gram(Tensor x) -> Tensor")
    own.impl("gram", lambda x: x @ x.mT, "CPU")
    own.impl("gram", lambda x: x.new_empty(*x.shape[:-1], x.shape[-2]), "Meta")
    own.define("gelu(Tensor x) -> Tensor", tags=torch.Tag.pointwise)
    own.impl("gelu", torch.empty_like, "Meta")
    own.define("shapeless(Tensor x) -> Tensor")
    own.impl("shapeless", lambda x: x, "CPU")
    yield
    own._destroy()  # type: ignore[no-untyped-call]


def test_an_operator_that_is_elementwise_by_its_own_word() -> None:
    model = Net(lambda s, x: torch.ops.kernels.gelu(s.f(x)), f=features())
    assert count(lambda: model, 8).macs == CONVOLUTION


class Wall(NamedTuple):
    """A model that is refused, and the words by which it counts."""

    name: str
    build: Callable[[], nn.Module]
    message: str
    counted_by: Mapping[str, str] = {}
    macs: int = 0


WALLS = [
    Wall(
        "a spectral mixer",
        lambda: Net(lambda s, x: s.f(torch.fft.fft2(x).real), f=features()),
        "no rule counts aten::_fft_c2c, called as torch.fft.fft2, in Net: where",
        {"aten::_fft_c2c": ZERO},
        CONVOLUTION,
    ),
    Wall(
        "a spectral gate",
        lambda: Net(lambda s, x: s.f(torch.fft.irfft2(torch.fft.rfft2(x) * 2)), f=features()),
        "aten::_fft_r2c, called as torch.fft.rfft2,",
        dict.fromkeys(("aten::_fft_r2c", "aten::_fft_c2r", "aten::_fft_c2c"), ZERO),
        CONVOLUTION,
    ),
    Wall(
        "an orthogonal layer",
        lambda: nn.Sequential(
            nn.Flatten(),
            nn.utils.parametrizations.orthogonal(nn.Linear(192, 8), use_trivialization=False),
        ),
        "linalg_householder_product, .* in Sequential.1.parametrizations.weight.0: where",
        {"aten::linalg_householder_product": ZERO},
        192 * 8,
    ),
    Wall(
        "spectra that are compared",
        lambda: Net(
            lambda s, x: functional.cosine_similarity(
                torch.fft.fft2(x).real.mean((2, 3))[:, None], s.w[None], dim=-1
            )
        ),
        "no rule counts aten::_fft_c2c",
        {"aten::_fft_c2c": ZERO},
        2 * 5 * 3,
    ),
    Wall(
        "an inverse",
        lambda: Net(lambda s, x: s.f(torch.linalg.inv(x)), f=features()),
        "no rule counts aten::linalg_inv_ex, called as torch.linalg.inv, in Net",
        {"aten::linalg_inv_ex": ZERO},
        CONVOLUTION,
    ),
    Wall(
        "a kernel of somebody's",
        lambda: nn.Sequential(features(), Net(lambda s, x: torch.ops.kernels.gram(x))),
        "no rule counts kernels::gram, .* in Sequential.1: where",
        {"kernels::gram": "tests.measures.counting.test_models_of_users:gram_macs"},
        CONVOLUTION + 4 * 6 * 6 * 6,
    ),
]


def gram_macs(x: torch.Size, *, out_shape: torch.Size) -> int:
    """MACs of `kernels::gram`."""
    return out_shape.numel() * x[-1]


@pytest.mark.parametrize("wall", WALLS, ids=[wall.name for wall in WALLS])
def test_a_model_that_is_refused_and_counts_by_the_users_word(wall: Wall) -> None:
    with pytest.raises(CountError, match=wall.message):
        count(wall.build, 8)
    assert count(wall.build, 8, counted_by=wall.counted_by).macs == wall.macs


class Hiding(nn.Module):
    """A convolution whose weights lie in a plain list or dict."""

    def __init__(self, parts: Any, read: bool = False) -> None:
        super().__init__()
        self.parts = parts
        self.rate = float(torch.ones(1)) if read else 1.0  # which the meta device cannot

    def forward(self, image: Tensor) -> Tensor:
        [part] = self.parts.values() if isinstance(self.parts, dict) else self.parts
        features = part(image) if isinstance(part, nn.Module) else functional.conv2d(image, part)
        out: Tensor = features * self.rate
        return out


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.Conv2d(1, 4, 3), r"of shape \(1, 3, 8, 8\): RuntimeError: .*; wrap a model"),
        (
            lambda: Net(lambda s, x: s.f(x) * x.mean().item(), f=features()),
            "Tensor.item, in Net needs to know what .*, skip it if that tensor is_meta",
        ),
        (
            lambda: Net(lambda s, x: x + torch.from_numpy(x.numpy()).to(x.device)),
            r"of shape \(1, 3, 8, 8\): it hands a tensor to numpy while it runs, .*; compute that",
        ),
        (
            lambda: Net(lambda s, x: flex_attention(x, x, x)),
            "it calls flex_attention or other compiled code, which is not counted; use scaled_dot_",
        ),
        (
            lambda: Net(
                lambda s, x: torch.nested.nested_tensor(
                    [x[0]], layout=torch.jagged
                ).to_padded_tensor(0.0)
            ),
            "it computes with nested tensors, which have no shape to count by; pad them$",
        ),
        (
            lambda: Net(lambda s, x: (s.f(x), s.aux(x))[0], f=features(), aux=features()),
            r"computed in Net.aux \(aten::convolution 3888\), .*: return it, or delete that code",
        ),
        (
            lambda: Hiding([features()]),
            "^runs a Conv2d that is none of its modules, .*; keep it in an attribute, or many",
        ),
        (
            lambda: Hiding({"weight": nn.Parameter(torch.zeros(4, 3, 3, 3))}),
            r"^computes with a weight \(4, 3, 3, 3\) that is none of its parameters, and counts as",
        ),
        (
            lambda: Hiding([torch.zeros(4, 3, 3, 3, requires_grad=True)], read=True),
            r"^computes with a weight \(4, 3, 3, 3\) that is none of its parameters, and counts as",
        ),
    ],
)
def test_a_model_that_has_to_change(build: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(CountError, match=message):
        count(build, 8)


def test_a_kernel_without_shapes_is_refused_as_torch_does() -> None:
    with pytest.raises(CountError, match="kernels::shapeless: .* there was no fake impl or Meta"):
        count(
            lambda: Net(lambda s, x: torch.ops.kernels.shapeless(x)),
            8,
            counted_by={"kernels::shapeless": ZERO},
        )
