"""Training itself: it learns, it is the same twice and after a pause, it stops where it must."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cmx_bench.cell import Model
from cmx_bench.errors import ModelError
from cmx_bench.models.building import build
from cmx_bench.spec.recipe import Recipe
from cmx_bench.training import checkpoints
from cmx_bench.training.loop import Epoch, Training, synchronise

from .test_batches import STRONG, images, recipe

FAMILIES = {
    "convmixer": {"dim": 16, "depth": 2, "kernel_size": 3, "patch_size": 4},
    "resnet": {"width": 8, "layers": "1-1-1-1", "block": "basic"},
    "deit": {"dim": 24, "depth": 2, "heads": 3, "mlp_dim": 48, "patch_size": 4},
    "resmlp": {"dim": 24, "depth": 2, "patch_size": 4},
    "mixer": {"dim": 24, "depth": 2, "patch_size": 4},
}
HARD: dict[str, Any] = {
    "augmentation": STRONG, "mixup": 0.5, "cutmix": 0.5, "label_smoothing": 0.1,
    "clip_grad_norm": 1.0, "batch_size": 16, "epochs": 2,
    # A larger eps, as in the paper: without it, a gradient of nearly 0 moves by its sign alone.
    "optimizer": {"lr": 0.01, "eps": 1e-3},
}  # fmt: skip


def model(family: str) -> Model:
    return Model("m", "m", family, family, "", FAMILIES[family], num_classes=10)  # type: ignore[arg-type]


def set_up(asked: Recipe, family: str = "convmixer", seed: int = 0) -> Training:
    return Training(
        model(family), asked, images(asked.augmentation, seed), 16, seed, "cpu"
    )  # fmt: skip


def train(training: Training) -> list[Epoch]:
    return list(training.epochs(lambda images: None))


def weights(training: Training) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in training.module.state_dict().items()}


def same(state: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in state.items())


class OneBatch:
    """The first images of a data set, over and over."""

    def __init__(self, count: int) -> None:
        dataset = images(recipe().augmentation)
        self._values: list[Any] = [dataset[0, number] for number in range(count)]

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, place: tuple[int, int]) -> Any:
        return self._values[place[1]]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_learns_one_batch_by_heart(family: str) -> None:
    asked = recipe(
        batch_size=16, epochs=80, optimizer={"lr": 0.01}, schedule={"name": "constant"}
    )  # fmt: skip
    training = Training(model(family), asked, OneBatch(16), 16, 0, "cpu")  # type: ignore[arg-type]
    epochs = train(training)
    assert epochs[0].loss > 1.5 and epochs[-1].loss < 0.05


def test_the_same_seed_gives_the_same_weights_and_another_others() -> None:
    first, twin, other = (set_up(recipe(**HARD), seed=seed) for seed in (0, 0, 1))
    curves = [[epoch.loss for epoch in train(training)] for training in (first, twin, other)]
    assert curves[0] == curves[1] != curves[2]
    assert same(weights(first), weights(twin)) and not same(weights(first), weights(other))


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_training_that_goes_on_ends_as_one_that_never_stopped(
    tmp_path: Path, channels_last: bool
) -> None:
    asked = recipe(**HARD, channels_last=channels_last)
    whole = set_up(asked)
    curve = train(whole)
    broken_off = set_up(asked)
    first = next(broken_off.epochs(lambda images: None))
    checkpoints.write_state(tmp_path / "state.pt", broken_off.state_dict())
    state = checkpoints.read_state(tmp_path / "state.pt")
    assert state is not None
    resumed = set_up(asked, seed=0)
    resumed.load_state_dict(state)
    rest = train(resumed)
    assert [first.loss, *(epoch.loss for epoch in rest)] == [epoch.loss for epoch in curve]
    assert same(weights(resumed), weights(whole))


def test_channels_last_changes_rounding_alone() -> None:
    plain, turned = (set_up(recipe(**HARD, channels_last=asked)) for asked in (False, True))
    first = next(parameter for parameter in turned.module.parameters() if parameter.ndim == 4)
    assert first.is_contiguous(memory_format=torch.channels_last) and not first.is_contiguous()
    train(plain)
    train(turned)
    ours, theirs = weights(plain), weights(turned)
    assert not same(ours, theirs)
    for name, value in ours.items():
        torch.testing.assert_close(theirs[name], value, atol=1e-4, rtol=1e-4)


def test_the_rate_follows_the_schedule_and_every_image_is_counted() -> None:
    counts: list[int] = []
    asked = recipe(batch_size=16, epochs=5, optimizer={"lr": 0.01})
    epochs = list(set_up(asked).epochs(counts.append))
    assert [epoch.lr for epoch in epochs] == pytest.approx([0.005, 0.01, 0.00525, 0.0005, 0])
    assert [epoch.images for epoch in epochs] == [48] * 5
    assert all(0 < epoch.data_seconds < epoch.seconds for epoch in epochs)
    assert counts[-1] == 240 and len(counts) == 15


@pytest.mark.parametrize(
    ("amp", "device", "half"),
    [
        (True, "cuda:0", torch.float16),
        ("bf16", "cuda:0", torch.bfloat16),
        (False, "cuda:0", None),
        ("bf16", "cpu", None),
    ],
)
def test_in_what_a_gpu_computes(amp: object, device: str, half: torch.dtype | None) -> None:
    training = set_up(recipe(amp=amp))
    training.device = device
    assert training._half == half


def test_a_loss_that_is_not_finite_stops_with_its_place() -> None:
    asked = recipe(batch_size=16, optimizer={"lr": 1e6, "name": "sgd"}, epochs=2)
    with pytest.raises(ModelError, match="m: the loss became (nan|inf) in epoch 1, at a learning"):
        train(set_up(asked, "mixer"))


def test_gradients_are_clipped_and_weights_decay_as_asked() -> None:
    wild = {"batch_size": 48, "epochs": 1, "schedule": {"name": "constant"}}
    sgd = {"name": "sgd", "lr": 1.0, "momentum": 0.0}

    def move(**parts: Any) -> float:
        training = set_up(recipe(**wild, **parts), "mixer")
        before = weights(training)
        train(training)
        steps = [(value - before[name]).square().sum() for name, value in weights(training).items()]
        return float(torch.stack(steps).sum().sqrt())

    assert move(optimizer=sgd) > 0.011
    assert move(optimizer=sgd, clip_grad_norm=0.01) == pytest.approx(0.01, rel=1e-3)
    training = set_up(recipe(**wild, optimizer={"lr": 0.1, "weight_decay": 0.5}), "mixer")
    groups = {
        group["weight_decay"]: len(group["params"]) for group in training._optimizer.param_groups
    }
    assert groups.keys() == {0.0, 0.5}
    training = set_up(
        recipe(**wild, optimizer={"lr": 0.1, "weight_decay": 0.5, "decay": "all"}), "mixer"
    )
    assert {group["weight_decay"] for group in training._optimizer.param_groups} == {0.5}


def test_each_point_is_passed_once_a_step() -> None:
    passed: list[None] = []
    asked = recipe(batch_size=16, epochs=2)
    training = Training(
        model("mixer"), asked, images(), 16, 0, "cpu", advance=lambda: passed.append(None)
    )
    train(training)
    assert len(passed) == 1 + 3 * 6  # built; then a batch, its logits, its update


def test_a_process_that_waits_in_shared_batchnorm_has_passed_a_point() -> None:
    passed: list[None] = []
    shared = synchronise(build(model("convmixer"), 16), lambda: passed.append(None))
    shared.eval()(torch.zeros(2, 3, 16, 16))
    assert not passed  # where the first process evaluates it waits for nobody
    shared.train()(torch.zeros(2, 3, 16, 16))
    assert len(passed) == 5  # the patches', and two in each of two layers


@pytest.mark.parametrize("name", ["convmixer", "resnet10t", "efficientnet_b0"])
def test_shared_batchnorm_computes_what_the_models_does(name: str) -> None:
    """EfficientNet's has its activation within it."""
    asked = model(name) if name in FAMILIES else Model(name, name, "other", "timm", name)
    ours, theirs = (build(asked, 32).eval() for _ in range(2))
    ours.load_state_dict(theirs.state_dict())
    shared = synchronise(ours, lambda: None).eval()
    assert any(isinstance(layer, torch.nn.SyncBatchNorm) for layer in shared.modules())
    values = torch.randn(2, 3, 32, 32)
    assert torch.equal(shared(values), theirs(values))
