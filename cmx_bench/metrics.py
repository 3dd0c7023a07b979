"""What each metric means, once: its unit, its better direction, its noise.

A new measure adds its metrics here, one row each; reports, lists and gates read this table only.
The first row of a measure is its main metric: by that one alone blocks are judged and cells are
repeated (`first_of`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

# What a repetition would change: nothing, the processes, or the images drawn to be evaluated on.
Noise: TypeAlias = Literal["none", "process", "image"]
# Which of two values a user wants; of some metrics neither.
Better: TypeAlias = Literal["higher", "lower", "none"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One quantity in base units.

    `better` is the direction a user wants; values of a metric without one are neither bold nor
    judged. `noise` is what an interval is over: a metric without any is exact, the same on every
    machine.
    """

    name: str
    measure: str
    title: str
    unit: str
    better: Better
    noise: Noise
    definition: str

    @property
    def kind(self) -> str:
        """Its noise in a word or two."""
        return {"none": "exact", "process": "sampled", "image": "sampled over images"}[self.noise]

    @property
    def direction(self) -> str:
        """Which value is better, as captions say it."""
        return f"{'neither higher nor lower' if self.better == 'none' else self.better} is better"

    @property
    def exact(self) -> bool:
        """Whether it is the same on every machine."""
        return self.noise == "none"


_ROWS = (
    Metric(
        "params", "params", "Parameters", "", "lower", "none",
        "elements of all parameters, trainable or not",
    ),
    Metric(
        "trainable_params", "params", "Trainable parameters", "", "lower", "none",
        "elements of the parameters that require a gradient",
    ),
    Metric(
        "buffers", "params", "Buffer elements", "", "lower", "none",
        "elements of the registered buffers (BatchNorm's running statistics and the like)",
    ),
    Metric(
        "macs", "macs", "MACs", "MAC", "lower", "none",
        "multiply-accumulates of convolutions, linear layers, matrix products and attention for "
        "one image; zero-padding counts, everything else is 0; 1 MAC = 2 FLOPs",
    ),
    Metric(
        "activations", "macs", "Activations", "", "lower", "none",
        "elements that the counted operators write for one image",
    ),
    Metric(
        "throughput", "throughput", "Throughput", "images/s", "higher", "process",
        "images a second of back-to-back forward passes, without loading data",
    ),
    Metric(
        "compile_time", "throughput", "Compile time", "s", "lower", "process",
        "the first forward pass of a compiled model, in the first process: others find it "
        "compiled; of another runtime than torch loading what was exported",
    ),
    Metric(
        "export_time", "throughput", "Export time", "s", "lower", "process",
        "writing a model as the setting's runtime reads it, in the first process",
    ),
    Metric(
        "latency_p50", "latency", "Latency p50", "s", "lower", "process",
        "median time of one forward pass of a batch, waited for",
    ),
    Metric(
        "latency_p90", "latency", "Latency p90", "s", "lower", "process",
        "90th percentile of the time of one forward pass of a batch, waited for",
    ),
    Metric(
        "latency_p99", "latency", "Latency p99", "s", "lower", "process",
        "99th percentile of the time of one forward pass of a batch, waited for",
    ),
    Metric(
        "peak_memory", "memory", "Peak memory", "B", "lower", "process",
        "CUDA: most bytes the allocator had handed out; CPU: growth of the process's resident "
        "memory from before the model was built to the peak of a forward pass",
    ),
    Metric(
        "reserved_memory", "memory", "Reserved memory", "B", "lower", "process",
        "CUDA: most bytes the allocator had taken from the device",
    ),
    Metric(
        "device_memory", "memory", "Device memory", "B", "lower", "process",
        "CUDA: growth of what the device has in use, from before the model was built to after a "
        "forward pass: what the allocator had taken, and what libraries hold beside it; not the "
        "CUDA context, some hundred MB, which was there before",
    ),
    Metric(
        "energy", "energy", "Energy", "J", "lower", "process",
        "joules an image over at least 10 s of back-to-back forward passes: of the whole GPU, or "
        "on a CPU of all its packages without memory modules; idle power is part of it",
    ),
    Metric(
        "idle_power", "energy", "Idle power", "W", "none", "process",
        "power of the same device over 3 s before the model was built, a GPU with a context on it",
    ),
    Metric(
        "planned_memory", "planned_memory", "Planned memory", "B", "lower", "none",
        "peak of the bytes of live tensors in one forward pass, derived without running it",
    ),
    Metric(
        "top1", "accuracy", "Top-1", "fraction", "higher", "image",
        "share of the images whose likeliest class is right",
    ),
    Metric(
        "top5", "accuracy", "Top-5", "fraction", "higher", "image",
        "share of the images with a right class among the five likeliest",
    ),
    Metric(
        "mac_rate", "roofline", "MAC rate", "MAC/s", "higher", "process",
        "MACs a second of an eager forward pass, each of its operators timed by itself",
    ),
    Metric(
        "compute_peak", "roofline", "Compute peak", "MAC/s", "none", "process",
        "the device's MACs a second in the best of a few products of large matrices",
    ),
    Metric(
        "bandwidth_peak", "roofline", "Bandwidth peak", "B/s", "none", "process",
        "the device's bytes a second, read and written, in the best of a few large copies",
    ),
    Metric(
        "load_time", "load_time", "Load time", "s", "lower", "process",
        "building the model, reading its weights where the suite names any, moving it to the "
        "device",
    ),
    Metric(
        "train_throughput", "train_throughput", "Training throughput",
        "images/s", "higher", "process",
        "images a second of back-to-back training steps (forward pass and cross-entropy, backward "
        "pass, AdamW), without loading data",
    ),
    Metric(
        "train_forward_time", "train_throughput", "Training: forward", "s", "lower", "process",
        "forward pass and loss of one training step",
    ),
    Metric(
        "train_backward_time", "train_throughput", "Training: backward", "s", "lower", "process",
        "backward pass of one training step",
    ),
    Metric(
        "train_optimizer_time", "train_throughput", "Training: optimiser", "s", "lower", "process",
        "AdamW's update of one training step, the dropping of gradients included",
    ),
    Metric(
        "train_memory", "train_memory", "Training memory", "B", "lower", "process",
        "peak of a training step, measured as peak_memory is: the most of its three phases",
    ),
    Metric(
        "train_forward_memory", "train_memory", "Training memory: forward", "B", "lower", "process",
        "peak while the forward pass and the loss of a training step were computed",
    ),
    Metric(
        "train_backward_memory", "train_memory", "Training memory: backward",
        "B", "lower", "process",
        "peak while the backward pass of a training step was computed",
    ),
    Metric(
        "train_optimizer_memory", "train_memory", "Training memory: optimiser",
        "B", "lower", "process",
        "peak while AdamW updated the parameters",
    ),
)  # fmt: skip

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ROWS}


def first_of(measure: str) -> str:
    """The name of a measure's first metric. Its interval decides whether a cell was repeated
    enough.

    Raises:
        KeyError: no row of the table is of this measure.
    """
    for metric in _ROWS:
        if metric.measure == measure:
            return metric.name
    raise KeyError(f"{measure} has no row in the table of cmx_bench/metrics.py")
