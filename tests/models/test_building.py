"""Models from each kind of source, and what cannot be built."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import ModelError, RefusedModelError
from cmx_bench.measures.counting.twice import count
from cmx_bench.measures.forward import place
from cmx_bench.measures.planned_memory import planned_peak
from cmx_bench.models import building
from cmx_bench.models.building import build, build_on_meta
from cmx_bench.models.convmixer import ConvMixer


def model(source: str, target: str = "", **args: object) -> Model:
    return Model("m", "M", "f", source, target, args, num_classes=7)  # type: ignore[arg-type]


def test_a_convmixer() -> None:
    built = build(model("convmixer", dim=8, depth=1, kernel_size=3, patch_size=7), 28)
    assert isinstance(built, ConvMixer)
    assert not built.training
    assert built(torch.zeros(2, 3, 28, 28)).shape == (2, 7)


@pytest.mark.parametrize(
    "name", ["resmlp_12_224", "mixer_s32_224", "deit_tiny_patch16_224", "resnet10t"]
)
@pytest.mark.parametrize("size", [96, 224])
def test_timm_models_are_built_for_the_image_size(name: str, size: int) -> None:
    built = build_on_meta(lambda: build(model("timm", name), size))
    with torch.device("meta"):
        assert built(torch.zeros(2, 3, size, size)).shape == (2, 7)


def test_a_python_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "def build(width): return nn.Conv2d(3, width, 1)\n"
        "def no(): return 3\n"
        "def chain(widths): return nn.Sequential(*(nn.Conv2d(3, w, 1) for w in [*widths + [3]]))\n"
    )
    monkeypatch.chdir(tmp_path)
    built = build(model("python", "mine:build", width=5), 8)
    assert isinstance(built, nn.Conv2d)
    assert built.out_channels == 5
    chain = build(model("python", "mine:chain", widths=(4, 5)), 8)  # which gets a list
    assert [layer.out_channels for layer in chain.modules() if isinstance(layer, nn.Conv2d)] == [
        4, 5, 3,
    ]  # fmt: skip
    with pytest.raises(ModelError, match="returned int, expected an nn.Module"):
        build(model("python", "mine:no"), 8)


def test_what_a_python_model_reads_is_part_of_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reading.py").write_text(
        "from torch import nn\n"
        "def build():\n"
        "    with open('notes', 'a') as notes: notes.write('built')\n"
        "    return nn.Conv2d(3, int(open('width.txt').read()), 1)\n"
    )
    (tmp_path / "width.txt").write_text("4")
    monkeypatch.chdir(tmp_path)
    own = model("python", "reading:build")
    build(own, 8)
    before = building.origin(own)
    build(own, 8)
    assert building.origin(own) == before  # what is written is no part of it
    (tmp_path / "width.txt").write_text("5")
    assert building.origin(own)["sha256"] != before["sha256"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (model("convmixer", dim=8, depth=1, width=3), "unexpected keyword argument 'width'"),
        (model("timm", "resnet10t", widht=3), "unexpected keyword argument 'widht'"),
        (model("timm", "resnet18", layers=1), "write x: [[1, 2]] for x: [1, 2]"),
    ],
)
def test_what_cannot_be_built(wrong: Model, message: str) -> None:
    with pytest.raises(ModelError, match="m: cannot be built: ") as error:
        build(wrong, 224)
    assert message in str(error.value)


def test_tensors_that_a_module_makes_on_import_have_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "constant.py").write_text(
        "import torch\nfrom torch import nn\n\n"
        "MEAN, RATES = torch.ones(3, 1, 1), torch.linspace(0, 0.1, 3)\n\n"
        "class Shifted(nn.Conv2d):\n"
        "    def __init__(self):\n"
        "        super().__init__(3, 2, 1)\n"
        "        self.rates = [float(rate) for rate in RATES]\n\n"
        "    def forward(self, x):\n"
        "        return super().forward(x - MEAN)\n"
    )
    monkeypatch.chdir(tmp_path)
    shifted = model("python", "constant:Shifted")
    assert count(lambda: build(shifted, 8), 8).macs == 3 * 2 * 64
    assert planned_peak(lambda: build(shifted, 8), (1, 3, 8, 8), torch.float32) > 2 * 768


def test_a_module_whose_own_train_gives_nothing_and_that_changes_a_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "freezing.py").write_text(
        "import torch\nfrom torch import nn\n\n"
        "torch.set_default_dtype(torch.float64)\n\n"
        "class Freezing(nn.Conv2d):\n"
        "    def train(self, mode=True):\n"
        "        super().train(mode)\n"
        "        self.requires_grad_(False)\n"
    )
    monkeypatch.chdir(tmp_path)
    freezing = model("python", "freezing:Freezing", in_channels=3, out_channels=2, kernel_size=1)
    assert count(lambda: build(freezing, 8), 8).macs == 3 * 2 * 64
    assert torch.get_default_dtype() is torch.float32
    assert not place(build(freezing, 8), Setting("s", "cpu", "fp32", "nchw", "none", 1, 8)).training


def test_an_exported_program_is_told_with_what_to_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "exported_models.py").write_text(
        "import torch\n\n"
        "def exported():\n"
        "    images = (torch.zeros(1, 3, 8, 8),)\n"
        "    return torch.export.export(torch.nn.Flatten(), images).module()\n"
    )
    monkeypatch.chdir(tmp_path)
    model = Model("m", "M", "m", "python", "exported_models:exported", num_classes=10)
    with pytest.raises(ModelError, match="m: cannot be built: .*; return the module that was exp"):
        build(model, 8)


def test_one_module_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "MOST_MODULES", 3)
    with building.limiting():
        nn.Sequential(nn.ReLU(), nn.ReLU(), nn.ReLU())
    with (
        pytest.raises(RefusedModelError, match="has over 3 modules; give it less depth"),
        building.limiting(),
    ):
        nn.Sequential(nn.ReLU(), nn.ReLU(), nn.ReLU(), nn.ReLU())


def test_one_parameter_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "MOST_PARAMETERS", 12)
    with torch.device("meta"):
        with building.limiting():
            nn.Linear(3, 3)  # 9 weights, 3 biases
        with pytest.raises(RefusedModelError, match="has over 12 parameters"), building.limiting():
            nn.Linear(3, 4)
        with building.limiting():
            nn.Linear(4, 3, bias=False)  # a bias that is not there counts nothing


def test_nothing_is_counted_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "MOST_MODULES", 0)
    with pytest.raises(RefusedModelError), building.limiting():
        nn.Sequential(nn.ReLU())
    assert len(nn.Sequential(nn.ReLU())) == 1
