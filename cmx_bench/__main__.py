"""`python -m cmx_bench`."""

import signal
import sys
from pathlib import Path

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # no traceback out of an import
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# Python put the working folder first, where a user's queue.py or pandas.py would be taken for the
# real one. Models are found there all the same: see models/importing.py.
_HERE = Path.cwd()
if not sys.flags.safe_path and Path(__file__).parent.parent != _HERE and sys.path[0] == str(_HERE):
    del sys.path[0]

from cmx_bench.cli import main  # noqa: E402

main()
