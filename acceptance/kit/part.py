"""What every part's program does with its command line: a temporary folder, a server, and then its cases."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from kit import check

Case = tuple[str, Callable[[], None]]


def main(cases: Callable[[Path, Path], Sequence[Case]]) -> None:
    """`cases` is given the server's program and an empty folder, and gives what is to be run. Does not return."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True, type=Path, help="the server's program")
    parser.add_argument("--keep", type=Path, help="leave logs and recordings in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ringback-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        status = check.run_cases(cases(options.server.resolve(), folder.resolve()))
    sys.exit(status)
