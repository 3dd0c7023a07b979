"""Weights that `parameters()` does not show: packed, wrapped, frozen, late."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
import torch
from torch import Tensor, nn
from torch.testing._internal.two_tensor import TwoTensor

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import ModelError
from cmx_bench.measures import params
from cmx_bench.models import trial, unseen
from cmx_bench.models.building import build

_SETTING = Setting("s", "cpu", "fp32", "nchw", "none", 4, 8)


def plain() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 8), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 10))


def quantise_dynamically(module: nn.Module, kind: type[nn.Module]) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantise = torch.ao.quantization.quantize_dynamic  # type: ignore[attr-defined]
        int8: nn.Module = quantise(module.eval(), {kind}, dtype=torch.qint8)
    return int8


def wrap() -> nn.Module:
    module = nn.Linear(3, 10)
    weight = module.weight.detach()
    module.weight = nn.Parameter(TwoTensor(weight, weight.clone()))
    return module


def pack() -> nn.Module:
    module = nn.Module()
    module.register_buffer("qweight", torch.zeros(1, 10, dtype=torch.int32))
    module.register_buffer("scales", torch.ones(1, 10))
    return nn.Sequential(nn.Flatten(), module)


class Stored(nn.Module):
    """Weights in another form than floats of two bytes and more, beside scales or none."""

    def __init__(self, weight: Tensor, scales: int = 0) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        if scales:
            self.scales = nn.Parameter(torch.ones(scales, 1))


def compile_in_place() -> nn.Module:
    module = plain()
    module[3].compile()  # type: ignore[operator, index]
    return module


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: quantise_dynamically(plain(), nn.Linear),
            "3._packed_params._packed_params is neither a",
        ),
        (
            lambda: quantise_dynamically(nn.Sequential(nn.LSTM(3, 4)), nn.LSTM),
            "_all_weight_values.0.param is neither a",
        ),
        (
            lambda: torch.jit.script(quantise_dynamically(plain(), nn.Linear)),
            "weights inside its code",
        ),
        (lambda: torch.jit.freeze(torch.jit.script(plain().eval())), "weights inside its code"),
        (wrap, "the weight weight is a TwoTensor"),
        (lambda: Stored(torch.eye(8).to_sparse()), "the weight weight has the layout sparse_coo"),
        (pack, "1 has a matrix of int32 (qweight) in place of floating-point weights"),
        (
            lambda: Stored(torch.zeros(64, 32, dtype=torch.uint8), 64),
            "the module has a matrix of uint",
        ),
        (
            lambda: Stored(torch.zeros(2048, dtype=torch.uint8), 64),
            "the module has a matrix of uint8",
        ),
        (lambda: Stored(torch.zeros(8, 8).to(torch.float8_e4m3fn)), "a matrix of float8_e4m3fn"),
        (
            lambda: Stored(torch.quantize_per_tensor(torch.zeros(8, 8), 0.1, 0, torch.qint8)),
            "a matrix of qint8",
        ),
        (lambda: torch.compile(plain()), "the module is compiled already; return the plain module"),
        (compile_in_place, "3 is compiled already"),
        (lambda: nn.Sequential(nn.LazyLinear(3)), "0.weight has no shape yet after a pass"),
    ],
)
def test_what_cannot_be_seen_is_named(make: Callable[[], nn.Module], message: str) -> None:
    assert message in unseen.reason(make())


class Biased(nn.Module):
    """As attention of Swin: a table of weights, and a matrix of integers that looks it up."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(9, 2))
        self.register_buffer("index", torch.zeros(4, 4, dtype=torch.int32))
        self.register_buffer("mask", torch.zeros(4, 4, dtype=torch.bool), persistent=False)


@pytest.mark.parametrize(
    "make",
    [
        plain, Biased, lambda: Stored(torch.zeros(9, dtype=torch.uint8)),
        lambda: torch.jit.script(plain()), nn.TransformerEncoderLayer,
        lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(3, 3)),
        lambda: nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)),
    ],
    ids=["plain", "biased", "few", "scripted", "attention", "spectral", "weight"],
)  # fmt: skip
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_what_can_be_seen_is_not_refused(make: Callable[..., nn.Module], device: str) -> None:
    with torch.device(device):
        module = make(32, 4) if make is nn.TransformerEncoderLayer else make()
    assert unseen.reason(module) == ""


OWN = """
import sys
import torch
from torch import nn

def lazy(): return nn.Sequential(nn.LazyConv2d(4, 8), nn.Flatten(), nn.LazyLinear(10))
def parallel(): return nn.DataParallel(nn.Flatten())
def exits(): sys.exit(3)
def compiled(): return torch.compile(nn.Flatten())

class Late(nn.Module):
    def __init__(self, reads=False):
        super().__init__()
        self.reads, self.head = reads, nn.Linear(3, 10)

    def forward(self, x):
        if self.reads and float(x.mean()) > 1e9:
            return x
        if not hasattr(self, "scale"):
            self.scale = nn.Parameter(torch.ones(3, device=x.device))
        return self.head(x.mean((2, 3)) * self.scale)

class Listed(nn.Module):
    def __init__(self, reads=False):
        super().__init__()
        self.flat, self.heads = nn.Flatten(), [nn.Linear(192, 10)]

    def forward(self, x):
        return self.heads[0](self.flat(x))

class Plain(Late):
    def __init__(self, reads=False):
        super().__init__()
        self.kept = {"weights": [nn.Parameter(torch.zeros(10, 3))]}

    def forward(self, x):
        return x.mean((2, 3)) @ self.kept["weights"][0].T

class Ensemble(Late):
    def __init__(self, reads=False):
        super().__init__()
        several = [nn.Linear(3, 10) for _ in range(2)]
        self.head.requires_grad_(False)
        self.stacked, _ = torch.func.stack_module_state(several)

    def forward(self, x):
        def run(weights): return torch.func.functional_call(self.head, weights, x.mean((2, 3)))
        return torch.vmap(run)(self.stacked).mean(0)

class Passing(Late):
    def forward(self, x):
        return nn.Linear(3, 10)(x.mean((2, 3)))

class Threaded(Late):
    def forward(self, x):
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(self.head, x.mean((2, 3))).result()

class Threads(Late):
    def forward(self, x):
        from threading import Thread
        thread = Thread(target=lambda: x.mean((2, 3)))
        thread.start()
        thread.join()
        return self.head(x.mean((2, 3)))

class Four(Late):
    def forward(self, x):
        assert len(x) == 4, "made for batches of 4"
        return super().forward(x)
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Model]:
    (tmp_path / "unseen_models.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)

    def model(name: str, **args: bool) -> Model:
        return Model("m", "M", "m", "python", f"unseen_models:{name}", args, num_classes=10)

    return model


def test_lazy_layers_are_made_before_anything_is_counted(own: Callable[..., Model]) -> None:
    model = own("lazy")
    assert params.measure(model, _SETTING)["params"] == [3 * 4 * 64 + 4 + 4 * 10 + 10]
    assert [parameter.shape for parameter in build(model, 8).parameters()][2] == (10, 4)


@pytest.mark.parametrize(
    ("name", "reads", "message"),
    [
        ("Late", False, "makes a parameter while it runs (scale of a Late)"),
        ("Late", True, "makes a parameter while it runs (scale of a Late)"),
        ("Passing", False, "makes a parameter while it runs (weight of a Linear)"),
        ("Listed", False, "runs a Linear that is none of its modules"),
        ("Plain", False, "computes with a weight (10, 3) that is none of its parameters"),
        ("Ensemble", False, "that is none of its parameters, and counts as none; keep it"),
        ("Four", False, "makes a parameter while it runs (scale of a Four)"),
        ("Threaded", False, "computes in threads of its own, where nobody sees what"),
        ("Threads", False, "computes in threads of its own, where nobody sees what"),
    ],
)
def test_parameters_that_show_while_running_are_refused(
    own: Callable[..., Model], name: str, reads: bool, message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        params.measure(own(name, reads=reads), _SETTING)
    assert message in str(caught.value)


def test_what_spreads_a_batch_over_gpus_is_taken_off(own: Callable[..., Model]) -> None:
    assert isinstance(build(own("parallel"), 8), nn.Flatten)


def test_a_model_that_ends_the_process_or_is_compiled(own: Callable[..., Model]) -> None:
    with pytest.raises(ModelError, match="m: cannot be built: SystemExit: 3"):
        build(own("exits"), 8)
    with pytest.raises(ModelError, match="m: the module is compiled already"):
        build(own("compiled"), 8)


def test_a_trial_says_why_a_model_does_not_run() -> None:
    class Wrong(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise ValueError("no\nmore")

    tried = trial.run(Wrong, 8)
    assert (tried.macs, tried.error, tried.hidden) == (0, "ValueError: no", "")
    assert trial.run(lambda: plain().eval(), 8).macs == 3 * 4 * 64 + 40


def test_threads_that_other_threads_start_are_not_the_models() -> None:
    """Images are decoded while a model computes its first batch."""
    noted, begun = list[str](), Event()
    with ThreadPoolExecutor(1) as front, ThreadPoolExecutor(1) as pool:
        decoding = front.submit(lambda: begun.wait() and pool.submit(int).result())
        with unseen.threads(lambda: noted.append("a thread")):
            begun.set()
            assert decoding.result() == 0
            assert noted == []
            pool.submit(int)
    assert noted == ["a thread"]
