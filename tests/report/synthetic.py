"""A synthetic run: every value is made by plain arithmetic, none was measured anywhere."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.measures import MEASURES
from cmx_bench.results import records
from cmx_bench.results.records import Record, Run

PARAMS = {
    "convmixer_1536_20": 51_625_960, "convmixer_768_32": 21_110_248, "resnet152": 60_192_808,
    "deit_base_patch16_224": 86_567_656, "resmlp_big_24_224": 129_138_280,
    "resmlp_24_224": 30_020_680, "resmlp_12_224": 15_350_872, "deit_small_patch16_224": 22_050_664,
    "resnet50": 25_557_032, "mixer_b16_224": 59_880_472, "mixer_s16_224": 18_528_264,
}  # fmt: skip
SYNTHETIC = "SYNTHETIC: made by arithmetic, measured nowhere"
FP16 = Setting("paper", "cuda:0", "fp16", "nchw", "none", 64, 224)
FP32 = Setting("fp32", "cuda:0", "fp32", "nchw", "none", 8, 224)
BF16 = Setting("bf16", "cuda:0", "bf16", "nhwc", "none", 8, 224)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ENVIRONMENT = {
    "cmx_bench": "0.0", "device_name": "Synthetic GPU 1", "cores": 8, "threads": 8,
    "python": "3.11.7", "torch": "2.15.0", "timm": "1.0.31", "cuda": "12.8", "cudnn": 91002,
    "driver": "570.1", "fp32_precision_matmul": "ieee", "fp32_precision_conv": "ieee",
    "cudnn_benchmark": True, "fused_attention": True, "os": "Synthetic OS",
}  # fmt: skip


def model(
    name: str,
    label: str,
    family: str,
    weights: str | None = None,
    patch: int | None = None,
    kernel: int | None = None,
    activation: str | None = None,
) -> Model:
    return Model(name, label, family, "timm", name, {}, weights, 1000, patch, kernel, activation)


PAPER = (
    model("convmixer_1536_20", "ConvMixer-1536/20", "convmixer", "in1k", 7, 9, "GELU"),
    model("convmixer_768_32", "ConvMixer-768/32", "convmixer", "in1k", 7, 7, "ReLU"),
    model("resnet152", "ResNet-152", "resnet", "gluon_in1k", None, 3, "ReLU"),
    model("deit_base_patch16_224", "DeiT-B", "deit", None, 16, None, "GELU"),
    model("resmlp_big_24_224", "ResMLP-B24/8", "resmlp", None, 8, None, "GELU"),
    model("resmlp_24_224", "ResMLP-S24", "resmlp", None, 16, None, "GELU"),
    model("resmlp_12_224", "ResMLP-S12", "resmlp", None, 16, None, "GELU"),
    model("deit_small_patch16_224", "DeiT-S", "deit", None, 16, None, "GELU"),
    model("resnet50", "ResNet-50", "resnet", None, None, 3, "ReLU"),
    model("mixer_b16_224", "Mixer-B/16", "mixer", None, 16, None, "GELU"),
    model("mixer_s16_224", "Mixer-S/16", "mixer", None, 16, None, "GELU"),
)


def make_run(
    models: tuple[Model, ...] = PAPER,
    settings: tuple[Setting, ...] = (FP16,),
    measures: tuple[str, ...] = ("params", "macs", "throughput", "memory"),
    replicates: int = 5,
) -> Run:
    cells = dict.fromkeys(
        Cell(model, measure, setting, MEASURES[measure].scope).key
        for measure in measures
        for setting in settings
        for model in models
    )
    return Run(
        suite="paper", title=SYNTHETIC, suite_hash="0123456789ab", suite_path="suites/paper.yaml",
        device="cuda:0", models=models, settings=settings, measures=measures, cells=tuple(cells),
        replicates=replicates, only=(),
        unavailable={"cpu/cpu": "measured on a CPU device by: python -m cmx_bench run "
                                "suites/paper.yaml --device cpu"},
        command="python -m cmx_bench run suites/paper.yaml", created="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T01:00:00+00:00", machine=ENVIRONMENT,
        environments={"e1": ENVIRONMENT},
    )  # fmt: skip


def values(measure: str, place: int, params: int, replicate: int) -> dict[str, list[float]]:
    """Arithmetic: throughput 100 times (place + 1), processes 1 % apart, blocks 0.1 % apart."""
    base = 100.0 * (place + 1) * (1 + 0.01 * (replicate - 2))
    given: dict[str, dict[str, list[float]]] = {
        "params": {"params": [params], "trainable_params": [params], "buffers": [1000 * place]},
        "macs": {"macs": [params * 100], "activations": [params // 2]},
        "throughput": {"throughput": [base * (1 + 0.001 * step) for step in (-2, -1, 0, 1, 2)]},
        "memory": {
            "peak_memory": [params * 4 + 2**20 * 100.0],
            "reserved_memory": [params * 5 + 2**20 * 100.0],
        },
        "planned_memory": {"planned_memory": [params * 4]},
        "latency": {"latency_p50": [1 / base], "latency_p90": [1.1 / base],
                    "latency_p99": [1.2 / base]},
        "load_time": {"load_time": [0.5 + 0.01 * replicate]},
        "roofline": {"mac_rate": [4e12, 5e12, 6e12], "compute_peak": [1e13 + place],
                     "bandwidth_peak": [1e12]},
    }  # fmt: skip
    return given[measure]


# Of a batch of 64: 10, 1000 and 50 MACs a byte, and 1, 8 and 1 TMAC/s in the middle pass.
WORK = {
    "depthwise": {"macs": 64e9, "bytes": 64e8, "seconds": [0.063, 0.064, 0.07]},
    "convolution": {"macs": 1024e9, "bytes": 1024e6, "seconds": [0.128, 0.128, 0.128]},
    "attention": {"macs": 32e9, "bytes": 64e7, "seconds": [0.032, 0.032, 0.032]},
    "other": {"macs": 0, "bytes": 0, "seconds": [0.032, 0.033, 0.03]},
}


def make_records(run: Run) -> list[Record]:
    """One record for each process of each planned cell, all fine, one every two seconds."""
    places, seconds = {model.name: place for place, model in enumerate(run.models)}, count(0, 2)
    return [
        Record(key, name, measure, setting, replicate, "ok",
               values(measure, places[name], PARAMS.get(name, 1_000_000), replicate),
               "", "e1", (BEGIN + timedelta(seconds=next(seconds))).isoformat(), 2.0,
               details={"work": WORK} if measure == "roofline" else {})
        for key in run.cells
        for name, measure, setting in [key.split("/")]
        for replicate in range(run.replicates if MEASURES[measure].repeats("cuda") else 1)
    ]  # fmt: skip


def failed(record: Record, reason: str) -> Record:
    return dataclasses.replace(record, status="failed", values={}, reason=reason)


def watched(record: Record, blocks: str) -> Record:
    """The record with conditions, a letter a block: `.` is fine, `x` discarded, `d` disturbed and
    kept. Every discarded block measured 50; as many samples are left as blocks are kept."""
    kept = len(blocks) - blocks.count("x")
    return dataclasses.replace(
        record,
        values={name: samples[:kept] for name, samples in record.values.items()},
        covariates={
            "gpu_clock_reasons": [4.0 if block == "." else 68.0 for block in blocks],
            "gpu_foreign_processes": [float(block == "x") for block in blocks],
            "disturbed": [float(block != ".") for block in blocks],
            "discarded": [float(block == "x") for block in blocks],
        },
        discarded={"throughput": [50.0] * blocks.count("x")} if "x" in blocks else {},
    )


def write_folder(folder: Path, run: Run, lines: list[Record]) -> Path:
    records.write_run(folder, run)
    text = "".join(_line(record) for record in lines)
    (folder / "records.jsonl").write_text(text, encoding="utf-8")
    return folder


def _line(record: Record) -> str:
    return json.dumps(dataclasses.asdict(record)) + "\n"
