"""Checkpoints as users have them, and each way in which one can be wrong."""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from cmx_bench.cell import Model
from cmx_bench.errors import WeightsError
from cmx_bench.models import weights
from cmx_bench.models.building import build
from cmx_bench.models.convmixer import ConvMixer
from cmx_bench.models.resampling import Resampling
from cmx_bench.training import checkpoints

from .test_convmixer import authors_convmixer


def describe(path: Path | str, classes: int = 10) -> Model:
    return Model("m", "M", "convmixer", "convmixer", "", {}, str(path), classes)


def fresh(classes: int = 10) -> ConvMixer:
    return ConvMixer(8, 2, 3, 7, num_classes=classes)


def equal(module: nn.Module, other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[key]) for key, value in module.state_dict().items())


WRAPPED = {
    "plain": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "module.": lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}},
    "model": lambda state: {"model": state},
    "net": lambda state: {"net": state, "optimizer": {"state": {0: {"step": torch.ones(1)}}}},
    "model_state_dict": lambda state: {"best": {"model_state_dict": state}, "loss": 0.1},
    "Lightning": lambda state: {"state_dict": {f"model.net.{k}": v for k, v in state.items()}},
    "compiled": lambda state: {f"module._orig_mod.{k}": v for k, v in state.items()},
    "thop": lambda state: {
        **state, "total_ops": torch.zeros(1), "blocks.0.total_params": torch.zeros(1),
    },
    "torchvision's average": lambda state: {
        "model": {k: torch.zeros_like(v) for k, v in state.items()},
        "model_ema": {f"module.{k}": v for k, v in state.items()} | {"n_averaged": torch.ones(())},
    },
    "torch's ImageNet example": lambda state: {
        "state_dict": {f"module.{k}": v for k, v in state.items()}, "best_acc1": torch.ones(()),
    },
    "a lone tensor": lambda state: {"model": state, "scaler": {"scale": torch.ones(1)}},
    "another's EMA": lambda state: {
        "model": {k: torch.zeros_like(v) for k, v in state.items()}, "ema": state,
    },
    "ema": lambda state: {
        "state_dict": {k: torch.zeros_like(v) for k, v in state.items()}, "state_dict_ema": state,
    },
    "timm's options": lambda state: {"state_dict": state, "args": argparse.Namespace(lr=0.1)},
}  # fmt: skip


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_torch_checkpoints(tmp_path: Path, wrapping: str) -> None:
    state = fresh().state_dict()
    torch.save(WRAPPED[wrapping](state), tmp_path / "w.pth.tar")
    module = fresh()
    weights.load(module, describe(tmp_path / "w.pth.tar"))
    assert equal(module, state)


def test_safetensors(tmp_path: Path) -> None:
    state = fresh().state_dict()
    save_file(state, tmp_path / "w.safetensors")
    module = fresh()
    weights.load(module, describe(tmp_path / "w.safetensors"))
    assert equal(module, state)


@pytest.mark.parametrize("suffix", ["pth.tar", "safetensors"])
def test_a_file_whose_name_is_no_utf_8(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing lies in the temporary folder meanwhile, which a kill would leave there."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    path, state = folder / os.fsdecode(b"w\xe9." + suffix.encode()), fresh().state_dict()
    if suffix == "safetensors":
        checkpoints.write_weights(folder / "m.safetensors", state)
        (folder / "m.safetensors").rename(path)
    else:
        torch.save(state, path)
    module = fresh()
    weights.load(module, describe(path))
    assert equal(module, state)
    assert weights.sha256(describe(path)) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_authors_checkpoints(tmp_path: Path) -> None:
    theirs = authors_convmixer(8, 2, 3, 7, 10).double().eval()
    torch.save({"state_dict": theirs.state_dict()}, tmp_path / "w.pth.tar")
    module = fresh().double().eval()
    weights.load(module, describe(tmp_path / "w.pth.tar"))
    images = torch.randn(1, 3, 28, 28, dtype=torch.float64)
    with torch.inference_mode():
        assert torch.equal(module(images), theirs(images))


def test_a_plain_sequential_keeps_its_names(tmp_path: Path) -> None:
    theirs = authors_convmixer(8, 2, 3, 7, 10)
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    module = authors_convmixer(8, 2, 3, 7, 10)
    weights.load(module, describe(tmp_path / "w.pth"))
    assert equal(module, theirs.state_dict())


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("ran",))


def test_nothing_is_unpickled_that_runs_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Evil()}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="cannot be read as a checkpoint of plain"):
        weights.load(fresh(), describe(tmp_path / "w.pth"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x80\x02}q\x00."])
def test_unreadable_files(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError) as error:
        weights.load(fresh(), describe(tmp_path / name))
    assert str(error.value).startswith(f"m: {tmp_path / name} ")
    assert "\n" not in str(error.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights at .*give the path of a checkpoint"):
        weights.load(fresh(), describe(tmp_path / "none.pth"))


def test_another_number_of_classes(tmp_path: Path) -> None:
    torch.save(fresh(5).state_dict(), tmp_path / "w.pth")
    with pytest.raises(
        WeightsError, match="has 5 classes, the suite asks for 10; set num_classes: 5"
    ):
        weights.load(fresh(), describe(tmp_path / "w.pth"))
    own = replace(describe(tmp_path / "w.pth"), source="python", target="own:net", num_classes=5)
    message = "has 5 classes, as the suite, the model 10; give own:net the number under args"
    with pytest.raises(WeightsError, match=message):
        weights.load(fresh(), own)


def test_another_model(tmp_path: Path) -> None:
    torch.save(ConvMixer(8, 3, 3, 7, num_classes=10).state_dict(), tmp_path / "deep.pth")
    with pytest.raises(
        WeightsError,
        match="0 parameters are missing and 14 parameters "
        r"\(such as 'blocks.2.0.fn.0.bias'\) are unknown$",
    ):
        weights.load(fresh(), describe(tmp_path / "deep.pth"))
    torch.save(ConvMixer(8, 2, 5, 7, num_classes=10).state_dict(), tmp_path / "wide.pth")
    with pytest.raises(WeightsError, match=r"'blocks.0.0.fn.0.weight' has shape \(8, 1, 5, 5\)"):
        weights.load(fresh(), describe(tmp_path / "wide.pth"))


def test_parts_of_a_checkpoint_that_are_the_model_are_named(tmp_path: Path) -> None:
    """As Lightning keeps a loss with weights beside the model, and a student its teacher."""
    file, state = tmp_path / "whole.pth", fresh().state_dict()
    names = ("student", "teacher")
    parts = {f"{part}.{key}": value for part in names for key, value in state.items()}
    for content, said in (
        ({k: v for k, v in parts.items() if k[0] == "s"} | {"loss.weight": torch.ones(3)},
         "unknown; what begins with 'student.' is this model: save that alone"),
        (parts, "what begins with 'student.' or 'teacher.' is this model"),
    ):  # fmt: skip
        torch.save({"state_dict": content}, file)
        with pytest.raises(WeightsError, match=said):
            weights.load(fresh(), describe(file), 14)


@pytest.mark.parametrize("spoil", [lambda value: value.to("meta"), torch.Tensor.to_sparse])
def test_tensors_that_are_not_plain_are_refused(
    tmp_path: Path, spoil: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    file, state = tmp_path / "odd.pth", fresh().state_dict()
    torch.save({**state, "head.weight": spoil(torch.ones(2, 2))}, file)
    with pytest.raises(WeightsError, match="has 'head.weight' without numbers, sparse or quantise"):
        weights.load(fresh(), describe(file), 14)


class Mixed(nn.Module):
    """Weights that are complex, positions that are whole numbers, and plain ones."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = nn.Parameter(torch.ones(2, dtype=torch.complex64))
        self.register_buffer("index", torch.arange(2, 4))
        self.scale = nn.Parameter(torch.ones(2))


@pytest.mark.parametrize(
    ("key", "dtype", "expected"),
    [
        ("scale", "int8", "floats of 16 bits at least"),
        ("scale", "float8_e4m3fn", "floats of 16 bits at least"),
        ("scale", "complex64", "floats of 16 bits at least"),
        ("turns", "float32", "complex numbers"),
        ("index", "float16", "whole numbers"),
    ],
)
def test_numbers_that_are_not_what_they_were_are_refused(
    tmp_path: Path, key: str, dtype: str, expected: str
) -> None:
    """As quantised models keep them, with scales that no layer knows of; as blind casts leave them,
    with no imaginary halves, and as places that 16 bits round."""
    file, state = tmp_path / "w.pth", Mixed().state_dict()
    torch.save(state | {key: state[key].real.to(getattr(torch, dtype))}, file)
    said = f"has '{key}' in torch.{dtype}, expected {expected}; save these"
    with pytest.raises(WeightsError, match=said):
        weights.load(Mixed(), describe(file))


def test_scales_that_lie_apart_are_not_forgotten(tmp_path: Path) -> None:
    file, state = tmp_path / "fp8.pth", fresh().state_dict()
    small = {key: value.to(torch.float8_e4m3fn) for key, value in state.items()}
    torch.save({"model": small, "scales": {"head": torch.ones(())}}, file)
    with pytest.raises(WeightsError, match="in torch.float8_e4m3fn, expected floats of 16 bits"):
        weights.load(fresh(), describe(file))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_floats_of_other_widths_are_taken(tmp_path: Path, dtype: torch.dtype) -> None:
    """Counters of batches too, which models that were cast as a whole have as floats."""
    file, state, module = tmp_path / "w.pth", fresh().state_dict(), fresh()
    torch.save({key: value.to(dtype) for key, value in state.items()}, file)
    weights.load(module, describe(file))
    assert torch.equal(module.head.weight, state["head.weight"].to(dtype).float())


def test_what_is_unclear_is_refused(tmp_path: Path) -> None:
    """Nothing is loaded in part, and nobody guesses which of several is meant."""
    state = fresh().state_dict()
    torch.save({"first": state, "second": state}, tmp_path / "two.pth")
    with pytest.raises(WeightsError, match="holds several models that fit: first, second; save"):
        weights.load(fresh(), describe(tmp_path / "two.pth"))
    torch.save({"model": state, "ema1": state, "ema2": state}, tmp_path / "two.pth")
    with pytest.raises(WeightsError, match="holds several models that fit: ema1, ema2; save one"):
        weights.load(fresh(), describe(tmp_path / "two.pth"))
    rest = {f"model.{key}": value for key, value in state.items()} | {"loss.w": torch.ones(2)}
    torch.save({"state_dict": rest}, tmp_path / "loss.pth")
    said = r"'blocks.0.0.fn.0.bias'\) are missing and 38 parameters \(such as 'loss.w'\) are"
    with pytest.raises(WeightsError, match=said):
        weights.load(fresh(), describe(tmp_path / "loss.pth"))
    torch.save({"epoch": 3}, tmp_path / "none.pth")
    with pytest.raises(WeightsError, match="holds no tensors by name; save a state_dict"):
        weights.load(fresh(), describe(tmp_path / "none.pth"))


def on_the_hub(monkeypatch: pytest.MonkeyPatch, name: str) -> dict[str, torch.Tensor]:
    """Weights as if they lay in timm's cache."""
    state = timm.create_model(name).state_dict()
    monkeypatch.setattr(
        "timm.models._builder.load_state_dict_from_hf", lambda *_, **__: dict(state)
    )
    return state


def test_timms_weights_are_resized_as_timm_does(monkeypatch: pytest.MonkeyPatch) -> None:
    on_the_hub(monkeypatch, "test_vit")
    model = Model("v", "V", "deit", "timm", "test_vit", {}, "r160_in1k")
    for size in (96, 160):
        module = build(model, size)
        resampling = weights.load(module, model, size)
        assert resampling == (None if size == 160 else Resampling(160))
        theirs = timm.create_model("test_vit.r160_in1k", pretrained=True, img_size=size)
        assert equal(module, theirs.state_dict())


def test_timms_weights_that_cannot_be_resized_are_told_with_both_sizes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_the_hub(monkeypatch, "resmlp_12_224")
    mlp = Model("m", "M", "resmlp", "timm", "resmlp_12_224", {}, "fb_in1k")
    said = "for images of 224 px, and it is built for 96 px; timm cannot resample it: evaluate it"
    with pytest.raises(WeightsError, match=said):
        weights.load(build(mlp, 96), mlp, 96)


def test_timms_weights_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    model = Model("r", "R", "resnet", "timm", "resnet10t", {}, "c3_in1k")
    with pytest.raises(
        WeightsError, match="neither in the local cache nor within reach; add --weights r=FILE"
    ):
        weights.load(nn.Identity(), model)


def test_tags() -> None:
    model = Model("c", "C", "convmixer", "convmixer", "convmixer_768_32", {})
    assert weights.tags(model) == ["in1k"]


def test_old_files_without_batch_counters(tmp_path: Path) -> None:
    """As torchvision's and Gluon's are: torch fills in what they lack."""
    state = fresh().state_dict()
    old = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    assert len(old) < len(state)
    torch.save(old, tmp_path / "old.pth")
    module = fresh()
    weights.load(module, describe(tmp_path / "old.pth"))
    assert all(torch.equal(module.state_dict()[key], value) for key, value in old.items())
