"""What each metric means, once: its unit, its better direction, whether it is exact.

A new measure adds its metrics here, one row each; reports, lists and gates read this table only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """One quantity in base units.

    `better` is the direction a user wants; an `exact` metric is the same on every machine, the
    others are sampled and carry an interval.
    """

    name: str
    measure: str
    title: str
    unit: str
    better: Literal["higher", "lower"]
    exact: bool
    definition: str


_ROWS = (
    Metric(
        "params", "params", "Parameters", "", "lower", True,
        "elements of all parameters, trainable or not",
    ),
    Metric(
        "trainable_params", "params", "Trainable parameters", "", "lower", True,
        "elements of the parameters that require a gradient",
    ),
    Metric(
        "buffers", "params", "Buffer elements", "", "lower", True,
        "elements of the registered buffers (BatchNorm's running statistics and the like)",
    ),
    Metric(
        "macs", "macs", "MACs", "MAC", "lower", True,
        "multiply-accumulates of convolutions, linear layers, matrix products and attention for "
        "one image; zero-padding counts, everything else is 0; 1 MAC = 2 FLOPs",
    ),
    Metric(
        "activations", "macs", "Activations", "", "lower", True,
        "elements that the counted operators write for one image",
    ),
    Metric(
        "throughput", "throughput", "Throughput", "images/s", "higher", False,
        "images a second of back-to-back forward passes, without loading data",
    ),
    Metric(
        "compile_time", "throughput", "Compile time", "s", "lower", False,
        "the first forward pass of a compiled model",
    ),
    Metric(
        "latency_p50", "latency", "Latency p50", "s", "lower", False,
        "median time of one forward pass of a batch, waited for",
    ),
    Metric(
        "latency_p90", "latency", "Latency p90", "s", "lower", False,
        "90th percentile of the time of one forward pass of a batch, waited for",
    ),
    Metric(
        "latency_p99", "latency", "Latency p99", "s", "lower", False,
        "99th percentile of the time of one forward pass of a batch, waited for",
    ),
    Metric(
        "peak_memory", "memory", "Peak memory", "B", "lower", False,
        "CUDA: most bytes the allocator had handed out; CPU: growth of the process's resident "
        "memory from before the model was built to the peak of a forward pass",
    ),
    Metric(
        "reserved_memory", "memory", "Reserved memory", "B", "lower", False,
        "CUDA: most bytes the allocator had taken from the device",
    ),
    Metric(
        "planned_memory", "planned_memory", "Planned memory", "B", "lower", True,
        "peak of the bytes of live tensors in one forward pass, derived without running it",
    ),
    Metric(
        "load_time", "load_time", "Load time", "s", "lower", False,
        "building the model, reading its weights where the suite names any, moving it to the "
        "device",
    ),
    Metric(
        "train_throughput", "train_throughput", "Training throughput", "images/s", "higher", False,
        "images a second of back-to-back training steps (forward pass and cross-entropy, backward "
        "pass, AdamW), without loading data",
    ),
    Metric(
        "train_forward_time", "train_throughput", "Training: forward", "s", "lower", False,
        "forward pass and loss of one training step",
    ),
    Metric(
        "train_backward_time", "train_throughput", "Training: backward", "s", "lower", False,
        "backward pass of one training step",
    ),
    Metric(
        "train_optimizer_time", "train_throughput", "Training: optimiser", "s", "lower", False,
        "AdamW's update of one training step, the dropping of gradients included",
    ),
    Metric(
        "train_memory", "train_memory", "Training memory", "B", "lower", False,
        "peak of a training step, measured as peak_memory is: the most of its three phases",
    ),
    Metric(
        "train_forward_memory", "train_memory", "Training memory: forward", "B", "lower", False,
        "peak while the forward pass and the loss of a training step were computed",
    ),
    Metric(
        "train_backward_memory", "train_memory", "Training memory: backward", "B", "lower", False,
        "peak while the backward pass of a training step was computed",
    ),
    Metric(
        "train_optimizer_memory", "train_memory", "Training memory: optimiser", "B", "lower", False,
        "peak while AdamW updated the parameters",
    ),
)  # fmt: skip

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ROWS}


def first_of(measure: str) -> str:
    """The name of a measure's first metric: by its interval a cell has been repeated enough."""
    return next(metric.name for metric in _ROWS if metric.measure == measure)
