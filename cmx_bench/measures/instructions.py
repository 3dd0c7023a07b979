"""What Linux says of the CPU, and by which instructions it computes in less than fp32."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from cmx_bench.cell import Setting
from cmx_bench.measures import jiffies

_CPUINFO = Path("/proc/cpuinfo")
_INSTRUCTIONS = {
    "bf16": {"amx_bf16": "AMX", "avx512_bf16": "AVX-512", "bf16": "Arm's BF16"},
    "fp16": {"amx_fp16": "AMX", "avx512_fp16": "AVX-512", "asimdhp": "Arm's FP16"},
    "int8": {
        "amx_int8": "AMX", "avx512_vnni": "AVX-512 VNNI", "avx_vnni": "AVX-VNNI",
        "i8mm": "Arm's I8MM", "asimddp": "Arm's dot product",
    },
}  # fmt: skip


def cpu_field(field: str) -> str:
    """A field of the first core; empty where there is none."""
    text = jiffies.system_text(_CPUINFO)
    match = re.search(rf"^{field}\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else ""


def of_cpu() -> dict[str, str]:
    """By which instructions the CPU computes bf16, fp16 and int8, "emulated" where it has none;
    empty where the system does not tell."""
    flags = (cpu_field("flags") or cpu_field("Features")).split()
    return {
        precision: next((name for flag, name in known.items() if flag in flags), "emulated")
        for precision, known in (_INSTRUCTIONS.items() if flags else ())
    }


def emulated(setting: Setting, machine: Mapping[str, object]) -> str:
    """What a setting has a CPU compute in that has no instructions for it; empty where it has.

    Args:
        machine: with what `of_cpu` says.
    """
    numbers = "bf16" if setting.precision == "autocast" else setting.precision
    return numbers if setting.kind == "cpu" and machine.get(numbers) == "emulated" else ""
