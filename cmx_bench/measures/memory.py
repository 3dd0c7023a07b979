"""Peak memory of a forward pass: what torch's allocator handed out, or what the process grew by."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import psutil
import torch

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import Samples
from cmx_bench.measures.forward import prepare


def measure(model: Model, setting: Setting) -> Samples:
    """Bytes, at the peak of a second forward pass."""
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


def _on_cpu(model: Model, setting: Setting) -> Samples:
    """Growth of this process from before the model was there to the peak of a second pass."""
    before = psutil.Process().memory_info().rss
    forward = prepare(model, setting)
    forward()  # compiles, where the setting asks for it, and lets libraries set up their buffers
    forget_peak()
    forward()
    return {"peak_memory": [peak_resident() - before]}


def forget_peak() -> None:
    """Lets the kernel count the peak anew, so that temporaries of building do not stand for it.

    Linux only; elsewhere the peak since the process started, building included, is what there is.
    """
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def peak_resident() -> int:
    """Bytes. /proc knows the peak since `forget_peak`; getrusage the one of the whole process."""
    status = Path("/proc/self/status")
    if status.exists():
        text = status.read_text()
        return int(text.partition("VmHWM:")[2].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
