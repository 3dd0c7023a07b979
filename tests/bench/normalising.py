"""What it changes that BatchNorm layers get the statistics of the timed images, by turns.

Run by hand: ``python tests/bench/normalising.py [MODEL …]``. Each model is there twice, with the
same initial weights: as it is built, and as it is timed. One process times both in turns on all
threads of this CPU. Printed are what the pass for the statistics costs, what the convolutions and
linear layers of the second half of the network take in, and how much the time of a pass changes.
"""

from __future__ import annotations

import copy
import math
import statistics
import sys
import time
from functools import partial

from torch import Tensor, nn

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import forward, ready, timing
from cmx_bench.measures.forward import Forward
from cmx_bench.models.building import build
from cmx_bench.results import stats

MODELS = ("convmixer_768_32", "resnet50")
SETTING = Setting("cpu", "cpu", "fp32", "nchw", "none", 2, 224)
TURNS = 100


def compare(name: str) -> None:
    """Prints what the statistics change for a model of timm's."""
    model = Model(name, name, name, "timm", name)
    built = forward.place(build(model, SETTING.image_size), SETTING)
    timed = copy.deepcopy(built)
    batch = forward.images(SETTING)
    as_built = partial(forward.call_of(built, SETTING), batch)
    passes = timing.warm_up(as_built, "cpu")
    begin = time.perf_counter()
    as_timed = ready.prepare_module(timed, SETTING).forward
    cost = time.perf_counter() - begin
    print(f"{name}, batch {SETTING.batch_size}: a pass takes {timing.pass_seconds(passes):.3f} s, "
          f"preparing with statistics {cost:.3f} s")  # fmt: skip
    for label, module, run in (("as built", built, as_built), ("as timed", timed, as_timed)):
        print(f"  {label}: {activations(module, run)}")
    count = timing.passes_a_block(timing.pass_seconds(passes), "cpu")
    changes = []
    for turn in range(TURNS):
        pair = [as_built, as_timed][:: 1 if turn % 2 else -1]
        took = {run: timing.elapsed(run, count, "cpu") for run in pair}
        changes.append(took[as_timed] / took[as_built])
    change = stats.estimate([[ratio] for ratio in changes])
    print(
        f"  time of a pass as timed against as built, {TURNS} turns of {count} passes: "
        f"{100 * (change.value - 1):+.1f} % [{100 * (change.low - 1):+.1f}, "
        f"{100 * (change.high - 1):+.1f}], median {100 * (statistics.median(changes) - 1):+.1f}"
    )


def activations(module: nn.Module, run: Forward) -> str:
    """What reaches the layers of the network's second half: means over layers."""
    shares: list[tuple[float, float, float]] = []

    def look(layer: nn.Module, arguments: tuple[Tensor]) -> None:
        values = arguments[0].half().float()  # as a GPU would see them
        if values.ndim == 4:
            varying = values - values.mean((2, 3), keepdim=True)
            share = math.sqrt(float(varying.square().mean() / values.square().mean()))
            equal = float((values[..., 1:] == values[..., :-1]).float().mean())
            shares.append((share, equal, float((values == 0).float().mean())))

    layers = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_pre_hook(look) for layer in layers]
    run()
    for hook in hooks:
        hook.remove()
    half = shares[len(shares) // 2 :]
    share, equal, zero = (100 * statistics.mean(column) for column in zip(*half, strict=True))
    return (f"{share:.0f} % of the rms differs between positions, {equal:.0f} % of the values "
            f"equal their neighbour's, {zero:.0f} % are zeros")  # fmt: skip


if __name__ == "__main__":
    forward.apply_flags(SETTING)
    for name in sys.argv[1:] or MODELS:
        compare(name)
