"""What models cost: the MACs that the batch size follows from, the seconds that a cell may take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cmx_bench import datasets
from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell, Model
from cmx_bench.errors import ModelError
from cmx_bench.measures import MEASURES, compiled, timing
from cmx_bench.models import families
from cmx_bench.models.building import build, build_on_meta
from cmx_bench.results.records import Environment
from cmx_bench.spec.suite import SuiteFile

# Multiply-accumulates a second, for estimates only. CPU: one core, between what ConvMixer and the
# token models reach; CUDA: a third of what a data-centre GPU of 2020 reaches, by input type.
_CPU_RATE = 2.0e10
_CUDA_RATE = {"fp32": 3e12, "tf32": 1e13, "fp16": 3e13, "bf16": 3e13, "autocast": 2e13}
# Compiling a model, and taking what another process of the cell compiled.
_COMPILE_SECONDS, _COMPILED_SECONDS = 60.0, 10.0
# On a GPU a mode that times kernels tries dozens for every layer. No run was timed yet.
_MAX_AUTOTUNE_SECONDS = 300.0
# A CUDA context, cuDNN and cuBLAS, in each process.
_CONTEXT_SECONDS = 2.0
# An image of 500 × 375 pixels, read, decoded and resized by one core; one of 32 × 32, in memory.
_PHOTOGRAPH_SECONDS, _SMALL_SECONDS = 0.01, 0.001
_TRAINING_PASSES = 3  # a step takes about as long as three forward passes
_SOME_IMAGES = 50_000  # where nobody says how many there are
_SECONDS_A_PARAMETER = 1.5e-8  # drawing initial weights

# `batch_size: auto`: the heaviest model's batch is at most this many MACs a core, so that one
# forward pass lasts about a second.
_AUTO_MACS = 1.6e10
_AUTO_LARGEST = 64


@dataclass(frozen=True, slots=True)
class Cost:
    """What estimates and the batch size need of one model at one image size."""

    macs: int
    params: int
    traits: Mapping[str, int | str | None]


def cost(suite_file: SuiteFile, index: int, image_size: int, model: Model) -> Cost:
    """Builds the model without weights, which also shows that its arguments are right."""
    try:
        module = build_on_meta(lambda: build(model, image_size))
        macs = _macs(module, image_size, "meta")
    except ModelError as error:
        raise suite_file.document.error(("models", index), str(error)) from None
    except Exception:  # some forwards read a value, which meta tensors lack; others are wrong
        macs = _macs_on_cpu(suite_file, index, image_size, model)
    return Cost(
        macs,
        sum(parameter.numel() for parameter in module.parameters()),
        {
            "patch_size": families.patch_size(module),
            "kernel_size": families.kernel_size(module),
            "activation": families.activation(module),
        },
    )


def _macs_on_cpu(suite_file: SuiteFile, index: int, image_size: int, model: Model) -> int:
    try:
        return _macs(build(model, image_size), image_size, "cpu")
    except Exception as error:  # whatever the model's own code raises
        first_line = str(error).partition("\n")[0]
        raise suite_file.document.error(
            ("models", index),
            f"{model.name}: does not run on {image_size} px images: {first_line}",
        ) from error


def _macs(module: nn.Module, image_size: int, device: str) -> int:
    """A count for estimates and for the batch size: what torch's counter knows of."""
    module.requires_grad_(False)
    with torch.device(device), FlopCounterMode(display=False) as counter:
        module(torch.empty(1, 3, image_size, image_size))
    return int(counter.get_total_flops()) // 2


def auto_batch(most_macs: int, threads: int) -> int:
    """The batch size of a whole suite on a CPU: a power of two up to `_AUTO_LARGEST`.

    By arithmetic alone (the heaviest model's MACs for one image, the number of threads), so that
    every run on a machine chooses the same, and every model of a table gets the same.
    """
    batch = 1
    while batch < _AUTO_LARGEST and 2 * batch * most_macs <= _AUTO_MACS * threads:
        batch *= 2
    return batch


def _images(
    evaluation: Evaluation | None, cells: Sequence[Cell], skipped: Mapping[str, str]
) -> int:
    """How many images a model sees, for estimates: those that it is evaluated on and, three times
    as long, those that it is trained on. Counted where that takes no download."""
    evaluated = any(MEASURES[one.measure].together and one.key not in skipped for one in cells)
    if evaluation is None or not evaluated:
        return 0
    name = evaluation.asked.dataset
    if datasets.is_remote(name) and evaluation.path is None:
        return _SOME_IMAGES
    images = datasets.open_dataset(name, evaluation.path).size or _SOME_IMAGES
    if (recipe := evaluation.asked.train) is None:
        return images
    learned = datasets.open_dataset(name, evaluation.path, "train").size or _SOME_IMAGES
    each = recipe.epochs * (images + _TRAINING_PASSES * learned)
    return len(evaluation.seeds) * each


def estimates(
    cells: Sequence[Cell], found: Mapping[tuple[str, int], Cost], machine: Environment,
    replicates: int, evaluation: Evaluation | None, skipped: Mapping[str, str],
) -> dict[str, float]:  # fmt: skip
    """The seconds of one execution of each cell, by its key.

    Args:
        found: costs by the names of models and image sizes.
        replicates: the processes of a cell that is repeated; compiling is spread over them.
        skipped: cells that are not executed, by their keys.
    """
    images = _images(evaluation, cells, skipped)
    small = evaluation is not None and datasets.is_small(evaluation.asked.dataset)
    reading = images * (_SMALL_SECONDS if small else _PHOTOGRAPH_SECONDS) / machine["cores"]
    return {
        cell.key: 0.0
        if cell.key in skipped
        else _estimate(
            cell,
            found[cell.model.name, cell.setting.image_size],
            machine,
            replicates,
            images,
            reading,
        )
        for cell in cells
    }


def _estimate(
    cell: Cell, cost: Cost, machine: Environment, replicates: int, images: int, reading: float
) -> float:
    """Seconds of one execution; a cell that evaluates sees so many images, read in that time."""
    info, setting = MEASURES[cell.measure], cell.setting
    if info.scope == "resolution":
        return info.seconds
    threads = setting.threads or machine["threads"]
    rate = _CPU_RATE * threads if setting.kind == "cpu" else _CUDA_RATE[setting.precision]
    compiling = 0.0
    if setting.compile != "none" and info.forwards > 0:
        searches = setting.kind == "cuda" and setting.compile == "max-autotune"
        compiling = _MAX_AUTOTUNE_SECONDS if searches else _COMPILE_SECONDS
        if info.repeats(setting.kind) and compiled.may_share(setting):
            compiling = _COMPILED_SECONDS + (compiling - _COMPILED_SECONDS) / replicates
    passes = images if info.together else info.forwards * setting.batch_size
    forwards = passes * cost.macs / rate
    forwards += reading if info.together else 0.0
    building = cost.params * _SECONDS_A_PARAMETER
    return info.seconds + building + forwards + compiling + _more_on_a_gpu(cell)


def _more_on_a_gpu(cell: Cell) -> float:
    """What a process on a GPU takes longer than the table of measures says of CPUs."""
    if cell.setting.kind == "cpu":
        return 0.0
    longer = timing.BLOCK_SECONDS["cuda"] - timing.BLOCK_SECONDS["cpu"]
    in_blocks = cell.measure in ("throughput", "train_throughput")
    return _CONTEXT_SECONDS + (timing.BLOCKS * longer if in_blocks else 0.0)
