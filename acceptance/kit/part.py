"""What every part's program does with its command line: a temporary folder, its cases, and an end to all it started."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from kit import check

Case = tuple[str, Callable[[], None]]


def named(functions: Sequence[Callable[[], None]]) -> Sequence[Case]:
    """Cases that bear their functions' names."""
    return [(function.__name__.replace("_", " "), function) for function in functions]


def main(cases: Callable[[Path, Path, ExitStack], Sequence[Case]]) -> None:
    """`cases` is given the server's program, an empty folder and a stack for what must be ended. Does not return."""
    # Told to end, it unwinds, and every `with` ends the program that it started.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit("told to end"))
    # All that is asked here is on this machine: no proxy is between.
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True, type=Path, help="the server's program")
    parser.add_argument("--keep", type=Path, help="leave logs and recordings in this folder, which must not exist yet")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ringback-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=options.keep is None)
        try:
            with ExitStack() as stack:
                status = check.run_cases(cases(options.server.resolve(), folder.resolve(), stack))
        except check.Failed as failure:
            print(f"FAIL  {failure}", flush=True)
            status = 1
    sys.exit(status)
