"""Placing, and what models give: tensors, tuples, dicts, objects, or nothing of use."""

from __future__ import annotations

import os
import warnings
from collections import OrderedDict, UserDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from cmx_bench import measures
from cmx_bench.accuracy.predicting import predict_with
from cmx_bench.accuracy.preprocessing import Geometry, Preprocessing
from cmx_bench.cell import Model, Precision, Setting
from cmx_bench.errors import CountError, ModelError
from cmx_bench.measures import compiled, forward, ready, training_step
from cmx_bench.measures.compiled import INDUCTOR
from cmx_bench.measures.forward import apply_flags, call_of, images, logits_of, place, watch
from cmx_bench.models.convmixer import ConvMixer

LOGITS, OTHER = torch.arange(20.0).view(2, 10), torch.zeros(2, 10)
SETTING = Setting("s", "cpu", "fp32", "nhwc", "none", 4, 8)


class Pair(NamedTuple):
    first: Tensor
    aux: Tensor


class Fields(NamedTuple):
    aux: Tensor
    logits: Tensor


@dataclass
class Found:
    """As models of transformers give, which are dicts and objects at once."""

    logits: Tensor


@dataclass(slots=True)
class Slotted:
    logits: Tensor


@pytest.mark.parametrize(
    "output",
    [
        LOGITS, (LOGITS, OTHER), [LOGITS, OTHER], Pair(LOGITS, OTHER), Fields(OTHER, LOGITS),
        {"aux": OTHER, "logits": LOGITS}, OrderedDict(out=LOGITS, aux=None), Found(LOGITS),
        Slotted(LOGITS), UserDict(logits=LOGITS),
    ],
)  # fmt: skip
def test_the_logits_of_what_a_model_gives(output: object) -> None:
    assert logits_of(output) is LOGITS


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ({"a": LOGITS, "b": OTHER}, "gives a dict with a, b; expected logits: a tensor, a tuple"),
        ((), "gives a tuple; expected logits"),
        (([LOGITS],), "gives a tuple; expected"),
        (None, "gives a NoneType; expected"),
        ({"logits": None}, "gives a dict with logits; expected"),
        (LOGITS * 1j, "gives complex numbers, expected real logits; return their real part"),
        ({"out": LOGITS * 1j}, "gives complex numbers, expected real logits"),
    ],
)
def test_what_has_no_logits_is_told_in_a_line(output: object, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        logits_of(output)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


class Fourier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 8, 5, dtype=torch.cfloat))
        self.head = nn.Linear(3, 10)

    def forward(self, x: Tensor) -> Tensor:
        filtered = torch.fft.irfft2(torch.fft.rfft2(x.float()) * self.weight)
        out: Tensor = self.head(filtered.mean((2, 3)).to(self.head.weight.dtype))
        return out


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16", "autocast"])
def test_complex_weights_compute_what_they_did(precision: Precision) -> None:
    setting = replace(SETTING, precision=precision)
    module = Fourier().eval()
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = module(images)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns where it discards imaginary parts
        place(module, setting)
    with torch.inference_mode():
        logits = module(images).float()
    torch.testing.assert_close(logits, expected, rtol=0.05, atol=0.05)
    ready.prepare_module(module, setting).forward()


OWN = """
from concurrent.futures import ThreadPoolExecutor
import torch
from torch import nn

class Net(nn.Sequential):
    def __init__(self): super().__init__(nn.Conv2d(3, 4, 8), nn.Flatten(), nn.Linear(4, 10))

class Dict(Net):
    def forward(self, x): return {"logits": super().forward(x), "aux": None}

class Strange(Net):
    def forward(self, x): return {"scores": super().forward(x)}

class Map(Net):
    def forward(self, x): return self[0](x)

class Reads(Net):
    def forward(self, x):
        y = super().forward(x)
        return y if float(y.mean()) < 1e9 else -y

class Four(Net):
    def forward(self, x): return super().forward(x.reshape(4, 3, 8, 8))

class Writes(Net):
    def forward(self, x): return super().forward(x.sub_(0.5))

class Threads(Net):
    def forward(self, x):
        torch.set_num_threads(3)
        return super().forward(x)

class Pooled(Net):
    def forward(self, x):
        with ThreadPoolExecutor(2) as pool:
            return pool.submit(super().forward, x).result()

class Blank(Net):
    def forward(self, x): return super().forward(torch.zeros_like(x))

class Kept(Net):
    kept = None
    def forward(self, x):
        self.kept = super().forward(x) if self.kept is None else self.kept
        return self.kept

class Sparse(Net):
    def forward(self, x): return super().forward(x).to_sparse()

class Numpy(Net):
    def forward(self, x): return super().forward(torch.from_numpy(x.numpy().copy()))

class Zero(Net):
    def __init__(self):
        super().__init__()
        nn.init.zeros_(self[2].weight)

class Later(Net):
    def forward(self, x): yield super().forward(x)

class Reduced(Net):
    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16): return super().forward(x)

class Halves(Net):
    def forward(self, x):
        return torch.nn.functional.linear(x.flatten(1).half(), self.wide.half())
    def __init__(self):
        super().__init__()
        self.wide = nn.Parameter(torch.ones(10, 192))

def scripted(): return torch.jit.script(Net())
def nothing(): return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""


@pytest.fixture
def measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], dict[str, list[float]]]:
    """Of a measure and a model's name, the values."""
    (tmp_path / "forward_models.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)

    def measure(name: str, own: str) -> dict[str, list[float]]:
        model = Model("m", "M", "m", "python", f"forward_models:{own}", num_classes=10)
        samples = measures.function(name)(model, SETTING)
        return samples.values if isinstance(samples, measures.Watched) else samples

    return measure


_MACS = 3 * 4 * 64 + 40


def test_dicts_are_measured_and_trained(measured: Callable[..., dict[str, list[float]]]) -> None:
    for own in ("Dict", "Strange"):
        assert measured("macs", own)["macs"] == [_MACS]
        assert measured("latency", own)["latency_p50"][0] > 0
    assert "train_memory" in measured("train_memory", "Dict")
    with pytest.raises(ModelError, match="gives a dict with scores; expected logits"):
        measured("train_memory", "Strange")
    message = r"gives \(4, 4, 1, 1\) for 4 images, expected \(4, 10\); give forward_models:Map the"
    with pytest.raises(ModelError, match=message):
        measured("train_memory", "Map")


@pytest.mark.parametrize(
    ("measure", "own", "message"),
    [
        ("macs", "Reads", "needs to know what a tensor holds"),
        ("planned_memory", "Reads", "cannot be counted on 4 images: it reads a value"),
        ("roofline", "Reads", "needs to know what a tensor holds"),
        ("macs", "Four", "forward fails on a batch of shape (1, 3, 8, 8): "),
        ("macs", "scripted", "the model is scripted"),
        ("planned_memory", "scripted", "it is a TorchScript module; return the module"),
    ],
)
def test_what_cannot_be_counted_is_told_in_a_users_words(
    measured: Callable[..., dict[str, list[float]]], measure: str, own: str, message: str
) -> None:
    with pytest.raises(CountError) as caught:
        measured(measure, own)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not set(str(caught.value).split()) & {"meta", "FX", "requires_grad_", "stateless"}


@pytest.mark.parametrize(
    ("measure", "own", "message"),
    [
        ("latency", "Writes", "writes into the images that it is given"),
        ("train_memory", "Writes", "writes into the images that it is given"),
        ("latency", "Threads", "sets the number of threads to 3 while it runs; leave that to thr"),
        ("latency", "Pooled", "computes in threads of its own, where nobody sees what; leave"),
        ("train_memory", "Pooled", "computes in threads of its own, where nobody sees what"),
        ("latency", "Blank", "gives the same whatever images it is given; compute it of"),
        ("latency", "Kept", "gives the same whatever images it is given; compute it of these in"),
        ("latency", "Later", "gives a generator that holds no tensor"),
        ("latency", "Reduced", "computes convolution in bfloat16 by its own choice, and the sett"),
        ("latency", "Halves", "computes mm in float16 by its own choice"),
        ("train_memory", "Reduced", "computes convolution in bfloat16 by its own choice"),
    ],
)
def test_what_a_row_would_be_wrong_about_is_refused(
    measured: Callable[..., dict[str, list[float]]], measure: str, own: str, message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        measured(measure, own)
    assert str(caught.value).startswith(message)


def test_images_are_drawn_on_the_cpu_whatever_the_default_device_is() -> None:
    expected = images(SETTING)
    before = torch.get_default_device()
    try:
        torch.set_default_device("meta")
        torch.set_default_dtype(torch.float64)
        assert torch.equal(images(SETTING), expected)
    finally:
        torch.set_default_device(before)
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("own", ["Numpy", "Zero", "Sparse"])
def test_what_depends_on_images_is_timed(
    measured: Callable[..., dict[str, list[float]]], own: str
) -> None:
    assert measured("latency", own)["latency_p50"][0] > 0


def test_what_takes_batches_of_the_setting_alone(
    measured: Callable[..., dict[str, list[float]]],
) -> None:
    assert measured("params", "Four")["params"] == [_MACS + 4 + 10]
    assert measured("planned_memory", "Four")["planned_memory"][0] > 4 * _MACS
    assert measured("latency", "Four")["latency_p50"][0] > 0
    assert measured("latency", "scripted")["latency_p50"][0] > 0


def test_complex_weights_are_trained_and_none_are_not(
    measured: Callable[..., dict[str, list[float]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="m: has no parameters to train"):
        measured("train_memory", "nothing")
    module = Fourier()
    before = module.weight.detach().clone()
    monkeypatch.setattr(training_step, "build", lambda model, size: module)
    step = training_step.prepare(Model("m", "M", "m", "python", "", num_classes=10), SETTING)
    assert step().item() > 0
    changed = module.weight.detach() - before
    assert (changed.real != 0).any()
    assert (changed.imag != 0).any()


def test_accuracy_takes_the_logits() -> None:
    class Out(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"out": x.mean((2, 3)).repeat(1, 4)[:, :10] * torch.arange(10)}

    preprocessing = Preprocessing(Geometry(8, 1.0, "center", "bicubic"), (0, 0, 0), (1, 1, 1))
    model = Model("m", "M", "m", "python", "", num_classes=10)
    predict = predict_with(Out(), model, SETTING, preprocessing)
    classes, _ = predict(torch.full((2, 3, 8, 8), 255, dtype=torch.uint8))
    assert classes.tolist() == [[9, 8, 7, 6, 5]] * 2


def test_an_optimised_model_is_evaluated_with_the_weights_of_the_plain_one() -> None:
    """In a layout that is not its own, and without a change of the plain one, which may train."""
    torch.manual_seed(0)
    module = ConvMixer(32, 2, kernel_size=9, num_classes=10).eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    preprocessing = Preprocessing(Geometry(56, 1.0, "center", "bicubic"), (0, 0, 0), (1, 1, 1))
    plain = Model("m", "M", "convmixer", "convmixer", "", num_classes=10)
    pixels = torch.randint(256, (9, 3, 56, 56), dtype=torch.uint8)
    classes, scores = predict_with(module, plain, SETTING, preprocessing)(pixels)
    fast = predict_with(module, replace(plain, optimised=True), SETTING, preprocessing)(pixels)
    assert torch.equal(fast[0], classes)
    torch.testing.assert_close(fast[1], scores, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(parameter.requires_grad for parameter in module.parameters())


class Broken(nn.Module):
    """Two graphs with a break between them, for which no C++ is compiled: that takes long."""

    def forward(self, x: Tensor) -> Tensor:
        x = x @ x.T
        torch._dynamo.graph_break()
        return x @ x


class Eager(nn.Module):
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self, x: Tensor) -> Tensor:
        return x * 2


def test_instructions_are_found_out_for_all_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes: list[str] = []
    monkeypatch.setattr(forward, "pick_vec_isa", lambda: homes.append(os.environ[INDUCTOR]))
    monkeypatch.setattr(os, "environ", os.environ | compiled.variables(tmp_path))
    for key in ("one", "other"):
        compiled.share(key)
        forward.pick_instructions(SETTING)
    assert homes[0] == homes[1] != os.environ[INDUCTOR]


def test_of_several_compiled_modules_each_is_watched() -> None:
    """The second one of a class runs the code of the first."""
    setting = replace(SETTING, compile="default")
    model = Model("m", "M", "m", "python", "m:m", num_classes=10)

    def watch_twice(module: nn.Module) -> dict[str, object]:
        details: dict[str, object] = {}
        call = call_of(module, setting)
        run = watch(lambda batch: logits_of(call(batch)), module, model, details)
        assert torch.equal(run(LOGITS), run(LOGITS))
        return details

    assert watch_twice(Broken()) == watch_twice(Broken()) == {"graph_breaks": 1}
    for _ in range(2):
        with pytest.raises(ModelError, match="set compile: none"):
            watch_twice(Eager())


def test_what_a_users_code_switches_goes_back() -> None:
    """Values below 1e-38, the type of floats, what oneDNN computes fp32 in, the threads."""
    threads = torch.get_num_threads()
    apply_flags(SETTING)
    onednn: Any = torch.backends.mkldnn
    onednn.set_flags(_fp32_precision="bf16")
    torch.set_default_dtype(torch.float64)
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads + 1)
    apply_flags(SETTING)
    assert torch.get_num_threads() == threads
    assert onednn.matmul.fp32_precision == "none"
    assert torch.tensor(1e-39).mul(1.0) > 0
    assert torch.tensor(1.0).dtype == torch.float32
    apply_flags(replace(SETTING, threads=threads + 1))
    assert torch.get_num_threads() == threads + 1
    apply_flags(SETTING)
    assert torch.get_num_threads() == threads
