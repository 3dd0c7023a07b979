"""A module made ready for torch to run in its setting: device, precision, layout, compilation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any, TypeAlias

import torch
import torch._dynamo
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch._inductor import config as inductor
from torch._inductor.cpu_vec_isa import pick_vec_isa

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import ModelError, message_of
from cmx_bench.measures import compiled
from cmx_bench.measures.runtimes import RUNTIMES
from cmx_bench.models import unseen
from cmx_bench.models.tensors import attributes_of, convert, tensors_in
from cmx_bench.units import tally

Forward: TypeAlias = Callable[[], object]

DTYPES = {
    "fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16,
    "autocast": torch.float32, "int8": torch.float32,
}  # fmt: skip
SDPA = ("flash", "mem_efficient", "math", "cudnn")  # implementations of attention
_LOGITS = ("logits", "out")  # transformers and torchvision call them so
AUTOCAST = {"cpu": torch.bfloat16, "cuda": torch.float16}


def apply_flags(setting: Setting) -> None:
    """Sets the switches of torch that a setting decides, so that none is left at a default, and
    those that a user's module may have changed and no setting decides, to torch's defaults.

    The setting's GPU becomes the current one: NCCL and the thread that pins memory take no other.
    """
    if setting.kind == "cuda":
        torch.cuda.set_device(setting.device)
    backends: Any = torch.backends
    # What the newer names were set to wins over the older ones, until it is taken back.
    backends.mkldnn.set_flags(_fp32_precision="none")  # its own name sets that of all backends
    for switch in (backends, backends.cudnn, backends.mkldnn.conv, backends.mkldnn.matmul,
                   backends.mkldnn.rnn):  # fmt: skip
        switch.fp32_precision = "none"
    # By their older names, which set the newer ones too; setting only the newer ones makes every
    # reader of the older ones fail, Inductor among them (torch 2.11 to 2.15).
    tf32 = setting.precision == "tf32"
    backends.cuda.matmul.allow_tf32 = tf32
    backends.cudnn.allow_tf32 = tf32
    backends.cudnn.benchmark = setting.cudnn_benchmark
    backends.cudnn.benchmark_limit = 10
    backends.cudnn.enabled = backends.mkldnn.enabled = True
    backends.cudnn.deterministic = False
    torch.use_deterministic_algorithms(False)
    backends.cuda.matmul.allow_fp16_reduced_precision_reduction = True
    backends.cuda.matmul.allow_bf16_reduced_precision_reduction = True
    backends.cuda.matmul.allow_fp16_accumulation = False
    backends.cuda.preferred_blas_library("default")
    for name in SDPA:
        getattr(backends.cuda, f"enable_{name}_sdp")(True)
    torch.set_default_dtype(torch.float32)
    torch.set_flush_denormal(False)
    torch.autograd.set_detect_anomaly(False)
    threads = setting.threads or _threads_of_process()
    # To set them keeps MKL from choosing fewer, which is the setting's to ask for.
    if setting.threads or threads != torch.get_num_threads():
        torch.set_num_threads(threads)


@cache
def _threads_of_process() -> int:
    """The number of threads before a model's code was imported."""
    return torch.get_num_threads()


def place(module: nn.Module, setting: Setting) -> nn.Module:
    """`module` on the setting's device, in its precision and layout, in evaluation mode."""
    module.eval()
    return convert(module, setting.device, dtype_of(setting), memory_format(setting))


def dtype_of(setting: Setting) -> torch.dtype:
    """The type of the weights and of the images that a setting's runtime is given."""
    return torch.float32 if RUNTIMES[setting.runtime].converts else DTYPES[setting.precision]


def images(setting: Setting) -> Tensor:
    """Random images `(batch, 3, image_size, image_size)`: zeros would make some GPUs faster."""
    shape = (setting.batch_size, 3, setting.image_size, setting.image_size)
    # On the CPU, whatever device a model's code may have made the default.
    generator = torch.Generator("cpu").manual_seed(0)
    values = torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu")
    placed = values.to(setting.device, dtype_of(setting))
    return placed.contiguous(memory_format=memory_format(setting))


def make_ready(module: nn.Module, setting: Setting) -> None:
    """Sets the setting's switches, and compiles a placed module where the setting says so."""
    apply_flags(setting)  # again: a user's module may have set its own while it was imported
    if setting.compile != "none":
        # What earlier runs left in torch's own cache would make compiling take no time at all.
        torch.compiler.config.force_disable_caches = not compiled.is_shared(setting)
        # Triton's kernels come in variants that are timed at their first run, in every mode: code
        # is shared, and what a process picked is not.
        inductor.autotune_local_cache = setting.kind == "cpu"
        inductor.freezing = setting.freeze
        # By these a user's module would have everything run eagerly.
        torch._dynamo.config.disable = torch._dynamo.config.suppress_errors = False
        torch.compiler.set_stance("default")
        if isinstance(module, torch.jit.ScriptModule):
            raise ModelError("is a TorchScript module, which torch does not compile again; return "
                             "the module that it was made of, or set compile: none")  # fmt: skip
        pick_instructions(setting)
        module.compile(mode=setting.compile)


def pick_instructions(setting: Setting) -> None:
    """Has Inductor find out by which vector instructions it may compile for this CPU, once for all
    cells: it compiles and loads a file for each set, some ten seconds of a core, which are no part
    of compiling a model."""
    if setting.kind == "cpu":
        with compiled.shared_by_cells():
            pick_vec_isa()  # torch remembers the answer in this process


_GRAPHS = "graphs"  # no reason of a break
# What torch compiled of the first module of a class in this process: others may run the same code.
_COMPILED: dict[type[nn.Module], Counter[str]] = {}


def _compiled_here() -> Counter[str]:
    """How many graphs torch compiled in this process, and the breaks between them by reason."""
    return Counter({_GRAPHS: counters["stats"]["unique_graphs"]}) + counters["graph_break"]


def compilation(model: Model, setting: Setting) -> dict[str, int]:
    """What a record tells of the code that torch compiled in this process, if any.

    Raises:
        ModelError: something else was compiled than the setting says.
    """
    if setting.compile != "none":
        return _count_breaks(model, _compiled_here())
    # Some operators of torch trace themselves where they run eagerly, and compile nothing.
    if setting.runtime == "torch" and counters["aot_autograd"]["total"]:
        raise ModelError(f"{model.name}: compiles code by itself where the setting compiles none; "
                         f"leave torch.compile out, and set compile in a setting")  # fmt: skip
    return {}


def _count_breaks(model: Model, compiled: Counter[str]) -> dict[str, int]:
    """What a record tells of code that torch compiled: the number of graph breaks. Between them
    the model runs eagerly. Refused is what was not compiled, or has code that was kept from it."""
    if any("torch.compiler.disable" in reason for reason in compiled):
        raise ModelError(f"{model.name}: keeps code from being compiled by torch.compiler.disable; "
                         f"remove that, or set compile: none")  # fmt: skip
    if not compiled[_GRAPHS]:
        raise ModelError(f"{model.name}: torch compiled nothing of it; set compile: none")
    return {"graph_breaks": compiled.total() - compiled[_GRAPHS]}


def watch(
    call: Callable[[Tensor], Tensor], module: nn.Module, model: Model, details: dict[str, Any]
) -> Callable[[Tensor], Tensor]:
    """`call` of one of several modules that this process compiles: its first batch does what
    `compilation` does of one alone, and adds the number of graph breaks to `details`."""

    def watch(batch: Tensor) -> Tensor:
        if "graph_breaks" in details:
            return call(batch)
        before = _compiled_here()
        output = call(batch)
        compiled = _compiled_here() - before
        earlier = _COMPILED.setdefault(type(module), compiled)
        details.update(_count_breaks(model, compiled if compiled[_GRAPHS] else earlier))
        return output

    return watch


def call_of(
    module: nn.Module, setting: Setting,
    mode: Callable[[], AbstractContextManager[None]] = torch.inference_mode,
) -> Callable[[Tensor], object]:  # fmt: skip
    """A placed module as a function of its input, run by torch in the setting's precision, without
    gradients.

    Its first pass raises a ModelError where the module gives no tensor, or does what `guarding`
    refuses; to look each time would take a part of a short pass.
    """
    make_ready(module, setting)
    kind, is_first = setting.kind, True

    def call(batch: Tensor) -> object:
        nonlocal is_first
        watch = guarding(batch, setting) if is_first else nullcontext()
        casts = torch.autocast(kind, AUTOCAST[kind], enabled=setting.precision == "autocast")
        with mode(), watch, casts:
            output: object = module(batch)
        if is_first and next(tensors_in(output), None) is None:
            raise ModelError(f"gives a {type(output).__name__} that holds no tensor, as where "
                             f"its work is still to be done; expected logits")  # fmt: skip
        is_first = False
        return output

    return call


@contextmanager
def guarding(batch: Tensor, setting: Setting) -> Iterator[None]:
    """Raises a ModelError for a pass, inside, that writes into its batch, sets the number of
    threads or has threads of its own. Of what was made in inference mode nobody counts the writes,
    and what compiles a model has threads too."""
    writes, threads = (0 if batch.is_inference() else batch._version), torch.get_num_threads()
    with unseen.threads(_refuse_threads) if setting.compile == "none" else nullcontext():
        yield
    if not batch.is_inference() and writes != batch._version:
        raise ModelError("writes into the images that it is given, and would find in the next pass "
                         "what it wrote; let it work on a copy")  # fmt: skip
    if threads != torch.get_num_threads():
        raise ModelError(f"sets the number of threads to {torch.get_num_threads()} while it runs; "
                         f"leave that to threads in a setting")  # fmt: skip


def _refuse_threads() -> None:
    raise ModelError(unseen.THREADED)


# Libraries that allocate beside torch's own allocator fail in their own words: cuBLAS also where
# no memory is left for its handle, Triton's driver, cuDNN; Inductor wraps torch's own error.
_OUT_OF_MEMORY = (
    "DefaultCPUAllocator: ", "CUDA error: out of memory", "STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED", "Error [CUDA]: out of memory", "ALLOCATION_FAILED",
    "OutOfMemoryError: ",
)  # fmt: skip


def out_of_memory(error: BaseException) -> bool:
    """Whether torch, a library of the device, or Python ran out of memory."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError)
        and any(text in message_of(error) for text in _OUT_OF_MEMORY)
    )


def logits_of(output: object) -> Tensor:
    """What a model gives for its classes, beside which it may give more.

    That is a tensor; the first of a tuple or list, as of distilled models, which give a teacher's
    as well; what is called `logits` or `out` in a dict, or as an attribute.

    Raises:
        ModelError: it gives nothing of the kind.
    """
    named = {} if isinstance(output, Tensor) else attributes_of(output)
    first = output[:1] if isinstance(output, list | tuple) else (output,)
    for logits in (*(named.get(name) for name in _LOGITS), *first):
        if isinstance(logits, Tensor):
            if logits.is_complex():
                raise ModelError("gives complex numbers, expected real logits; return their real "
                                 "part or their abs()")  # fmt: skip
            return logits
    keys = f" with {', '.join(map(str, named))}" if named else ""
    raise ModelError(
        f"gives a {type(output).__name__}{keys}; expected logits: a tensor, a tuple that begins "
        f"with them, or a dict that has them as {' or '.join(_LOGITS)}"
    )


def refuse_misfit(logits: Tensor, model: Model, count: int) -> None:
    """Raises a ModelError for `logits` that are not `(count, num_classes)`."""
    if logits.shape != (count, model.num_classes):
        given = f"give {model.target} the number under args, or " * (model.source == "python")
        raise ModelError(
            f"{model.name}: gives {tuple(logits.shape)} for {tally(count, 'image')}, expected "
            f"{(count, model.num_classes)}; {given}set num_classes"
        )


def memory_format(setting: Setting) -> torch.memory_format:
    """What torch calls the setting's layout."""
    return torch.channels_last if setting.layout == "nhwc" else torch.contiguous_format
