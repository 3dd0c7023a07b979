"""`cmx-bench`, and `python -m cmx_bench`."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # no traceback out of an import
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# Python put the working folder first, where a user's queue.py or pandas.py would be taken for the
# real one. Models are found there all the same: see models/importing.py.
with suppress(FileNotFoundError):  # that folder has gone, which `main` says
    here = Path.cwd()
    is_first = not sys.flags.safe_path and sys.path[0] == str(here)
    if is_first and Path(__file__).parent.parent != here:
        del sys.path[0]


def main() -> None:
    """Runs the command line. Where it cannot even be loaded, a line says why: Python's own exit
    code would say "regression"."""
    try:
        from cmx_bench.worker import limits

        limits.refuse_narrow()
        from cmx_bench.cli import ending
        from cmx_bench.cli import main as run
    except Exception as error:
        line = f"cmx-bench: cannot be loaded: {' '.join(str(error).split())}\n"
        with suppress(OSError, AttributeError):  # stderr is full, or closed
            # Not by its buffer: what is left in that when Python ends makes its exit code 120.
            os.write(sys.stderr.fileno(), line.encode(errors="replace"))
        sys.exit(2)
    try:
        run()
    finally:
        ending.outlast()


if __name__ == "__main__":
    main()
