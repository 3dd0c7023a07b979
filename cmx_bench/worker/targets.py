"""The functions that fresh processes are started with, named without importing them."""

from __future__ import annotations

from enum import StrEnum


class Target(StrEnum):
    """A function as `module:name`: whoever starts a process with it loads no torch for that."""

    ANSWER = "cmx_bench.worker.local:answer"
    BOUND = "cmx_bench.worker.local:run_bound"
    OBEY = "cmx_bench.worker.server:obey"
    PARSE_DATA = "cmx_bench.datasets:parse"
    FIND_WEIGHTS = "cmx_bench.accuracy:find_weights"
    CHECK_INSTALLATION = "cmx_bench.worker.machine:check_installation"
    RESOLVE_DEVICE = "cmx_bench.worker.machine:resolve_device"
    FIND_PLACES = "cmx_bench.worker.several:find"
    TRY = "cmx_bench.plan.trying:costs"
    REFUSED_RULES = "cmx_bench.plan.trying:refused_rules"
    COUNT_USERS = "cmx_bench.plan.trying:amount"
    MAKE_PLAN = "cmx_bench.plan.making:make_plan"
    COUNT = "cmx_bench.plan.resolving:amount"
    SAMPLE = "cmx_bench.worker.sampling:execute"
    SCORE = "cmx_bench.worker.scoring:evaluate"
    FIT = "cmx_bench.worker.fitting:train"
    LIST_EVALUATED = "cmx_bench.worker.inventory:list_evaluated"
    DIGEST_LEARNED = "cmx_bench.worker.inventory:digest_learned"
    MAKE_THUMBNAILS = "cmx_bench.worker.inventory:make_thumbnails"
    TIME_IN_TURNS = "cmx_bench.worker.turns:serve"
