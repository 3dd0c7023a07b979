"""Peak memory of a forward pass: what torch's allocator handed out, or what the process grew by."""

from __future__ import annotations

import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import torch

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import SkipError
from cmx_bench.measures import Samples, Watched
from cmx_bench.measures.forward import prepare


def measure(model: Model, setting: Setting) -> Samples | Watched:
    """Bytes, at the peak of a second forward pass.

    Raises:
        SkipError: the system does not tell what a process holds.
    """
    return _on_cpu(model, setting) if setting.kind == "cpu" else _on_cuda(model, setting)


def _on_cuda(model: Model, setting: Setting) -> Samples:
    """The allocator's own peaks: weights, input, activations and workspaces of a second pass; and
    what the device has in use more than before, which nobody else may have changed meanwhile.

    With CUDA graphs (reduce-overhead, max-autotune) that is the pass that is recorded: later ones
    allocate nothing, in the memory that it reserved.
    """
    before = _in_use(setting.device)
    forward = prepare(model, setting)
    forward()  # cuDNN tries its algorithms, with workspaces that later passes do not need
    torch.cuda.synchronize(setting.device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(setting.device)
    forward()
    torch.cuda.synchronize(setting.device)
    return {
        "peak_memory": [torch.cuda.max_memory_allocated(setting.device)],
        "reserved_memory": [torch.cuda.max_memory_reserved(setting.device)],
        "device_memory": [_in_use(setting.device) - before],
    }


def _in_use(device: str) -> int:
    """Bytes of the device that are in use, by whomever; makes a context where there is none."""
    free, total = torch.cuda.mem_get_info(device)
    return total - free


def _on_cpu(model: Model, setting: Setting) -> Samples | Watched:
    """Growth of this process from before the model was there to the peak of a second pass."""
    before = resident()
    forward = prepare(model, setting)
    forward()  # compiles, where the setting asks for it, and lets libraries set up their buffers
    anew = forget_peak()
    forward()
    return counted_from({"peak_memory": [peak_resident() - before]}, anew)


def resident() -> int:
    """Bytes that this process holds.

    Raises:
        SkipError: the system does not tell.
    """
    try:
        return int(psutil.Process().memory_info().rss)
    except (OSError, LookupError, ValueError, psutil.Error) as error:
        raise SkipError(
            "the system does not tell how much memory a process holds: mount /proc"
        ) from error


_PROCESS = Path("/proc/self")


def forget_peak() -> bool:
    """Lets the kernel count the peak anew, so that temporaries of building do not stand for it;
    gives whether it does.

    That is on Linux, where /proc may be written; elsewhere the peak since the process started,
    building included, is what there is.
    """
    try:
        (_PROCESS / "clear_refs").write_text("5")
    except OSError:
        return False
    return _high_water() is not None


def peak_resident() -> int:
    """Bytes. /proc knows the peak since `forget_peak`; getrusage the one of the whole process."""
    if (peak := _high_water()) is not None:
        return peak
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Counted less exactly than what a process holds now, and behind it by some 100 kB.
    return max(resident(), peak if sys.platform == "darwin" else peak * 1024)


def _high_water() -> int | None:
    with suppress(OSError):
        status = (_PROCESS / "status").read_text(encoding="utf-8")
        if found := re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE):
            return int(found[1]) * 1024
    return None


def counted_from(peaks: Samples, anew: bool) -> Samples | Watched:
    """Peaks, with what they count from where that is not the pass alone."""
    return peaks if anew else Watched(peaks, details={"peak_since": "the start of the process"})
