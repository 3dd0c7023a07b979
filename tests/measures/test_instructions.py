"""Flags of real CPUs, as Linux names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmx_bench.cell import Precision, Setting
from cmx_bench.measures import instructions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "flags : fpu avx512_bf16 amx_bf16 avx512_fp16 avx512_vnni amx_int8\n",
            ("AMX", "AVX-512", "AMX"),
        ),
        (
            "model name\t: AMD EPYC\nflags\t\t: fpu f16c avx_vnni\n",
            ("emulated", "emulated", "AVX-VNNI"),
        ),
        ("flags : fpu avx2\n\nflags : avx512_bf16\n", ("emulated", "emulated", "emulated")),
        (
            "Features : fp asimd asimddp asimdhp bf16\n",
            ("Arm's BF16", "Arm's FP16", "Arm's dot product"),
        ),
    ],
)
def test_instructions_of_a_cpu(
    text: str, expected: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    monkeypatch.setattr(instructions, "_CPUINFO", file)
    assert instructions.of_cpu() == dict(zip(("bf16", "fp16", "int8"), expected, strict=True))
    file.unlink()
    assert instructions.of_cpu() == {}


@pytest.mark.parametrize(
    ("device", "precision", "emulated"),
    [
        ("cpu", "fp32", ""), ("cpu", "bf16", "bf16"), ("cpu", "autocast", "bf16"),
        ("cpu", "fp16", ""), ("cpu", "int8", "int8"), ("cuda:0", "bf16", ""),
    ],
)  # fmt: skip
def test_what_a_setting_has_emulated(device: str, precision: Precision, emulated: str) -> None:
    setting = Setting("s", device, precision, "nchw", "none", 1, 8)
    machine = {"bf16": "emulated", "fp16": "AVX-512", "int8": "emulated"}
    assert instructions.emulated(setting, machine) == emulated
    assert instructions.emulated(setting, {}) == ""
