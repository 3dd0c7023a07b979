"""Keys are a promise: these are written out, and must never change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cmx_bench.cell import Cell, Model, Setting

PAPER = Setting("paper", "cuda:1", "fp16", "nchw", "none", 64, 224)
MODEL = Model("convmixer_768_32", "ConvMixer-768/32", "convmixer", "convmixer", "")


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        (PAPER, "cuda-fp16-nchw-eager-b64-r224"),
        (
            replace(PAPER, layout="nhwc", compile="max-autotune"),
            "cuda-fp16-nhwc-max_autotune-b64-r224",
        ),
        (replace(PAPER, cudnn_benchmark=False), "cuda-fp16-nchw-eager-b64-r224-no_cudnn_benchmark"),
        (
            replace(PAPER, device="cpu", precision="fp32", batch_size=1, threads=4),
            "cpu-fp32-nchw-eager-b1-r224-t4",
        ),
        (replace(PAPER, name="other"), "cuda-fp16-nchw-eager-b64-r224"),
        (replace(PAPER, compile="default", freeze=True), "cuda-fp16-nchw-default-b64-r224-frozen"),
        (replace(PAPER, device="cpu", runtime="openvino"), "cpu-fp16-nchw-eager-b64-r224-openvino"),
        (
            replace(PAPER, cudnn_benchmark=False, hardware="NVIDIA A100-SXM4-80GB"),
            "cuda-fp16-nchw-eager-b64-r224-no_cudnn_benchmark-nvidia_a100_sxm4_80gb",
        ),
        (
            replace(PAPER, hardware="Intel(R) Xeon(R) CPU @ 2.50GHz, cores 4"),
            "cuda-fp16-nchw-eager-b64-r224-intel_r_xeon_r_cpu_2_50ghz_cores_4",
        ),
    ],
)  # fmt: skip
def test_setting_keys(setting: Setting, key: str) -> None:
    assert setting.key == key


def test_cell_keys() -> None:
    cell = Cell(MODEL, "throughput", PAPER)
    assert cell.key == "convmixer_768_32/throughput/cuda-fp16-nchw-eager-b64-r224"
    assert Cell(MODEL, "macs", PAPER, "resolution").key == "convmixer_768_32/macs/r224"
