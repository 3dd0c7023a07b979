"""Peak memory of a forward pass: what torch's allocator handed out, or what the process grew by."""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil
import torch

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import CmxError, SkipError
from cmx_bench.measures import Samples, Watched, compiled, forked, jiffies, ready, runtimes
from cmx_bench.measures.forward import Forward, images, place
from cmx_bench.measures.ready import prepare
from cmx_bench.models import importing
from cmx_bench.models.building import build, build_on_meta, origin


def measure(model: Model, setting: Setting) -> Samples | Watched:
    """Bytes, at the peak of a second forward pass.

    Raises:
        SkipError: the system does not tell what a process holds.
    """
    if setting.kind == "cpu":
        return _on_cpu(model, setting) if setting.runtime == "torch" else _of_file(model, setting)
    return _on_cuda(model, setting)


def _on_cuda(model: Model, setting: Setting) -> Samples | Watched:
    """The allocator's own peaks: weights, input, activations and workspaces of a second pass; and
    what the device has in use more than before, which nobody else may have changed meanwhile.

    With CUDA graphs (reduce-overhead, max-autotune) that is the pass that is recorded: later ones
    allocate nothing, in the memory that it reserved. Of another runtime than torch, which has an
    allocator of its own, what the device has in use is all that is known.
    """
    before = _in_use(setting.device)
    prepared = prepare(model, setting)
    forward = prepared.forward
    forward()  # cuDNN tries its algorithms, with workspaces that later passes do not need
    torch.cuda.synchronize(setting.device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(setting.device)
    forward()
    torch.cuda.synchronize(setting.device)
    if setting.runtime != "torch":
        used = {"device_memory": [float(_in_use(setting.device) - before)]}
        return Watched(used, details=prepared.details)
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
    import_code(model, setting.image_size)
    before = resident()
    prepared = prepare(model, setting)
    return _grown(before, prepared.forward, prepared.details)


def _of_file(model: Model, setting: Setting) -> Samples | Watched:
    """Growth of this process from before an exported model was loaded to the peak of a second pass.

    Another process exports it, for whoever runs an exported model has no module of torch beside it.
    """
    with compiled.folder_of_process() as home:
        folder, details = forked.call(_export, model, setting, home)
        load = runtimes.functions(setting.runtime).load  # the library is there before the model is
        before = resident()
        batch, loaded = images(setting), load(folder, setting)
        return _grown(before, partial(loaded.call, batch), details)


def _grown(before: int, forward: Forward, details: Mapping[str, Any]) -> Samples | Watched:
    forward()  # compiles, where the setting asks for it, and lets libraries set up their buffers
    anew = forget_peak()
    forward()
    return counted_from({"peak_memory": [float(peak_resident() - before)]}, anew, details)


def _export(model: Model, setting: Setting, home: Path) -> tuple[Path, Mapping[str, Any]]:
    module, batch = place(build(model, setting.image_size), setting), images(setting)
    module = ready.initialise(module, batch, setting, model)
    exported = ready.export_module(module, batch, setting, home)
    # What was imported for it is known here alone.
    known = {"origin": found} if (found := origin(model)) else {}
    return exported.folder, {**exported.details, **known}


def import_code(model: Model, image_size: int) -> None:
    """Imports what a user's model is made of: code is no part of the memory that a model needs.

    Many builders import theirs when they are called. So a fork builds the model, and tells what was
    imported: in this process an allocator would keep room from it, in which the measured one lies.
    """
    if model.source == "python":
        with suppress(CmxError):  # what is wrong with the model shows where it is measured
            for name in forked.call(_imports_of, model, image_size):
                with suppress(Exception):  # of modules that only others can import
                    importing.module_of(name)


def _imports_of(model: Model, image_size: int) -> list[str]:
    """The modules that are imported where a model is built, in their order."""
    before = set(sys.modules)
    with suppress(CmxError):
        build_on_meta(partial(build, model, image_size))
    return [name for name in sys.modules if name not in before]


def resident() -> int:
    """The bytes that this process holds, without code of libraries.

    Raises:
        SkipError: the system does not tell.
    """
    try:
        return int(psutil.Process().memory_info().rss) - _code()
    except (OSError, LookupError, ValueError, psutil.Error) as error:
        raise SkipError(
            "the system does not tell how much memory a process holds: mount /proc"
        ) from error


# Where shared libraries are installed, besides `site-packages` wherever that lies.
_INSTALLED = tuple(
    f"{folder}/" for folder in ("/usr", "/lib", "/lib64", sys.prefix, sys.base_prefix)
)


def _code() -> int:
    """The bytes of installed libraries that this process has touched. torch alone touches some
    32 MiB in its first pass, whatever the model. What is compiled for a model is the model's."""
    try:
        maps = psutil.Process().memory_maps()
    except (AttributeError, OSError, psutil.Error):  # not every system tells
        return 0
    return sum(
        each.rss
        for each in maps
        if ".so" in each.path and (each.path.startswith(_INSTALLED) or "-packages/" in each.path)
    )


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
    """Bytes, without code of libraries. /proc knows the peak since `forget_peak`; getrusage the one
    of the whole process."""
    if (peak := _high_water()) is not None:
        return peak - _code()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Counted less exactly than what a process holds now, and behind it by some 100 kB.
    return max(resident(), (peak if sys.platform == "darwin" else peak * 1024) - _code())


def _high_water() -> int | None:
    status = jiffies.system_text(_PROCESS / "status")
    peak = re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)
    return None if peak is None else int(peak[1]) * 1024


def counted_from(
    peaks: Samples, anew: bool, details: Mapping[str, Any] = MappingProxyType({})
) -> Samples | Watched:
    """Peaks with their details, and with what they count from where that is not the pass alone."""
    since = {} if anew else {"peak_since": "the start of the process"}
    every = {**details, **since}
    return Watched(peaks, details=every) if every else peaks
