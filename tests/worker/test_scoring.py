"""Evaluation: equal to timm's own to the last image, whatever is shared, broken or interrupted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from timm.data import create_dataset, create_loader, resolve_data_config

from cmx_bench import accuracy
from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.errors import DataError
from cmx_bench.results import predictions
from cmx_bench.spec.suite import Accuracy
from cmx_bench.worker import scoring
from cmx_bench.worker.job import Evaluated, Outcome, Seen

from ..photographs import CLASSES, swap, write, write_odd
from ..teaching import teach

NAMES = {"test_resnet": 160, "test_vit": 160, "test_mambaout": 192}
PLAIN = Setting("plain", "cpu", "fp32", "nchw", "none", 8, 64, 1)
FOLDER = Accuracy(dataset="imagenet-val")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    for name, size in NAMES.items():
        teach(name, folder / f"{name}.safetensors", size)
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty photographs in six class folders, and an image of every kind beside them."""
    folder = tmp_path_factory.mktemp("images")
    write(folder, 30)
    write_odd(folder)
    return folder


def model(name: str, weights: Path) -> Model:
    return Model(name, name, "test", "timm", name, {}, str(weights / f"{name}.safetensors"))


def cells(
    weights: Path, setting: Setting = PLAIN, names: Sequence[str] = tuple(NAMES)
) -> list[Cell]:
    return [Cell(model(name, weights), "accuracy", setting) for name in names]


def task(images: Path, asked: Accuracy = FOLDER, **more: Any) -> Evaluation:
    return Evaluation(asked, images, images, **more)


def evaluate(these: Sequence[Cell], task: Evaluation, folder: Path) -> dict[str, Outcome]:
    folder.mkdir(exist_ok=True)
    said = scoring.steps(these, task, folder, {})
    return {word.key: word.outcome for word in said if isinstance(word, Evaluated)}


def rows(cell: Cell, folder: Path) -> np.ndarray[Any, Any]:
    count = len(predictions.read_images(folder).keys)
    return predictions.read(predictions.path(folder, cell.model.name, cell.setting_key), count)


def timms_own(cell: Cell, images: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The five likeliest classes and the labels, through timm's dataset, loader and model."""
    module = timm.create_model(
        cell.model.target, checkpoint_path=cell.model.weights, num_classes=cell.model.num_classes
    ).eval()
    config = resolve_data_config({}, model=module, use_test_size=True)
    setting = cell.setting
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[setting.precision]
    module = module.to(dtype=dtype)
    if setting.layout == "nhwc":
        module = module.to(memory_format=torch.channels_last)
    names = ("input_size", "interpolation", "mean", "std", "crop_pct", "crop_mode")
    loader = create_loader(
        create_dataset("", str(images), split="validation"), batch_size=setting.batch_size,
        num_workers=0, persistent_workers=False, device=torch.device("cpu"), img_dtype=dtype,
        pin_memory=False,
        **{name: config[name] for name in names},
    )  # fmt: skip
    predicted, labels = [], []
    with torch.inference_mode():
        for batch, target in loader:
            if setting.layout == "nhwc":
                batch = batch.contiguous(memory_format=torch.channels_last)  # noqa: PLW2901
            predicted.append(module(batch).topk(5, 1, True, True).indices)
            labels.append(target)
    return torch.cat(predicted).numpy(), torch.cat(labels).numpy()


@pytest.mark.parametrize(
    ("precision", "layout"), [("fp32", "nchw"), ("bf16", "nchw"), ("fp32", "nhwc")]
)
def test_predictions_are_timms(
    precision: Any, layout: Any, weights: Path, images: Path, tmp_path: Path
) -> None:
    these = cells(weights, replace(PLAIN, precision=precision, layout=layout))
    outcomes = evaluate(these, task(images), tmp_path)
    known = predictions.read_images(tmp_path)
    for cell in these:
        theirs, labels = timms_own(cell, images)
        assert np.array_equal(rows(cell, tmp_path)["top5"], theirs), cell.key
        # timm numbers the folders it finds, this package knows ImageNet's synsets.
        by_timm = dict(
            zip(labels.tolist(), (labels_of[0] for labels_of in known.labels), strict=True)
        )
        right = sum(
            by_timm[label] == row[0] for label, row in zip(labels.tolist(), theirs, strict=True)
        )
        among = sum(
            by_timm[label] in row for label, row in zip(labels.tolist(), theirs, strict=True)
        )
        details = outcomes[cell.key].details
        assert details["images"] == 42
        assert details["correct"] == {"top1": right, "top5": among}
        assert 0 < right < 42  # a test on images that all are wrong would show nothing
        assert len(details["weights_sha256"]) == 64


@pytest.mark.skipif("TIMM_SCRIPTS" not in os.environ, reason="needs timm's scripts")
@pytest.mark.parametrize("name", NAMES)
def test_integers_are_those_of_validate_py(
    name: str, weights: Path, images: Path, tmp_path: Path
) -> None:
    """TIMM_SCRIPTS names the folder of timm's validate.py, which is no part of this package."""
    (cell,) = cells(weights, names=[name])
    (outcome,) = evaluate([cell], task(images), tmp_path).values()
    synsets = tmp_path / "classes.txt"
    synsets.write_text("\n".join(timm.data.ImageNetInfo().label_names()))
    script = Path(os.environ["TIMM_SCRIPTS"]) / "validate.py"
    line = [sys.executable, str(script), "--data-dir", str(images), "--model", name, "--checkpoint",
            str(cell.model.weights), "--device", "cpu", "-b", str(PLAIN.batch_size), "-j", "1",
            "--class-map", str(synsets)]  # fmt: skip
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    said = re.search(r'"top1": ([\d.]+),.*?"top5": ([\d.]+)', done.stdout, re.DOTALL)
    assert said is not None, done.stdout
    right = outcome.details["correct"]
    shares = [round(float(share) * outcome.details["images"] / 100, 2) for share in said.groups()]
    assert shares == pytest.approx([right["top1"], right["top5"]], abs=0.01)


def test_together_is_as_one_by_one(weights: Path, images: Path, tmp_path: Path) -> None:
    these = cells(weights)
    together = evaluate(these, task(images), tmp_path / "all")
    for cell in these:
        alone = evaluate([cell], task(images), tmp_path / cell.model.name)
        assert alone[cell.key].values == together[cell.key].values
        assert np.array_equal(rows(cell, tmp_path / "all"), rows(cell, tmp_path / cell.model.name))


def test_cached_images_change_nothing(weights: Path, images: Path, tmp_path: Path) -> None:
    (cell,) = cells(weights, names=["test_vit"])
    cached = task(images, cache=tmp_path / "cache")
    for folder in ("plain", "filling", "filled"):
        evaluate([cell], task(images) if folder == "plain" else cached, tmp_path / folder)
    assert list((tmp_path / "cache").glob("*.npz"))
    plain = rows(cell, tmp_path / "plain")
    assert np.array_equal(plain, rows(cell, tmp_path / "filling"))
    assert np.array_equal(plain, rows(cell, tmp_path / "filled"))


def test_an_interrupted_evaluation_goes_on_where_it_was(
    weights: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "_CHUNK", 16)
    these = cells(weights)
    whole = evaluate(these, task(images), tmp_path / "whole")
    (tmp_path / "half").mkdir()
    half: Any = scoring.steps(these, task(images), tmp_path / "half", {})
    said = [next(half) for _ in range(2 * len(these))]  # a word after each model
    assert said == [Seen(16, 42)] * 3 + [Seen(32, 42)] * 3
    half.close()
    parts = sorted((tmp_path / "half" / "predictions").glob("*.rows"))
    assert len(parts) == 3
    parts[0].write_bytes(parts[0].read_bytes()[:-10])  # killed within a row

    read: list[int] = []
    monkeypatch.setattr(scoring, "_go_on", counting(scoring._go_on, read))
    rest = evaluate(these, task(images), tmp_path / "half")
    assert {key: outcome.values for key, outcome in rest.items()} == {
        key: outcome.values for key, outcome in whole.items()
    }
    for cell in these:
        assert np.array_equal(rows(cell, tmp_path / "whole"), rows(cell, tmp_path / "half"))
    assert sorted(read) == [0, 10, 16]  # pixels of the torn chunk and of the last one only


def counting(go_on: Any, read: list[int]) -> Any:
    """`go_on` that notes the images of each chunk that has pixels, once."""

    def call(entrant: Any, chunk: Any, sums: Any) -> None:
        if not any(chunk.first == first for first, _ in chunks):
            chunks.append((chunk.first, chunk))
            read.append(max((len(pixels) for pixels in chunk.pixels.values()), default=0))
        go_on(entrant, chunk, sums)

    chunks: list[tuple[int, Any]] = []
    return call


def rename(image: Path) -> None:
    """Calls an image by another name."""
    image.rename(image.with_name("0.jpg"))


@pytest.mark.parametrize("change", [rename, swap])
def test_images_that_changed_meanwhile_are_refused(
    weights: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
) -> None:  # fmt: skip
    monkeypatch.setattr(scoring, "_CHUNK", 16)
    shutil.copytree(images, tmp_path / "images")
    (cell,) = cells(weights, names=["test_vit"])
    half: Any = scoring.steps([cell], task(tmp_path / "images"), tmp_path, {})
    next(half)
    half.close()
    first = min((tmp_path / "images").rglob("*.jpg"))
    change(first)
    message = rf"{first.parent.name}/\S+ changed since .* --fresh, or another --out"
    with pytest.raises(DataError, match=message):
        evaluate([cell], task(tmp_path / "images"), tmp_path)


@pytest.mark.parametrize("change", [rename, swap])
def test_models_of_one_run_see_the_same_images(
    weights: Path, images: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    shutil.copytree(images, tmp_path / "images")
    first, second = cells(weights, names=["test_vit", "test_resnet"])
    evaluate([first], task(tmp_path / "images"), tmp_path)
    change(min((tmp_path / "images").rglob("*.jpg")))
    with pytest.raises(DataError, match="changed since"):
        evaluate([second], task(tmp_path / "images"), tmp_path)


def test_a_broken_image_is_named_and_counted(
    weights: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(images, tmp_path / "images")
    broken = sorted((tmp_path / "images").rglob("*.jpg"))[:2]
    broken[0].write_bytes(broken[0].read_bytes()[:400])
    broken[1].write_bytes(b"no image")
    (cell,) = cells(weights, names=["test_vit"])
    (strict,) = evaluate([cell], task(tmp_path / "images"), tmp_path / "run").values()
    assert strict.values == {}
    assert re.fullmatch(
        r"broken images: n\S+/\S+ \(.+\), n\S+/\S+ \(.+\); mend them, or add --allow-missing 2",
        strict.reason,
    )
    original = images / broken[1].relative_to(tmp_path / "images")
    with monkeypatch.context() as changed:
        changed.setattr(scoring, "_CHUNK", 8)  # whole chunks of the first time are kept
        changed.setattr(scoring, "_NAMED", 1)
        (some,) = evaluate([cell], task(tmp_path / "images"), tmp_path / "mended").values()
        assert ") and 1 more; mend them" in some.reason
        shutil.copy(original, broken[1])
        (mended,) = evaluate([cell], task(tmp_path / "images"), tmp_path / "mended").values()
        assert mended.reason.endswith("add --allow-missing 1")
    broken[1].write_bytes(b"no image")
    lenient = task(tmp_path / "images", allow_missing=2)
    (outcome,) = evaluate([cell], lenient, tmp_path / "run").values()
    assert outcome.details["images"] == 40
    assert len(outcome.details["broken"]) == 2
    assert "not a kind of image that Pillow knows" in str(outcome.details["broken"])


def test_what_a_model_does_fails_its_own_cell(weights: Path, images: Path, tmp_path: Path) -> None:
    these = cells(weights, names=["test_vit", "test_resnet"])
    wrong = replace(these[0], model=replace(these[0].model, weights=str(images / "none.pth")))
    outcomes = evaluate([wrong, these[1]], task(images), tmp_path)
    assert "no weights at" in outcomes[wrong.key].reason
    assert outcomes[these[1].key].reason == ""


def test_what_was_found_is_told_with_the_values(
    weights: Path, images: Path, tmp_path: Path
) -> None:
    """Labels that ImageNet-ReaL's stand in for are held against no classes."""
    (cell,) = cells(weights, names=["test_vit"])
    (outcome,) = evaluate([cell], task(images), tmp_path / "run").values()
    assert outcome.details["opened"] == (
        "6 class folders, with ImageNet's numbers; 42 images; the model has 1,000 classes"
    )
    few = replace(cell, model=replace(cell.model, num_classes=10))
    said = "42 images; the model has 10 classes: set num_classes: 1000, or 6 where it was trained"
    with pytest.raises(DataError, match=said):
        evaluate([few], task(images), tmp_path)
    real = FOLDER.model_copy(update={"real_labels": "real.json"})
    assert accuracy.images(task(images, real), 10).size == 42


def test_nothing_finite_is_no_prediction(weights: Path, images: Path, tmp_path: Path) -> None:
    state = timm.models.load_state_dict(str(weights / "test_vit.safetensors"))
    state["head.bias"][3] = float("nan")
    torch.save(state, tmp_path / "nan.pth")
    (cell,) = cells(weights, names=["test_vit"])
    cell = replace(cell, model=replace(cell.model, weights=str(tmp_path / "nan.pth")))
    (outcome,) = evaluate([cell], task(images), tmp_path / "run").values()
    assert outcome.reason == "test_vit: gives values that are not finite"


def test_weights_of_another_size_are_resampled_where_the_model_says_so(
    weights: Path, images: Path, tmp_path: Path
) -> None:
    asked = task(images, FOLDER.model_copy(update={"image_size": 96}))
    (cell,) = cells(weights, names=["test_vit"])
    refused = evaluate([cell], asked, tmp_path / "refused")[cell.key]
    assert "for images of 160 px, and it is built for 96 px; add resample: true" in refused.reason
    cell = replace(cell, model=replace(cell.model, resample=True))
    outcome = evaluate([cell], asked, tmp_path / "resampled")[cell.key]
    assert outcome.details["resampled"] == {"image_size": 160}
    assert outcome.details["correct"]["top1"] > 0
    (same,) = evaluate([cell], task(images), tmp_path / "same").values()
    assert "resampled" not in same.details


def test_shared_preprocessing_has_the_settings_size(
    weights: Path, images: Path, tmp_path: Path
) -> None:
    these = cells(weights, names=["test_resnet", "test_mambaout"])
    shared = task(images, FOLDER.model_copy(update={"preprocessing": "shared"}))
    geometries = {
        str(outcome.details["preprocessing"]["geometry"])
        for outcome in evaluate(these, shared, tmp_path).values()
    }
    assert len(geometries) == 1
    assert "'image_size': 64" in geometries.pop()


def test_a_model_of_just_these_classes_of_imagenets_numbers_them(
    images: Path, tmp_path: Path
) -> None:
    file = tmp_path / "few.safetensors"
    teach("test_vit", file, 160, classes=len(CLASSES))
    few = Model("few", "few", "test", "timm", "test_vit", {}, str(file), len(CLASSES))
    cell = Cell(few, "accuracy", PLAIN)
    (outcome,) = evaluate([cell], task(images), tmp_path / "run").values()
    theirs, labels = timms_own(cell, images)
    assert np.array_equal(rows(cell, tmp_path / "run")["top5"], theirs)
    right = theirs == labels[:, None]
    assert outcome.details["correct"] == {"top1": right[:, 0].sum(), "top5": right.any(1).sum()}
    assert 0 < right[:, 0].sum() < len(labels)


def test_fewer_classes_to_choose_among(weights: Path, images: Path, tmp_path: Path) -> None:
    known = sorted({labels_of[0] for labels_of in timms_labels(images)})
    (tmp_path / "valid.txt").write_text("\n".join(map(str, known)))
    asked = FOLDER.model_copy(update={"valid_labels": "valid.txt"})
    (cell,) = cells(weights, names=["test_resnet"])
    evaluate([cell], task(images), tmp_path / "free")
    evaluate([cell], replace(task(images, asked), base=tmp_path), tmp_path)
    free, few = (rows(cell, folder)["top5"] for folder in (tmp_path / "free", tmp_path))
    assert not set(free.flat) <= set(known)
    assert set(few.flat) <= set(known)
    for all_classes, those in zip(free, few, strict=True):  # in the order that they had
        kept = [label for label in all_classes if label in known]
        assert list(those[: len(kept)]) == kept


def timms_labels(images: Path) -> Iterator[tuple[int]]:
    names = timm.data.ImageNetInfo().label_names()
    yield from ((names.index(folder.name),) for folder in images.iterdir())
