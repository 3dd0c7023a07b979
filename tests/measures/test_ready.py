"""What is exported is compared with eager torch before anything is timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import ExportError
from cmx_bench.measures import compiled, ready, runtimes
from cmx_bench.measures.calibration import Calibration, giving
from cmx_bench.measures.forward import images, logits_of, place
from cmx_bench.measures.runtimes import Loaded
from cmx_bench.models.building import build
from cmx_bench.results.records import Record, make_sound

MIXER = Model(
    "m", "M", "mixer", "mixer", "", {"dim": 16, "depth": 1, "patch_size": 7}, num_classes=10
)
SETTING = Setting("s", "cpu", "fp32", "nchw", "none", 2, 28, runtime="aotinductor")


class Pretended:
    """A runtime that runs the module itself, and gives what `change` makes of its logits."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        self.change, self.exports = change, 0
        self.module: nn.Module = nn.Identity()
        self.products, self.batches = (2, 3), list[Tensor]()

    def export(self, module: nn.Module, batch: Tensor, folder: Path, setting: Setting) -> None:
        assert not any(folder.iterdir())
        self.exports += 1
        self.module = module

    def quantise(self, folder: Path, batches: Sequence[Tensor], bits: int) -> tuple[int, int]:
        self.batches = list(batches)
        return self.products

    def load(self, folder: Path, setting: Setting) -> Loaded:
        def call(batch: Tensor) -> Tensor:
            assert len(batch) == setting.batch_size
            with torch.no_grad():
                return self.change(self.module(batch))

        return Loaded(call, {"threads": 2})


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Pretended]:
    def replace_by(change: Callable[[Tensor], Tensor] = lambda logits: logits) -> Pretended:
        pretended = Pretended(change)
        monkeypatch.setattr(runtimes, "functions", lambda runtime: pretended)
        return pretended

    return replace_by


def test_the_record_tells_the_difference_and_the_options(
    pretend: Callable[..., Pretended],
) -> None:
    pretend(lambda logits: logits * (1 + 1e-4))
    prepared = ready.prepare(MIXER, SETTING)
    details = prepared.details["runtime"]
    assert details["difference"] == pytest.approx(1e-4, rel=1e-2)
    assert (details["tolerance"], details["options"]) == (1e-3, {"threads": 2})
    assert set(prepared.seconds) == {"export_time", "compile_time"}
    logits = prepared.forward()
    assert isinstance(logits, Tensor)
    assert logits.abs().max() > 0  # though the classifier of this network begins with zeros


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda logits: logits * 1.01, "differ from eager torch's by 0.01 of the largest; fp32"),
        (lambda logits: logits * torch.nan, "differ from eager torch's by nan"),
        (lambda logits: logits[:, :9], r"gives logits \(2, 9\), torch \(2, 10\)"),
    ],
)
def test_other_logits_than_those_of_torch_are_refused(
    pretend: Callable[..., Pretended], change: Callable[[Tensor], Tensor], message: str
) -> None:
    pretend(change)
    with pytest.raises(ExportError, match=message):
        ready.prepare(MIXER, SETTING)


class Pyramid(nn.Module):
    """What a detector's backbone gives: logits, and the features behind them."""

    def __init__(self, wrap: Callable[[Tensor, Tensor], object]) -> None:
        super().__init__()
        self.stem, self.deep, self.wrap = nn.Conv2d(3, 10, 7, 7), nn.Conv2d(10, 10, 3), wrap

    def forward(self, images: Tensor) -> object:
        features = self.stem(images)
        return self.wrap(features.mean((2, 3)), self.deep(features))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda logits, more: [logits, more],
        lambda logits, more: {"logits": logits, "hidden_states": (more,)},
        lambda logits, more: SimpleNamespace(logits=logits, features=more),
    ],
)
def test_a_model_that_gives_more_than_its_logits_is_refused(
    pretend: Callable[..., Pretended], wrap: Callable[[Tensor, Tensor], object]
) -> None:
    pretended, module = pretend(), place(Pyramid(wrap), SETTING)
    with pytest.raises(ExportError, match="more tensors than its logits, and aotinductor would"):
        ready.prepare_module(module, SETTING)
    assert pretended.exports == 0


def test_a_model_may_give_its_logits_twice(pretend: Callable[..., Pretended]) -> None:
    pretend()
    module = place(Pyramid(lambda logits, more: {"logits": logits, "out": logits}), SETTING)
    assert ready.prepare_module(module, SETTING).details["runtime"]["difference"] == 0


class Counting(nn.Module):
    """Counts its passes in a buffer, which is not of use yet."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 10, 7, 7)
        self.register_buffer("passes", torch.zeros(()))
        self.passes: Tensor

    def forward(self, images: Tensor) -> Tensor:
        self.passes += 1
        logits: Tensor = self.stem(images).mean((2, 3))
        return torch.where(self.passes > 9, -logits, logits)


def test_a_model_that_changes_a_buffer_is_refused(pretend: Callable[..., Pretended]) -> None:
    pretended, module = pretend(), place(Counting(), SETTING)
    with pytest.raises(ExportError, match="changes its buffer passes while it runs, and aotinduc"):
        ready.prepare_module(module, SETTING)
    assert pretended.exports == 0


def test_frozen_weights_that_give_other_logits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ready.call_of

    def frozen_wrongly(
        module: nn.Module, setting: Setting, *mode: object
    ) -> Callable[[Tensor], object]:
        eager = plain(module, replace(setting, compile="none", freeze=False))
        return lambda batch: logits_of(eager(batch)) * (1.01 if setting.freeze else 1)

    monkeypatch.setattr(ready, "call_of", frozen_wrongly)
    setting = replace(SETTING, runtime="torch", compile="default", freeze=True)
    message = "Inductor with frozen weights gives logits that differ from eager torch's by 0.01 of"
    with pytest.raises(ExportError, match=message):
        ready.prepare(MIXER, setting)


def test_a_precision_allows_what_its_rounding_makes(pretend: Callable[..., Pretended]) -> None:
    pretend(lambda logits: logits * 1.01)
    assert ready.prepare(MIXER, replace(SETTING, precision="bf16")).details


def test_what_is_compared_is_not_rounding_alone(pretend: Callable[..., Pretended]) -> None:
    """As it is on the timed images of a ConvMixer, whose last BatchNorm has their statistics."""
    logits: list[Tensor] = []
    pretended = pretend(lambda given: logits.append(given) or given)  # type: ignore[func-returns-value]
    model = replace(MIXER, family="convmixer", source="convmixer",
                    args={"dim": 16, "depth": 2, "kernel_size": 3, "patch_size": 7})  # fmt: skip
    ready.prepare(model, replace(SETTING, batch_size=1)).forward()
    bias = list(pretended.module.parameters())[-1]
    compared, timed = ((given - bias).abs().max().item() for given in logits)
    assert (timed < 1e-4, compared > 0.01) == (True, True)


def test_images_whose_logits_overflow_change_by_half() -> None:
    """As those of a deep ConvMixer in fp16."""
    batch = torch.ones(1, 3, 4, 4)
    finite, logits = ready._comparable(lambda images: images, batch)
    halved, _ = ready._comparable(lambda images: images / (images.mean() > 0.8), batch)
    assert torch.equal(logits, finite)
    assert finite.unique().tolist() == [0.75] and halved.unique().tolist() == [0.875]


IMAGES = torch.randn(6, 3, 28, 28, generator=torch.Generator().manual_seed(1))
INT8 = replace(SETTING, precision="int8")


def test_int8_is_judged_by_all_logits_on_the_images_of_its_calibration(
    pretend: Callable[..., Pretended],
) -> None:
    pretended = pretend(lambda logits: logits + 0.1 * (logits - logits.mean()))
    with giving(lambda size: Calibration(IMAGES, "here")):
        details = ready.prepare(MIXER, INT8).details
    runtime = details["runtime"]
    assert torch.equal(torch.cat([*pretended.batches]), IMAGES)
    assert 0 < runtime["difference"] < runtime["tolerance"] == 0.5
    assert (runtime["calibration"]["source"], runtime["quantised"]["products"]) == ("here", (2, 3))
    record = Record(
        "m/throughput/s", "m", "throughput", "s", 0, "ok", {"throughput": [1.0]}, "", "e",
        "2026-11-30T00:00:00+00:00", 1.0, details=details,
    )  # fmt: skip
    kept, _ = make_sound(record)
    assert kept == record  # readers know all that is told


@pytest.mark.parametrize(
    ("change", "products", "message"),
    [
        (lambda logits: 0 * logits + 9, (2, 3), r"by .* differ from image to image; int8 allows"),
        (lambda logits: logits, (0, 3), "quantises none of its 3 products"),
        (lambda logits: logits[:, :9], (2, 3), r"gives logits \(6, 9\), torch \(6, 10\)"),
    ],
)
def test_int8_that_loses_the_classes_is_refused(
    pretend: Callable[..., Pretended], change: Callable[[Tensor], Tensor],
    products: tuple[int, int], message: str,
) -> None:  # fmt: skip
    pretend(change).products = products
    with (
        giving(lambda size: Calibration(IMAGES, "here")),
        pytest.raises(ExportError, match=message),
    ):
        ready.prepare(MIXER, INT8)


def test_processes_of_a_cell_export_once(
    pretend: Callable[..., Pretended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(compiled.INDUCTOR, "")
    for name, value in compiled.variables(tmp_path).items():
        monkeypatch.setenv(name, value)
    compiled.share("m/throughput/s")
    pretended = pretend()
    first, second = (ready.prepare(MIXER, SETTING) for _ in range(2))
    assert pretended.exports == 1
    assert ("export_time" in first.seconds, "export_time" in second.seconds) == (True, False)


def test_a_last_batch_may_be_smaller(pretend: Callable[..., Pretended]) -> None:
    pretend()
    module, batch = place(build(MIXER, 28), SETTING), images(SETTING)
    ready.initialise(module, batch, SETTING)
    call, details = ready.prepare_call(module, SETTING)
    assert details["runtime"]["difference"] == 0
    torch.testing.assert_close(call(batch[:1]), call(batch)[:1])


class Beside(Pyramid):
    """Gives what is left of the logits of an image without the mean of its batch."""

    def __init__(self) -> None:
        super().__init__(lambda logits, more: logits - logits.mean(0))


def test_logits_that_depend_on_what_fills_a_last_batch_are_refused(
    pretend: Callable[..., Pretended],
) -> None:
    pretend()
    call, _ = ready.prepare_call(place(Beside(), SETTING), SETTING)
    batch = images(SETTING)
    assert call(batch).shape == (2, 10)
    with pytest.raises(ExportError, match="other logits where others stand beside it, .* of 2, wh"):
        call(batch[:1])


def test_torch_itself_is_compared_with_nothing() -> None:
    prepared = ready.prepare(MIXER, replace(SETTING, runtime="torch"))
    assert (prepared.seconds, prepared.details) == ({}, {})
