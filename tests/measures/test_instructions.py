"""Flags of real CPUs, as Linux names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmx_bench.measures import instructions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flags : fpu avx2 avx512_bf16 amx_bf16 avx512_vnni amx_int8\n", ("AMX", "AMX")),
        ("model name\t: AMD EPYC\nflags\t\t: fpu avx2 avx_vnni\n", ("emulated", "AVX-VNNI")),
        ("flags : fpu avx2\n\nflags : avx512_bf16\n", ("emulated", "emulated")),
        ("Features : fp asimd asimddp bf16\n", ("Arm's BF16", "Arm's dot product")),
    ],
)
def test_instructions_of_a_cpu(
    text: str, expected: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    monkeypatch.setattr(instructions, "_CPUINFO", file)
    assert instructions.of_cpu() == dict(zip(("bf16", "int8"), expected, strict=True))
    file.unlink()
    assert instructions.of_cpu() == {}
