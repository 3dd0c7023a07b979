"""What is checked within one process: each function in a fresh one, so that a fault of the GPU
ends that check alone. It returns what it saw, and an AssertionError says what is wrong."""

from __future__ import annotations

import dataclasses
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cmx_bench.accuracy.preprocessing import of
from cmx_bench.cell import Layout, Model, Precision, Setting
from cmx_bench.datasets import open_dataset
from cmx_bench.measures import (
    energy,
    forward,
    memory,
    planned_memory,
    probes,
    ready,
    roofline,
    timing,
    training_step,
)
from cmx_bench.models import fast
from cmx_bench.models.building import build
from cmx_bench.spec import suite
from cmx_bench.training.batches import Images, Part, augment
from cmx_bench.training.loop import Training
from cmx_bench.worker import machine

HERE = Path(__file__).parent
CONVMIXER = Model(
    "cm", "ConvMixer", "convmixer", "convmixer", "",
    {"dim": 80, "depth": 7, "kernel_size": 5, "patch_size": 4}, num_classes=10,
)  # fmt: skip


def timms(name: str) -> Model:
    return Model(name, name, name, "timm", name)


def on(device: str, precision: Precision = "fp16", layout: Layout = "nchw") -> Setting:
    """The paper's setting, or one small enough to try a check on a CPU."""
    batch, size = (64, 224) if device != "cpu" else (2, 64)
    return Setting("s", device, precision, layout, "none", batch, size)


def run(name: str, *arguments: object) -> tuple[bool, str]:
    """Whether the check passed, and what it saw or why it failed."""
    try:
        return True, globals()[name](*arguments)
    except Exception as error:  # whatever a check raises is its failure
        return False, f"{type(error).__name__}: {error}"


def capture(device: str) -> str:
    environment = machine.capture(device)
    names = ["device_uuid", "compute_capability", "cuda", "cudnn", "driver", "power_limit_w",
             "max_sm_clock_hz"]  # fmt: skip
    lacking = [name for name in names if not environment.get(name)]
    assert not lacking, f"lacks {lacking}"
    return ", ".join(f"{name} {environment[name]}" for name in ("device_name", *names))


def precision_flags(device: str) -> str:
    """fp32 computes in fp32, tf32 does not; also where a model has set torch's newer switch."""
    errors = []
    precision: Precision
    for precision, own in (("tf32", "none"), ("fp32", "none"), ("fp32", "tf32")):
        torch.backends.fp32_precision = own  # type: ignore[attr-defined]
        forward.apply_flags(on(device, precision))
        wrong = max(product_error(device), convolution_error(device))
        if precision == "fp32":
            assert wrong < 1e-5, f"fp32 is wrong by {wrong:.1e} after a model's own {own}"
        else:
            assert device == "cpu" or wrong > 1e-4, f"tf32 is wrong by {wrong:.1e} only"
        errors.append(f"{precision} wrong by {wrong:.1e} after {own}")
    return ", ".join(errors)


def product_error(device: str) -> float:
    left = torch.randn(1024, 1024, device=device)
    return difference(left @ left, left.double() @ left.double())


def convolution_error(device: str) -> float:
    images = torch.randn(8, 64, 56, 56, device=device)
    weights = torch.randn(64, 64, 3, 3, device=device)
    convolve = partial(nn.functional.conv2d, padding=1)
    return difference(convolve(images, weights), convolve(images.double(), weights.double()))


def difference(got: torch.Tensor, expected: torch.Tensor) -> float:
    """The norm of the difference over the norm of what is expected."""
    return float((got.double() - expected.double()).norm() / expected.double().norm())


FAMILIES = [
    CONVMIXER, timms("resnet18"), timms("deit_tiny_patch16_224"), timms("mixer_s32_224"),
    timms("resmlp_12_224"),
]  # fmt: skip


def same_numbers(device: str, precision: Precision, layout: Layout) -> str:
    """Each family gives what the CPU gives in fp32."""
    setting = dataclasses.replace(on(device, precision, layout), batch_size=4, image_size=224)
    plain = dataclasses.replace(setting, device="cpu", precision="fp32", layout="nchw")
    bound = 0.05 if precision == "bf16" else 0.02
    wrong = {}
    for model in FAMILIES:
        torch.manual_seed(0)
        module = build(model, 224)
        for weights in module.parameters():  # heads of zeros would be compared with zeros
            if weights.ndim > 1 and not weights.any():
                nn.init.normal_(weights, std=0.02)
        expected: Any = ready.prepare_module(module, plain).forward()  # with statistics that stay
        placed = forward.place(module, setting)
        logits: Any = forward.call_of(placed, setting)(forward.images(setting))
        got = logits.float().cpu()
        wrong[model.name] = difference(got, expected)
    assert max(wrong.values()) < bound, f"relative differences {wrong}"
    return ", ".join(f"{name} {share:.1e}" for name, share in wrong.items())


def optimised_convmixer(device: str) -> str:
    """An optimised ConvMixer gives what the plain one gives, and how fast it is; from compute
    capability 9.0 on by the kernel of `models.fused`."""
    setting = on(device, "bf16", "nhwc")
    torch.manual_seed(0)
    module = forward.place(build(timms("convmixer_768_32"), setting.image_size), setting)
    plain = ready.prepare_module(module, setting).forward
    folded = fast.optimise(module)
    call, images = forward.call_of(folded, setting), forward.images(setting)
    others = images / 2 + 0.25  # of the timed images BatchNorm leaves rounding in the mean
    logits: Any = call(others)
    expected: Any = forward.call_of(module, setting)(others)
    share = difference(logits.float().cpu(), expected.float().cpu())
    quick = partial(call, images)
    assert share < 0.05, f"relative difference {share}"
    hopper = device != "cpu" and torch.cuda.get_device_capability(device) >= (9, 0)
    fused = [part for part in folded.modules() if getattr(part, "_fused", False)]
    assert len(fused) == (32 if hopper else 0), f"{len(fused)} fused layers"
    timing.warm_up(plain, device)
    timing.warm_up(quick, device)
    pairs = [[timing.elapsed(run, 3, device) for run in (plain, quick)] for _ in range(7)]
    ratio = statistics.median(before / after for before, after in pairs)
    return f"{len(fused)} fused layers, {ratio:.2f} times as fast as the plain one, {share:.1e} off"


def events_and_wall(device: str, name: str) -> str:
    """Events in the stream and the wall clock agree; how much of the time launching takes."""
    setting = on(device)
    model = timms(name)
    if name == "cm":
        model, setting = CONVMIXER, dataclasses.replace(setting, image_size=24, batch_size=256)
    run = ready.prepare(model, setting).forward
    passes = timing.passes_a_block(timing.pass_seconds(timing.warm_up(run, device)), setting.kind)
    by_events = timing.elapsed(run, passes, device)
    synchronize(device)
    begin = time.perf_counter()
    for _ in range(passes):
        run()
    launched = time.perf_counter() - begin
    synchronize(device)
    by_wall = time.perf_counter() - begin
    events, wall = (1e3 * seconds / passes for seconds in (by_events, by_wall))
    line = f"{events:.3f} ms a pass by events, {wall:.3f} by the wall"
    assert device == "cpu" or abs(events / wall - 1) < 0.03, line
    return f"{line}, launching takes {100 * launched / by_wall:.0f} % of it"


def synchronize(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)


def no_waits_in_a_step(device: str) -> str:
    """A training step never waits for the GPU."""
    for precision in ("fp32", "bf16", "fp16"):
        step = training_step.prepare(CONVMIXER, on(device, precision))
        step()
        step()
        synchronize(device)
        with refusing_waits():
            step()
    return "fp32, bf16, fp16"


@contextmanager
def refusing_waits() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def roofline_keeps_busy(device: str) -> str:
    """A pass whose calls are timed one by one takes hardly longer than a plain one."""
    setting = on(device)
    module = forward.place(build(timms("deit_small_patch16_224"), setting.image_size), setting)
    run = ready.prepare_module(module, setting).forward
    run()
    plain = timing.elapsed(run, 20, device) / 20
    timed = min(roofline._time(run, module, setting).seconds for _ in range(5))
    line = f"{1e3 * plain:.2f} ms plain, {1e3 * timed:.2f} ms timed call by call"
    assert device == "cpu" or timed / plain < 1.15, line
    return line


def peaks(device: str) -> str:
    """Lower precision is no slower, and none is far from what a GPU of this decade does."""
    rates = {}
    for precision in ("fp32", "tf32", "fp16"):
        forward.apply_flags(on(device, precision))
        rates[precision] = roofline.compute_peak(on(device, precision))
    bandwidth = roofline.bandwidth_peak(on(device))
    line = ", ".join(f"{name} {peak / 1e12:.0f} TMAC/s" for name, peak in rates.items())
    assert 1e12 < rates["fp32"] < rates["tf32"] < 1.05 * rates["fp16"] < 1e16, line
    assert 1e11 < bandwidth < 1e14, f"{bandwidth / 1e12:.2f} TB/s"
    return f"{line}, {bandwidth / 1e12:.2f} TB/s"


def batchnorm_statistics(device: str) -> str:
    """By how much untouched statistics flatter ConvMixer: see `measures.normalising`."""
    setting = on(device)
    torch.manual_seed(0)
    module = forward.place(build(timms("convmixer_768_32"), setting.image_size), setting)
    untouched = forward.place(build(timms("convmixer_768_32"), setting.image_size), setting)
    as_built = partial(forward.call_of(untouched, setting), forward.images(setting))
    as_timed = ready.prepare_module(module, setting).forward
    count = timing.passes_a_block(
        timing.pass_seconds(timing.warm_up(as_built, device)), setting.kind
    )
    timing.warm_up(as_timed, device)
    ratios = [
        timing.elapsed(as_timed, count, device) / timing.elapsed(as_built, count, device)
        for _ in range(7)
    ]
    return (
        f"with the batch's statistics a pass takes {100 * (statistics.median(ratios) - 1):+.1f} %"
    )


def memory_in_use(device: str) -> str:
    """The device has more in use than the allocator took, which is more than it handed out."""
    setting, model = on(device), timms("resnet50")
    samples = memory.measure(model, setting)
    assert isinstance(samples, dict)
    memories = {name: values[0] for name, values in samples.items()}
    shape = (setting.batch_size, 3, setting.image_size, setting.image_size)
    planned = planned_memory.planned_peak(
        lambda: build(model, setting.image_size), shape, forward.DTYPES[setting.precision]
    )
    line = ", ".join(f"{name} {size / 2**20:.0f} MiB" for name, size in memories.items())
    assert memories["peak_memory"] <= memories["reserved_memory"] <= memories["device_memory"], line
    return f"{line}, planned {planned / 2**20:.0f} MiB"


def joules_of_a_pass(device: str) -> str:
    setting = on(device)
    samples = energy.measure(timms("resnet50"), setting).values
    [joules], [idle] = samples["energy"], samples["idle_power"]
    assert joules > 0 < idle
    return f"{joules:.3g} J an image, idle {idle:.0f} W"


def conditions(device: str) -> str:
    """A look is short, and finds the clock, what holds it back, and nobody else on the GPU."""
    look = probes.look_for(on(device))
    run = ready.prepare(timms("resnet18"), on(device)).forward
    look()
    took = []
    for _ in range(20):
        timing.elapsed(run, 10, device)
        begin = time.perf_counter()
        reading = look()
        took.append(time.perf_counter() - begin)
    of_gpu = {name: value for name, value in reading.items() if name.startswith("gpu")}
    line = f"{1e3 * statistics.median(took):.2f} ms, {of_gpu}"
    assert statistics.median(took) < 0.02, line
    if device != "cpu":
        assert {"gpu_sm_clock", "gpu_clock_reasons"} <= reading.keys(), line
        assert reading["gpu_foreign_processes"] == 0, line
    return line


_BUSY = """
import torch
ones = torch.ones(4096, 4096, device="cuda")
print("begins", flush=True)
while True:
    ones @ ones
    torch.cuda.synchronize()
"""


def a_foreign_process_is_seen(device: str) -> str:
    look = probes.look_for(on(device))
    run = ready.prepare(timms("resnet18"), on(device)).forward
    other = subprocess.Popen([sys.executable, "-c", _BUSY], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        other.stdout.readline()
        for _ in range(4):  # NVML samples a few times a second
            timing.elapsed(run, 20, device)
            time.sleep(0.3)
            reading = look()
    finally:
        other.kill()
        other.wait()
    assert reading.get("gpu_foreign_processes") == 1, f"{dict(reading)}"
    return "1"


def learn(device: str, rank: int, count: int, meeting: Path, file: Path) -> str:
    """An epoch of the suite here as one of `count` ranks on the same device, over gloo; the first
    writes the weights."""
    loaded = suite.load(str(HERE / "training.yaml")).suite
    asked, recipe = loaded.accuracy, loaded.accuracy.train
    assert recipe is not None
    setting = dataclasses.replace(on(device, "fp32"), image_size=24)
    forward.apply_flags(setting)
    model = Model("rn", "rn", "resnet", "resnet", "",
                  {"width": 16, "layers": "1-1-1-1", "block": "basic"}, num_classes=10)  # fmt: skip
    if device == "cpu":  # where torch shares no BatchNorm
        model = Model("mx", "mx", "mixer", "mixer", "",
                      {"dim": 32, "depth": 2, "patch_size": 4}, num_classes=10)  # fmt: skip
    if count > 1:
        torch.distributed.init_process_group(
            "gloo", f"file://{meeting}", world_size=count, rank=rank
        )
    dataset = open_dataset("digits", None, "train", 10)
    images = Images(dataset, augment(recipe.augmentation, of(model, setting, asked)), 10, 0)
    one_epoch = recipe.model_copy(update={"epochs": 1, "amp": False})
    training = Training(model, one_epoch, images, 24, 0, device, 0, Part(rank, count))
    for _ in training.epochs(lambda images: None):
        pass
    if rank == 0:
        torch.save([value.detach().cpu() for value in training.module.parameters()], file)
    return str(file)
