"""What goes together in a setting."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from cmx_bench.spec.settings import CpuSetting, CudaSetting


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"freeze": True}, "freeze: true is a way of compiling; add compile: default"),
        (
            {"runtime": "openvino", "compile": "default"},
            "runtime: openvino decides compile by itself; leave compile out",
        ),
        ({"runtime": "onnxruntime", "layout": "nhwc"}, "onnxruntime decides layout by itself"),
        ({"runtime": "aotinductor", "precision": "autocast"}, "autocast is torch's own"),
        (
            {"precision": "int8"},
            "int8 is for runtime: onnxruntime or openvino, on a CPU; torch runs",
        ),
        ({"precision": "int8", "runtime": "aotinductor"}, "on a CPU; aotinductor runs none on cpu"),
        ({"runtime": "tensorrt"}, "Input should be 'torch', 'aotinductor', 'onnxruntime' or"),
    ],
)
def test_what_does_not_go_together(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        CpuSetting(name="s", **values)  # type: ignore[arg-type]
    assert message in str(error.value)


@pytest.mark.parametrize("runtime", ["torch", "aotinductor", "onnxruntime", "tensorrt"])
def test_no_runtime_has_int8_on_cuda(runtime: str) -> None:
    with pytest.raises(ValidationError, match=f"on a CPU; {runtime} runs none on cuda"):
        CudaSetting(name="s", precision="int8", runtime=runtime)  # type: ignore[arg-type]


def test_what_goes_together() -> None:
    assert CpuSetting(name="s", compile="default", freeze=True).freeze
    assert CpuSetting(name="s", runtime="aotinductor", layout="nhwc").runtime == "aotinductor"
    assert CudaSetting(name="s", runtime="tensorrt").precision == "fp16"
