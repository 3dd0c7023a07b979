"""Estimates of cost: the MACs behind the batch size, and the seconds for each cell."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import torch

from cmx_bench import datasets
from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.datasets import Dataset, Split
from cmx_bench.errors import ModelError, RefusedModelError
from cmx_bench.measures import MEASURES, compiled, instructions, timing
from cmx_bench.measures.forward import logits_of, refuse_misfit
from cmx_bench.models import families, trial
from cmx_bench.models.building import build, may_want_values, origin
from cmx_bench.plan import INTERPRETER_SECONDS, Cost, at_once
from cmx_bench.results.records import Environment

# Multiply-accumulates a second, for estimates only. CPU: one core where nobody has measured one,
# and the share of a matrix product's rate that ConvMixer reaches; the token models reach more.
# CUDA: a third of what a data-centre GPU of 2020 reaches, by input type.
CPU_RATE = 2.0e10
_SHARE_OF_PRODUCT = 0.55
# Of one core where bf16 and fp16 are emulated.
_EMULATED_RATE = 6e8
_CUDA_RATE = {"fp32": 3e12, "tf32": 1e13, "fp16": 3e13, "bf16": 3e13, "autocast": 2e13}
# Compiling a model, and taking what another process of the cell compiled.
_COMPILE_SECONDS, _COMPILED_SECONDS = 60.0, 10.0
# Exporting a model for another runtime, and loading what another process of the cell exported;
# AOTInductor compiles while it exports.
_EXPORT_SECONDS, _LOAD_SECONDS = 15.0, 1.0
# On a GPU a mode that times kernels tries dozens for every layer. No run was timed yet.
_MAX_AUTOTUNE_SECONDS = 300.0
# A CUDA context, cuDNN and cuBLAS, in each process.
_CONTEXT_SECONDS = 2.0
# What torch takes for a layer however small, one of a forward pass.
_LAYER_SECONDS = 3e-5
# An image of 500 × 375 pixels, read, decoded and resized by one core; one of 32 × 32, in memory.
_PHOTOGRAPH_SECONDS, _SMALL_SECONDS = 0.01, 0.0007
_TRAINING_PASSES = 3  # a step takes about as long as three forward passes
_SOME_IMAGES = 50_000  # where nobody says how many there are
_SECONDS_A_PARAMETER = 1.5e-8  # drawing initial weights

# `batch_size: auto`: the heaviest model's batch is at most this many MACs a core, so that one
# forward pass lasts about a second.
_AUTO_MACS = 1.6e10
_AUTO_LARGEST = 64


def cost(model: Model, image_size: int, batch: int = 1) -> Cost:
    """Builds the model without weights, and runs it once.

    A user's own model whose code fails, or any that does not run, has a cost of nothing: its cells
    say why they fail, and the others are measured.

    Args:
        batch: the number of images to try where it does not run on one.

    Raises:
        ModelError: the suite names no code, or arguments that do not fit.
    """
    try:
        tried = trial.run(
            lambda: build(model, image_size), image_size, batch, partial(may_want_values, model)
        )
    except ModelError as error:
        if model.source != "python" or isinstance(error, RefusedModelError):
            raise
        return Cost(0, 0, 0, {}, str(error))
    module = tried.module
    return Cost(
        tried.macs,
        sum(parameter.numel() for parameter in module.parameters()),
        sum(not list(part.children()) for part in module.modules()),
        {
            "patch_size": families.patch_size(module),
            "kernel_size": families.kernel_size(module),
            "activation": families.activation(module),
        },
        tried.error and f"{model.name}: does not run on {image_size} px images: {tried.error}",
        origin(model),
        "" if tried.error else _misfit(model, tried.output),
    )


def _misfit(model: Model, output: object) -> str:
    """Why what a model gives for images are no logits of the suite's classes; empty where they
    are."""
    try:
        logits = logits_of(output)
        refuse_misfit(logits, model, logits.shape[0] if logits.dim() else 1)
    except ModelError as error:
        return str(error)
    return ""


def auto_batch(most_macs: int, threads: int) -> int:
    """The batch size of a whole suite on a CPU: a power of two up to `_AUTO_LARGEST`.

    By arithmetic alone (the heaviest model's MACs for one image, the number of threads), so that
    every run on a machine chooses the same, and every model of a table gets the same.
    """
    batch = 1
    while batch < _AUTO_LARGEST and 2 * batch * most_macs <= _AUTO_MACS * threads:
        batch *= 2
    return batch


def core_rate() -> float:
    """The multiply-accumulates a second that models reach on a core of this machine, as busy as it
    is now: by a product of matrices, in some 30 ms."""
    size = 512
    left = torch.ones(size, size)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seconds = []
    for _ in range(7):
        begin = time.perf_counter()
        torch.mm(left, left)
        seconds.append(time.perf_counter() - begin)
    torch.set_num_threads(threads)
    return _SHARE_OF_PRODUCT * size**3 / statistics.median(seconds)


def starting_seconds() -> float:
    """The seconds until a fresh interpreter has loaded torch and timm: what this process has
    computed so far, which has done little else before it makes a plan."""
    return min(INTERPRETER_SECONDS, time.process_time())


# The parts of a data set that are opened.
Opened: TypeAlias = Mapping[Split, Dataset]


@dataclass(frozen=True, slots=True)
class _Evaluated:
    """The work of evaluating a setting. It has `models`, of which the number `trained` is trained
    first. `images` is the number of images for evaluation, `learned` that for training. To read an
    image takes one core `seconds`."""

    models: int
    trained: int
    images: int
    learned: int
    seconds: float


def _count_evaluated(
    evaluation: Evaluation | None, models: Mapping[str, Model], opened: Opened
) -> _Evaluated:
    """Data sets that were not opened count as `_SOME_IMAGES`."""
    if evaluation is None or not models:
        return _Evaluated(0, 0, 0, 0, 0.0)
    trained = sum(evaluation.trains(model) for model in models.values())
    seconds = _PHOTOGRAPH_SECONDS
    if datasets.is_small(evaluation.asked.dataset):
        seconds = _SMALL_SECONDS
    counts = {split: dataset.size or _SOME_IMAGES for split, dataset in opened.items()}
    evaluated, learned = (counts.get(split, _SOME_IMAGES) for split in ("validation", "train"))
    return _Evaluated(len(models), trained, evaluated, learned, seconds)


def estimates(
    cells: Sequence[Cell], costs: Mapping[tuple[str, int], Cost], machine: Environment,
    replicates: int, evaluation: Evaluation | None, opened: Opened, core_rate: float = CPU_RATE,
) -> dict[str, float]:  # fmt: skip
    """The seconds of one execution of each cell, by its key.

    Args:
        costs: by the names of models and image sizes.
        replicates: the processes of a cell that is repeated; compiling is spread over them.
        opened: the images, where that took no download.
        core_rate: multiply-accumulates a second of one core.
    """
    models = {cell.model.name: cell.model for cell in cells if MEASURES[cell.measure].together}
    evaluated = _count_evaluated(evaluation, models, opened)

    def seconds(cell: Cell) -> float:
        cost = costs[cell.model.name, cell.setting.image_size]
        if MEASURES[cell.measure].together and evaluation is not None:
            return _of_evaluation(cell, cost, machine, evaluation, evaluated, core_rate)
        return _of_process(cell, cost, machine, replicates, core_rate)

    return {cell.key: seconds(cell) for cell in cells}


def _of_process(
    cell: Cell, cost: Cost, machine: Environment, replicates: int, core_rate: float
) -> float:
    info, setting = MEASURES[cell.measure], cell.setting
    exported = setting.runtime != "torch" or setting.compile != "none"
    if info.scope == "resolution" or (cell.measure == "roofline" and exported):
        return info.seconds
    compiling = _exporting(cell, replicates)
    if setting.compile != "none" and info.forwards > 0:
        searches = setting.kind == "cuda" and setting.compile == "max-autotune"
        compiling = _MAX_AUTOTUNE_SECONDS if searches else _COMPILE_SECONDS
        if info.repeats(setting.kind) and compiled.may_share(setting):
            compiling = _COMPILED_SECONDS + (compiling - _COMPILED_SECONDS) / replicates
    rate = _cpu_rate(setting, machine, core_rate)
    forwards = info.forwards * _pass(cost, setting, setting.batch_size, rate)
    passes = min(max(info.least, forwards), info.most)
    building = cost.params * _SECONDS_A_PARAMETER
    return info.seconds + building + passes + compiling + _more_on_a_gpu(cell)


def _exporting(cell: Cell, replicates: int) -> float:
    """The seconds of one process for another runtime than torch: the first of a cell exports, with
    the model run eagerly for comparison."""
    info, runtime = MEASURES[cell.measure], cell.setting.runtime
    if runtime == "torch" or not (info.forwards or cell.measure == "load_time"):
        return 0.0
    seconds = _COMPILE_SECONDS if runtime == "aotinductor" else _EXPORT_SECONDS
    shared = replicates if info.repeats(cell.setting.kind) else 1
    return _LOAD_SECONDS + seconds / shared


def _more_on_a_gpu(cell: Cell) -> float:
    """What a process on a GPU takes longer than the table of measures says of CPUs."""
    if cell.setting.kind == "cpu":
        return 0.0
    if cell.measure not in ("throughput", "train_throughput", "energy"):
        return _CONTEXT_SECONDS
    longer = timing.BLOCK_SECONDS["cuda"] - timing.BLOCK_SECONDS["cpu"]
    blocks = 0 if cell.measure == "energy" else timing.BLOCKS
    return _CONTEXT_SECONDS + timing.STEADY_HEAT + blocks * longer


def _cpu_rate(setting: Setting, machine: Environment, core_rate: float) -> float:
    """Multiply-accumulates a second of the threads of a setting."""
    if instructions.emulated(setting, machine) in ("bf16", "fp16"):
        core_rate = min(core_rate, _EMULATED_RATE)
    return (setting.threads or int(machine["threads"])) * core_rate


def _pass(cost: Cost, setting: Setting, images: int, cpu_rate: float) -> float:
    rate = cpu_rate if setting.kind == "cpu" else _CUDA_RATE[setting.precision]
    return images * cost.macs / rate + cost.layers * _LAYER_SECONDS


def _of_evaluation(
    cell: Cell, cost: Cost, machine: Environment, evaluation: Evaluation, evaluated: _Evaluated,
    core_rate: float,
) -> float:  # fmt: skip
    """The seconds of one model, with a training of one seed where that is asked: its share of the
    time of all models."""
    setting, cores = cell.setting, int(machine["cores"])
    info, recipe = MEASURES[cell.measure], evaluation.asked.train
    rate = _cpu_rate(setting, machine, core_rate)
    batches = evaluated.images / setting.batch_size
    one_pass = _pass(cost, setting, setting.batch_size, rate)
    # All models of a setting share the images that are read for it.
    evaluating = (
        batches * one_pass + evaluated.images * evaluated.seconds / cores / evaluated.models
    )
    exporting = 0.0 if setting.runtime == "torch" else _EXPORT_SECONDS
    seconds = info.seconds + cost.params * _SECONDS_A_PARAMETER + exporting + evaluating
    if recipe is None or not evaluation.trains(cell.model):
        return seconds
    beside = at_once(machine, evaluated.trained, evaluation.processes)
    used = cores / beside
    step = _TRAINING_PASSES * _pass(cost, setting, recipe.batch_size, used * core_rate)
    an_epoch = (
        evaluated.learned / recipe.batch_size * step + evaluated.learned * evaluated.seconds / used
    )
    an_epoch += batches * _pass(cost, setting, setting.batch_size, used * core_rate)
    turns = math.ceil(evaluated.trained / beside) / evaluated.trained
    return seconds + turns * recipe.epochs * an_epoch
