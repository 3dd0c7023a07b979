"""The runtimes that a setting may name: what each needs, and where its two functions are.

`torch` runs a module as it is. Every other runtime has a module here with its name: `export` turns
a placed module into files, once for all processes of a cell, and `load` makes of these what runs a
batch. One that runs int8 has a third, `quantise`, between them. The table below imports none of
them.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from packaging.requirements import Requirement

from cmx_bench.cell import Runtime, Scalar, Setting

if TYPE_CHECKING:
    from torch import Tensor, nn

# From images `(batch_size, 3, image_size, image_size)` on the setting's device to logits there.
Call: TypeAlias = "Callable[[Tensor], Tensor]"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that a runtime has ready; `options` are the choices by which it runs, as the runtime
    names them."""

    call: Call
    options: Mapping[str, Scalar]


class Functions(Protocol):
    """What the module of a runtime has.

    `export` and `load` raise a `SkipError` where this machine lacks what the runtime needs for the
    setting, and an `ExportError` where it cannot take the model.
    """

    @staticmethod
    def export(module: nn.Module, batch: Tensor, folder: Path, setting: Setting) -> None:
        """Writes the module into an empty folder, for batches of the shape of `batch`."""

    @staticmethod
    def quantise(folder: Path, batches: Sequence[Tensor], bits: int) -> tuple[int, int]:
        """Has the folder's model compute in int8, calibrated on these batches of images; gives how
        many of its convolutions and matrix products do, and how many there are.

        Args:
            bits: 8, or 7 for weights of half the range.
        """

    @staticmethod
    def load(folder: Path, setting: Setting) -> Loaded:
        """What runs the folder's model as the setting says, with as many threads as torch has."""


@dataclass(frozen=True, slots=True)
class RuntimeInfo:
    """A row of the table.

    `needs` are the packages with their oldest versions by the kind of device; a runtime does not
    run on a kind that is not there. `int8` are the packages that quantise; it runs
    no int8 on a kind that is not there. `extras` are those of this package that bring them all. Of
    one that `converts`, models and images are fp32, and the runtime computes in the setting's
    precision.
    """

    needs: Mapping[str, tuple[str, ...]]
    extras: Mapping[str, str]
    about: str
    converts: bool = False
    int8: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_EXPORT = ("onnx>=1.18", "onnxscript>=0.5")
_ON_CUDA = (*_EXPORT, "onnxruntime-gpu>=1.22")

RUNTIMES: dict[Runtime, RuntimeInfo] = {
    "torch": RuntimeInfo({"cpu": (), "cuda": ()}, {}, "torch, eager or compiled"),
    "aotinductor": RuntimeInfo({"cpu": (), "cuda": ()}, {}, "torch's ahead-of-time packages"),
    "onnxruntime": RuntimeInfo(
        {"cpu": (*_EXPORT, "onnxruntime>=1.22"), "cuda": _ON_CUDA},
        {"cpu": "onnxruntime", "cuda": "onnxruntime-gpu"},
        "ONNX Runtime",
        int8={"cpu": ()},
    ),
    "tensorrt": RuntimeInfo(
        {"cuda": _ON_CUDA}, {"cuda": "onnxruntime-gpu"}, "TensorRT, through ONNX Runtime"
    ),
    "openvino": RuntimeInfo(
        {"cpu": ("openvino>=2025.2",)},
        {"cpu": "openvino"},
        "OpenVINO",
        converts=True,
        int8={"cpu": ("nncf>=2.17",)},
    ),
}


def functions(runtime: Runtime) -> Functions:
    """The module of a runtime other than torch; imports it, and with it the runtime."""
    return cast(Functions, importlib.import_module(f"cmx_bench.measures.runtimes.{runtime}"))


def versions() -> dict[str, str]:
    """The installed versions of the packages that runtimes need, by their names."""
    found = {}
    for info in RUNTIMES.values():
        for need in chain(*info.needs.values(), *info.int8.values()):
            package = Requirement(need).name
            with suppress(importlib.metadata.PackageNotFoundError):
                found[package] = importlib.metadata.version(package)
    return found


def lack(
    names: Iterable[Runtime], kind: str, installed: Mapping[str, object],
    quantising: Collection[Runtime] = (),
) -> str:  # fmt: skip
    """What runtimes need on a kind of device and is not installed, with the one command that
    installs it, and the option that does without; empty where nothing is lacking.

    Args:
        quantising: the runtimes that are to run int8.
    """
    needs: dict[str, str] = {}
    extras: dict[str, None] = {}
    keys: list[str] = []  # what those of settings have in common
    for name in names:
        info, key = RUNTIMES[name], str(name)
        need = _lacking(info.needs[kind], installed)
        if not need and name in quantising:
            need, key = _lacking(info.int8[kind], installed), f"int8-*-{name}"
        if need:
            needs[name] = need
            extras[info.extras[kind]] = None
            keys.append(key)
    if not needs:
        return ""
    told = "; ".join(f"{name} needs {need}" for name, need in needs.items())
    without = " ".join(f"--only '!*-{key}*'" for key in keys)
    return (
        f"{told}: pip install --upgrade 'cmx-bench[{','.join(extras)}]', "
        f"or measure the others with {without}"
    )


def _lacking(needs: Iterable[str], installed: Mapping[str, object]) -> str:
    for need in map(Requirement, needs):
        version = installed.get(need.name)
        if version is None:
            return f"{need.name}, which is not installed"
        if not need.specifier.contains(str(version), prereleases=True):
            return f"{need}, and {version} is installed"
    return ""


def version(setting: Setting) -> str:
    """The runtime of a setting with the version of its own package: `openvino 2026.4.1`."""
    *_, package = ("torch", *RUNTIMES[setting.runtime].needs[setting.kind])
    name = Requirement(package).name
    return f"{setting.runtime} {importlib.metadata.version(name)}"
