"""Whether two cells side by side take as long as one after the other, on stand-ins for devices.

`python tests/bench/side_by_side.py [SECONDS]`: two small networks on the CPU in one thread, on two
stand-ins for GPUs, a core each. Each pair is one process alone on its core and one while the other
core measures too, in random order; `selftest SUITE --device cuda:0,1` does the same with GPUs. No
command does it with a CPU: what shares its caches and memory moves timings.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from cmx_bench.execute import devices
from cmx_bench.gate import alongside
from cmx_bench.gate.alongside import Alongside
from cmx_bench.plan import Plan
from cmx_bench.spec import suite
from cmx_bench.worker import local
from cmx_bench.worker.job import Place
from cmx_bench.worker.targets import Target

SUITE = """\
name: side_by_side
models:
  - {name: convmixer, convmixer: {dim: 64, depth: 4, kernel_size: 5, patch_size: 8}}
  - {name: resnet, timm: resnet10t}
measures: [throughput]
settings:
  cpu: [{name: cpu, batch_size: 1, image_size: 96, threads: 1}]
"""
PLACES = (Place("cpu", "", (0,)), Place("cpu", "", (1,)))


def main(seconds: float) -> None:
    with TemporaryDirectory() as folder:
        here = Path(folder)
        (here / "suite.yaml").write_text(SUITE, encoding="utf-8")
        plan: Plan = local.call(Target.MAKE_PLAN, suite.load(str(here / "suite.yaml")), "cpu")
        plan = replace(plan, places=PLACES)
        with devices.opening(PLACES, print) as opened:
            pairs = list[Alongside]()
            for pair in alongside.run(plan, opened, seconds, here / "log.txt"):
                pairs.append(pair)
                print(f"{pair.model}: alone {pair.alone:.1f} images/s, beside {pair.beside:.1f}")
    print(*alongside.lines(plan.machine, pairs), sep="\n")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 120.0)
