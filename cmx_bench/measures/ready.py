"""A model ready to run in its setting, by whatever runtime, and held against eager torch before."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import ExportError, ModelError, in_a_line
from cmx_bench.measures import Samples, calibration, compiled, instructions, runtimes
from cmx_bench.measures.forward import Forward, call_of, images, logits_of, place
from cmx_bench.measures.normalising import normalise
from cmx_bench.measures.precisions import Precisions
from cmx_bench.measures.runtimes import Call, Loaded
from cmx_bench.models import fast, weights
from cmx_bench.models.building import build
from cmx_bench.models.tensors import tensors_in

_COMPARED_IMAGES = 64
_COMPARED = "compared.pt"  # images, the logits of eager torch, what is told of a quantisation
# The largest difference of a logit from eager torch's, as a share of the largest logit. Rounding
# alone makes up to 1e-5 of fp32 and 0.02 of bf16 in the networks of the shipped suites. Of int8 see
# `_of_int8`: small networks of four families, trained on digits, have 0.02 to 0.13 under either
# runtime; one that gives the same whatever it sees has 1, an untrained ConvMixer-768/32 0.8 to 1.1.
TOLERANCES = {"fp32": 1e-3, "tf32": 2e-2, "fp16": 2e-2, "bf16": 0.1, "autocast": 0.1, "int8": 0.5}


@dataclass(frozen=True, slots=True)
class Ready:
    """A model that is ready: `forward` runs a batch.

    `seconds` are what making it ready took, by metric; `details` what a record tells of a runtime,
    and of products in other numbers than the setting's.
    """

    forward: Forward
    seconds: Samples = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


def prepare(model: Model, setting: Setting) -> Ready:
    """Builds `model` with initial weights and makes it ready.

    Raises:
        ExportError: the runtime cannot take it, or gives other logits than torch.
        SkipError: this machine lacks what the runtime needs for the setting.
    """
    return prepare_module(place(build(model, setting.image_size), setting), setting, model)


def prepare_module(module: nn.Module, setting: Setting, model: Model | None = None) -> Ready:
    """A placed module of a model with initial weights, made ready for a batch: see `initialise`.

    Raises:
        ExportError, SkipError: as `prepare`.
    """
    batch, precisions = images(setting), Precisions(setting)
    module = initialise(module, batch, setting, model, precisions)
    told = precisions.told()
    if setting.runtime != "torch":
        with compiled.folder_of_cell() as home:
            exported = export_module(module, batch, setting, home)
            forward = partial(exported.loaded.call, batch)
            return Ready(forward, exported.seconds, {**exported.details, **told})
    # On a GPU one more pass would change what memory is measured of: see `memory`.
    if not setting.freeze or setting.kind == "cuda":
        return Ready(partial(call_of(module, setting), batch), details=told)
    eager = _eager(module, setting)
    compared, expected = _comparable(eager, batch)
    call = call_of(module, setting)
    begin = time.perf_counter()
    call(batch)
    seconds = time.perf_counter() - begin
    details = _tell(logits_of(call(compared)), expected, setting, {"freezing": True})
    return Ready(partial(call, batch), {"compile_time": [seconds]}, {"runtime": details, **told})


def initialise(
    module: nn.Module, batch: Tensor, setting: Setting, model: Model | None = None,
    precisions: Precisions | None = None,
) -> nn.Module:  # fmt: skip
    """What runs of a module with initial weights, which get what they lack to be timed by. In int8
    it gets the model's own weights where there are any: what is timed is what is evaluated.

    BatchNorm layers get the statistics of the batch: see `normalising`. A user's model runs twice
    in any case, for what `precisions` tell and refuse, and for the part that images have in what it
    gives. For what is compared with eager torch matrices of zeros, as classifiers of some networks
    begin, get random numbers: their logits would all be zeros. Then it is folded, where that is
    asked: see `models.fast`.
    """
    if setting.precision == "int8" and model is not None and model.weights is not None:
        weights.load(module, model, setting.image_size)
        return fast.finish(module, model)
    watch = precisions or Precisions(setting)
    run = _eager(module, setting, watch)
    has_run = normalise(module, partial(run, batch))
    if model is not None and model.source == "python":
        if not has_run:
            run(batch)
        _refuse_unmoved(run, batch, watch)
    if setting.runtime != "torch" or setting.freeze:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in module.parameters():
                if weight.dim() > 1 and not weight.any():
                    weight.copy_(0.02 * torch.randn(weight.shape, generator=generator))
    return module if model is None else fast.finish(module, model)


def _refuse_unmoved(run: Callable[[Tensor], object], batch: Tensor, watch: Precisions) -> None:
    """Refuses what gives the same for whatever images, also where it keeps what it gave before."""
    watch.follow([batch])
    output = run(batch)
    # What numpy computes is not seen, and zeros of a first classifier are no images' fault.
    if not watch.follows(tensors_in(output)):
        pairs = zip(tensors_in(output), tensors_in(run(-batch)), strict=False)
        if all(
            first.layout is torch.strided and torch.equal(first, second) for first, second in pairs
        ):
            raise ModelError("gives the same whatever images it is given; compute it of these in "
                             "each pass")  # fmt: skip


def prepare_call(module: nn.Module, setting: Setting) -> tuple[Call, Mapping[str, Any]]:
    """A placed module with weights of its own as a function of a batch, or of a smaller one, and
    what a record tells of the runtime.

    Raises:
        ExportError: as `prepare`.
    """
    if setting.runtime == "torch":
        call = call_of(module, setting)
        return lambda batch: logits_of(call(batch)), {}
    with compiled.folder_of_process() as home:
        exported = export_module(module, images(setting), setting, home)
    return partial(_fill, exported.loaded.call, setting), exported.details


def _fill(call: Call, setting: Setting, batch: Tensor) -> Tensor:
    """The logits of a batch, which may have fewer images than were exported for.

    Raises:
        ExportError: they depend on the images that fill it up.
    """
    count, lacking = len(batch), setting.batch_size - len(batch)
    if not lacking:
        return call(batch)
    fillings = batch.new_zeros(lacking, *batch.shape[1:]), batch[torch.arange(lacking) % count]
    logits, others = (call(torch.cat([batch, filling]))[:count] for filling in fillings)
    if _difference(others, logits) > TOLERANCES[setting.precision]:
        raise ExportError(
            f"gives an image other logits where others stand beside it, and {setting.runtime} runs "
            f"whole batches, of {setting.batch_size}, where {count} are left; set batch_size: 1"
        )
    return logits


# --- exported models ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Exported:
    """A model that a runtime has loaded from a folder, with the seconds of both steps; there are
    none of exporting where an earlier process did it."""

    folder: Path
    loaded: Loaded
    seconds: Samples
    details: Mapping[str, Any]


def export_module(module: nn.Module, batch: Tensor, setting: Setting, home: Path) -> Exported:
    """Exports a placed module into a folder, unless it is there, loads it, and compares it.

    Raises:
        ExportError: the runtime cannot take it, or gives other logits than torch.
        SkipError: this machine lacks what the runtime needs for the setting.
    """
    seconds: Samples = {}
    folder = home / "exported"
    if not folder.exists():
        begin = time.perf_counter()
        _write(module, batch, setting, folder)
        seconds["export_time"] = [time.perf_counter() - begin]
    begin = time.perf_counter()
    loaded = runtimes.functions(setting.runtime).load(folder, setting)
    seconds["compile_time"] = [time.perf_counter() - begin]
    # Of the weights that were exported: those that this process drew may be others.
    batches, expected, quantised = torch.load(folder / _COMPARED, weights_only=True)
    logits = torch.cat([loaded.call(each) for each in batches])
    details = _tell(logits, expected, setting, loaded.options)
    return Exported(folder, loaded, seconds, {"runtime": details | quantised})


def _write(module: nn.Module, batch: Tensor, setting: Setting, folder: Path) -> None:
    """The folder whole or not at all: processes of one cell may export at the same time."""
    with TemporaryDirectory(dir=folder.parent) as made:
        whole = Path(made, "whole")
        whole.mkdir()
        eager = _alone(module, setting)
        compared, expected = _comparable(eager, batch)
        batches, quantised = [compared], dict[str, Any]()
        with torch.no_grad():
            runtimes.functions(setting.runtime).export(
                _Logits(module).eval(), batch, whole, setting
            )
        if setting.precision == "int8":
            batches, quantised = _quantise(whole, setting)
            expected = torch.cat([eager(each) for each in batches])
        torch.save((batches, expected.clone(), quantised), whole / _COMPARED)
        if not folder.exists():
            whole.rename(folder)


def _quantise(folder: Path, setting: Setting) -> tuple[list[Tensor], dict[str, Any]]:
    """Quantises the model in a folder; gives the images to compare it on, and what is told."""
    images = calibration.images(setting.image_size)
    # Without instructions for int8, a CPU sums two products in 16 bits: 8-bit weights overflow.
    bits = 7 if instructions.emulated(setting, instructions.of_cpu()) else 8
    batches = images.batches(setting.batch_size)
    try:
        products = runtimes.functions(setting.runtime).quantise(folder, batches, bits)
    except Exception as error:  # of many classes, all of them private
        raise ExportError(f"{setting.runtime} cannot quantise it: {in_a_line(error)}") from error
    if not products[0]:
        raise ExportError(f"{setting.runtime} quantises none of its {products[1]} products")
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.suffix != ".xml":  # in which OpenVINO names operators anew each time
            digest.update(file.read_bytes())
    quantised = {"sha256": digest.hexdigest()[:16], "products": products, "weight_bits": bits}
    compared = batches[: -(-_COMPARED_IMAGES // setting.batch_size)]
    return compared, {"calibration": images.told, "quantised": quantised}


def _alone(module: nn.Module, setting: Setting) -> Call:
    """The logits of a module that torch runs eagerly. It refuses one that gives more tensors: of
    its work a runtime does what logits need, and would look faster for the rest. And one that
    changes its buffers: what it gives depends on how often it ran."""
    eager = _eager(module, setting)

    def run(batch: Tensor) -> Tensor:
        before = {name: buffer.clone() for name, buffer in module.named_buffers()}
        output = eager(batch)
        for name, buffer in module.named_buffers():
            if not torch.equal(before.get(name, buffer), buffer):
                raise ExportError(
                    f"changes its buffer {name} while it runs, and {setting.runtime} would give "
                    f"what it gave before; do that in training alone"
                )
        logits = logits_of(output)
        if any(tensor is not logits for tensor in tensors_in(output)):
            raise ExportError(f"gives more tensors than its logits, and {setting.runtime} would "
                              f"not compute the others; return the logits alone")  # fmt: skip
        return logits

    return run


class _Logits(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Tensor) -> Tensor:
        return logits_of(self.model(batch))


# --- comparison -----------------------------------------------------------------------------------


def _comparable(eager: Callable[[Tensor], object], batch: Tensor) -> tuple[Tensor, Tensor]:
    """The images that logits are compared on, with the logits of eager torch. They have less
    contrast than the timed images, and are brighter.

    BatchNorm layers have the statistics of the timed images (see `initialise`). On those the last
    one of a ConvMixer, whose means over positions are pooled, leaves nothing but rounding. On other
    images its activations grow from block to block: those of ConvMixer-768/32 at 64 × 64 pixels to
    9e4, which is more than fp16 holds. Half of the change is enough there.
    """
    for change in (0.5, 0.25):
        images = batch * (1 - change) + change / 2
        logits = logits_of(eager(images))
        if bool(logits.isfinite().all()):
            break
    return images, logits


def _eager(
    module: nn.Module, setting: Setting, precisions: Precisions | None = None
) -> Callable[[Tensor], object]:
    """The module as torch runs it eagerly, whatever runs it in the setting, under `precisions`."""
    # In inference mode torch rounds otherwise while a mode of the dispatcher watches.
    run = call_of(module, replace(setting, compile="none", freeze=False), torch.no_grad)
    watch = precisions or Precisions(setting)

    def watched(batch: Tensor) -> object:
        with watch:
            return run(batch)

    return watched


def _tell(
    found: Tensor, expected: Tensor, setting: Setting, options: Mapping[str, Any]
) -> dict[str, Any]:
    """What a record tells of how a setting runs: the runtime, its options, and by how much its
    logits differ from those of eager torch on the same images."""
    name = "Inductor with frozen weights" if setting.freeze else setting.runtime
    if found.shape != expected.shape:
        raise ExportError(f"{name} gives logits {tuple(found.shape)}, "
                          f"torch {tuple(expected.shape)}")  # fmt: skip
    measured, share = _difference, "the largest"
    if setting.precision == "int8":
        measured, share = _of_int8, "what these differ from image to image"
    difference, allowed = measured(found, expected), TOLERANCES[setting.precision]
    if not difference <= allowed:  # nor is one that is no number
        raise ExportError(
            f"{name} gives logits that differ from eager torch's by {difference:.2g} of {share}; "
            f"{setting.precision} allows {allowed:g}"
        )
    return {
        "version": runtimes.version(setting),
        "difference": difference,
        "tolerance": allowed,
        "options": dict(options),
    }


def _of_int8(logits: Tensor, expected: Tensor) -> float:
    """The differences of all logits, as a share of what these differ from image to image, both as
    root mean squares: what a model gives whatever it sees says nothing of its classes."""
    logits, expected = logits.double(), expected.double()
    told_apart = (expected - expected.mean(0)).square().mean().clamp_min(1e-24)
    return float(((logits - expected).square().mean() / told_apart).sqrt())


def _difference(logits: Tensor, expected: Tensor) -> float:
    """The largest difference of a logit, as a share of the largest."""
    logits, expected = logits.double(), expected.double()
    return float((logits - expected).abs().max() / expected.abs().max().clamp_min(1e-12))
