"""The server that forks workers imports this: every slow module, and nothing else.

No model is built and no GPU touched here, so that every fork begins as fresh as a new interpreter.
"""

from __future__ import annotations

import importlib
import warnings

from cmx_bench.measures import MEASURES, function
from cmx_bench.results import collector
from cmx_bench.worker import forking, local
from cmx_bench.worker.targets import Target

with collector.pausing(), forking.loading(), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    try:
        importlib.import_module("torchvision")
    except (ImportError, OSError, RuntimeError) as error:
        if "failed to map segment" in str(error):  # the loader's words for a lack of memory
            raise MemoryError(str(error)) from error
        # a broken installation: the first worker says what is wrong, the server must live
    else:
        for target in (Target.SAMPLE, Target.MAKE_PLAN, Target.TIME_IN_TURNS):
            local.function(target)
        for name, info in MEASURES.items():
            if not info.together:  # those are no function of one model
                function(name)
