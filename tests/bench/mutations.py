"""Changes the core logic in one place at a time, and says which changes its own tests let pass.

python tests/bench/mutations.py [--count 200] [--seed 1] [--only GLOB]

A mutation swaps a comparison or an arithmetic sign, `and` and `or`, `min` and `max`, moves a number
by one, or drops a `not`. The test file of the module's name is run against each.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).parents[2]
# Each module of the core logic, with its test files.
CORE = {
    f"cmx_bench/{module}.py": f"tests/{test}.py"
    for module, test in {
        "results/stats": "results/test_stats",
        "results/disturbance": "results/test_disturbance",
        "results/agreement": "results/test_agreement",
        "results/lines": "results/test_lines.py tests/results/test_records",
        "results/records": "results/test_records",
        "results/validation": "results/test_validation",
        "measures/conditions": "measures/test_conditions",
        "measures/counting/given": "measures/counting/test_given",
        "measures/counting/twice": "measures/counting/test_twice",
        "gate/rule": "gate/test_rule",
        "gate/price": "gate/test_price",
        "gate/blocks": "gate/test_blocks",
        "execute/remaining": "execute/test_remaining",
        "execute/runner": "execute/test_runner.py tests/execute/test_remaining",
        "execute/slots": "execute/test_slots",
        "designs/search": "designs/test_search",
        "report/figures/pareto": "report/figures/test_pareto",
        "report/tables/fairness": "report/tables/test_fairness",
        "units": "test_units",
    }.items()
}
_SWAPS: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Add, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
# Changes that no test can tell: the line as it would be, and why nothing changes. Not drawn.
EQUIVALENT = {
    "cmx_bench/designs/search.py": {
        "return round(CHANGE * padded + sum(CHANGE + abs(math.log(ratio)) for ratio in "
        "ratios), (10))": "only other mathematical libraries differ there",
    },
    "cmx_bench/execute/remaining.py": {
        "return max(0, min(max(needed, (n - 1)) - n, most_processes(plan, "
        "cell) - len(records)))": "an interval that is too wide needs more processes than it has",
        "if (missing < 0):": "the least of what is missing is none then, too",
    },
    "cmx_bench/execute/runner.py": {
        "return (time.monotonic() - begin + starting + mine[-1].elapsed < "
        "budget)": "no time by the clock is exactly the budget",
    },
    "cmx_bench/execute/slots.py": {
        "return sum(share.order.estimates.get(cell.key, (1.0)) for cell in "
        "share.left)": "of models without estimates as many belong to each share, either way",
    },
    "cmx_bench/gate/rule.py": {
        "is_worse = (change.bound(FAIL_LEVEL) >= 0) if is_worse is None else "
        "is_worse": "no bound of measured values is exactly 0",
    },
    "cmx_bench/measures/conditions.py": {
        'fast = fast_probe([reading["probe"] for reading in readings if "probe" in reading]) '
        "or (1.0)": "it is used only where there is a probe",
    },
    "cmx_bench/report/tables/fairness.py": {
        'return Standings(metric, names, results, values if metric.better == "higher" else (2) / '
        "values)": "ratios and ranks alone are made of them",
        "known = [pair for pair in zip(ratios, standings.settings, strict=True) "
        "if (pair[0] >= 0)]": "values are above 0: a ratio is, too, or NaN",
    },
    "cmx_bench/results/agreement.py": dict.fromkeys(
        (
            "return np.array([(*classes, 0)[(1)] for classes in images.labels], np.int32)",
            "return np.array([(*classes, (1))[0] for classes in images.labels], np.int32)",
        ),
        "what is taken off when votes are packed is added again when they are unpacked",
    ),
    "cmx_bench/results/lines.py": {
        "begin = file.seek((1), os.SEEK_END)": "what is read ends at the file's end still",
    },
    "cmx_bench/results/records.py": {
        'disk.write(folder / "run.json", disk.json_of(dataclasses.asdict(run), '
        "indent=(2)))": "how far lines are indented says nothing",
    },
    "cmx_bench/results/stats.py": {
        "adjusted, so_far = [(1.0)] * len(values), 0.0": "every place is written over",
        "return round(float(nctdtrinc(freedom, 1 - power, t)), "
        "(10))": "only other versions of scipy differ there",
    },
    "cmx_bench/results/validation.py": {
        "raise _explain(error.errors(include_url=(True)), parse(text)) from "
        "None": "nobody reads the address",
    },
}
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
_LONGEST = 240.0  # seconds of a test file; a mutation may never end


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change of one module: the expression at these bytes, as it is and as it becomes."""

    module: str
    line: int
    start: int
    end: int
    before: str
    after: str

    def applied(self, source: bytes) -> bytes:
        return source[: self.start] + self.after.encode() + source[self.end :]

    def becomes(self, source: bytes) -> str:
        """The line with the change."""
        return self.applied(source).decode().splitlines()[self.line - 1].strip()


def mutations(module: str, source: bytes) -> Iterator[Mutation]:
    """All of a module."""
    lines = [0]
    for line in source.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    tree = ast.parse(source)
    # Constants are chosen, most of them by measuring: no test can say what they should be.
    tree.body = [node for node in tree.body if not isinstance(node, ast.Assign | ast.AnnAssign)]
    skipped = set(_find_unexecuted(tree))
    for node in ast.walk(tree):
        if node in skipped or not isinstance(node, ast.expr):
            continue
        for changed in _changes(node):
            assert node.end_lineno is not None
            assert node.end_col_offset is not None
            start = lines[node.lineno - 1] + node.col_offset
            end = lines[node.end_lineno - 1] + node.end_col_offset
            after = f"({ast.unparse(changed)})"
            yield Mutation(module, node.lineno, start, end, source[start:end].decode(), after)


def _find_unexecuted(tree: ast.AST) -> Iterator[ast.AST]:
    """Annotations, asserts that narrow types, what an f-string prints, and a zip's `strict`, which
    holds what its callers never do: a change there changes words, or nothing."""
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.FunctionDef):
            arguments = node.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            parts = [node.returns, *(argument.annotation for argument in every)]
        elif isinstance(node, ast.JoinedStr | ast.Assert) or _is_dataclass(node):
            parts = [node]
        elif isinstance(node, ast.keyword) and node.arg == "strict":
            parts = [node.value]
        for part in filter(None, parts):
            yield from ast.walk(part)


def _is_dataclass(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "dataclass"


def _changes(node: ast.expr) -> Iterator[ast.expr]:
    changed = copy.deepcopy(node)
    match changed:
        case ast.Compare(ops=ops) if type(ops[0]) in _SWAPS:
            changed.ops[0] = _SWAPS[type(ops[0])]()
        case ast.BinOp(op=operator) if type(operator) in _SWAPS:
            changed.op = _SWAPS[type(operator)]()
        case ast.BoolOp(op=operator):
            changed.op = _SWAPS[type(operator)]()
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            changed = operand
        case ast.Call(func=ast.Name(id=name)) if name in _CALLS:
            changed.func = ast.Name(_CALLS[name])
        case ast.Constant(value=bool() as value):
            changed.value = not value
        case ast.Constant(value=int() | float() as value):
            changed.value = value + 1
        case _:
            return
    yield changed


def caught(mutation: Mutation, copy_of_repository: Path) -> bool:
    """Whether the tests of the module's name fail with the mutation."""
    path = copy_of_repository / mutation.module
    source = path.read_bytes()
    path.write_bytes(mutation.applied(source))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider",
               *CORE[mutation.module].split()]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(copy_of_repository)}
    try:
        done = subprocess.run(command, cwd=copy_of_repository, env=environment, timeout=_LONGEST,
                              capture_output=True, check=False)  # fmt: skip
    except subprocess.TimeoutExpired:
        return True
    finally:
        path.write_bytes(source)
    if done.returncode not in {0, 1, 2}:  # 2: the module cannot even be imported
        raise SystemExit(done.stdout.decode() + done.stderr.decode())
    return done.returncode != 0


def draw(count: int, seed: int, only: str) -> Sequence[Mutation]:
    every = []
    for module in (module for module in sorted(CORE) if fnmatch(module, only)):
        source, known = (ROOT / module).read_bytes(), dict(EQUIVALENT.get(module, {}))
        for mutation in mutations(module, source):
            if known.pop(mutation.becomes(source), None) is None:
                every.append(mutation)
        if known:
            raise SystemExit(f"{module} has no such line any more: {sorted(known)}")
    if not every or count < 1:
        raise SystemExit("nothing is drawn: --only names modules of CORE, --count is 1 or more")
    print(f"{len(every)} mutations of {only}, {min(count, len(every))} drawn with seed {seed}")
    return random.Random(seed).sample(every, min(count, len(every)))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="*", help="modules, such as cmx_bench/results/*")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    chosen = draw(arguments.count, arguments.seed, arguments.only)
    with tempfile.TemporaryDirectory() as home, ThreadPoolExecutor(arguments.jobs) as pool:
        copies: Queue[Path] = Queue()
        for number in range(arguments.jobs):
            copies.put(_copy(Path(home, str(number))))

        def judge(mutation: Mutation) -> bool:
            mine = copies.get()
            try:
                return caught(mutation, mine)
            finally:
                copies.put(mine)

        number_caught = 0
        for mutation, is_caught in zip(chosen, pool.map(judge, chosen), strict=True):
            number_caught += is_caught
            if not is_caught:
                where = f"{mutation.module}:{mutation.line}"
                print(f"passed: {where}: {mutation.before} → {mutation.after}", flush=True)
    print(f"{number_caught} of {len(chosen)} caught ({number_caught / len(chosen):.0%})")


def _copy(to: Path) -> Path:
    ignored = shutil.ignore_patterns(".git", ".tox", ".*cache", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, to, ignore=ignored)
    return to


if __name__ == "__main__":
    main()
