"""The table of runtimes: what it says stands elsewhere too, and must be the same there."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import get_args

import pytest

from cmx_bench import cell
from cmx_bench.cell import Runtime, Setting
from cmx_bench.measures import runtimes
from cmx_bench.measures.runtimes import RUNTIMES
from cmx_bench.spec.settings import CpuSetting, CudaSetting

ROOT = Path(__file__).parents[3]


def test_a_setting_may_name_each_runtime_where_it_runs() -> None:
    assert tuple(RUNTIMES) == get_args(cell.Runtime)
    for kind, setting in (("cpu", CpuSetting), ("cuda", CudaSetting)):
        may = get_args(setting.model_fields["runtime"].annotation)
        assert may == tuple(name for name, info in RUNTIMES.items() if kind in info.needs)


def test_extras_bring_what_runtimes_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for info in RUNTIMES.values():
        for kind, extra in info.extras.items():
            needs = [*info.needs[kind], *info.int8.get(kind, ())]
            assert project["optional-dependencies"][extra] == needs


NEW = {"onnx": "1.23.2", "onnxscript": "0.7.2", "onnxruntime": "1.32.0"}


@pytest.mark.parametrize(
    ("names", "installed", "expected"),
    [
        (["torch", "aotinductor"], {}, ""),
        (["onnxruntime"], NEW, ""),
        (["onnxruntime"], {**NEW, "onnxruntime": "1.30.0rc1"}, ""),
        (
            ["onnxruntime"], {**NEW, "onnxruntime": "1.9.0"},
            "onnxruntime needs onnxruntime>=1.22, and 1.9.0 is installed: pip install --upgrade "
            "'cmx-bench[onnxruntime]', or measure the others with --only '!*-onnxruntime*'",
        ),
        (
            ["torch", "onnxruntime", "openvino"], NEW,
            "openvino needs openvino, which is not installed: pip install --upgrade "
            "'cmx-bench[openvino]', or measure the others with --only '!*-openvino*'",
        ),
        (
            ["openvino", "onnxruntime"], {},
            "openvino needs openvino, which is not installed; onnxruntime needs onnx, which is not "
            "installed: pip install --upgrade 'cmx-bench[openvino,onnxruntime]', or measure the "
            "others with --only '!*-openvino*' --only '!*-onnxruntime*'",
        ),
    ],
)  # fmt: skip
def test_what_is_not_installed_is_named(
    names: list[Runtime], installed: dict[str, str], expected: str
) -> None:
    assert runtimes.lack(names, "cpu", installed) == expected


def test_an_extra_that_two_runtimes_need_is_named_once() -> None:
    message = runtimes.lack(["onnxruntime", "tensorrt"], "cuda", {})
    assert "'cmx-bench[onnxruntime-gpu]'" in message


def test_what_quantises_is_needed_for_int8_alone() -> None:
    installed = {"openvino": "2026.1.0"}
    assert not runtimes.lack(["openvino"], "cpu", installed)
    lack = "openvino needs nncf, which is not installed: pip install --upgrade 'cmx-bench[openvino]"
    assert runtimes.lack(["openvino"], "cpu", installed, ["openvino"]).startswith(lack)
    old = runtimes.lack(["openvino"], "cpu", {**installed, "nncf": "2.5.0"}, ["openvino"])
    assert old.startswith("openvino needs nncf>=2.17, and 2.5.0 is installed: ")
    assert old.endswith("measure the others with --only '!*-int8-*-openvino*'")
    assert runtimes.lack(["openvino"], "cpu", {}, ["openvino"]).endswith("--only '!*-openvino*'")


def test_the_version_of_torch_is_that_of_what_comes_with_it() -> None:
    setting = Setting("s", "cpu", "fp32", "nchw", "none", 1, 8, runtime="aotinductor")
    assert runtimes.version(setting).startswith("aotinductor 2.")
