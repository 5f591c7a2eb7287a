"""Runs the parts of the acceptance, each as a program of its own and bounded in time.

    python run.py --server PROGRAM [--only PART]

Exit status 0 if all parts held. Everything is done in a temporary folder, on free ports of 127.0.0.1.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path

PARTS = (
    "wire",
    "identity",
    "hosts",
    "examples",
    "containers",
    "sdk",
    "libraries",
    "neighbours",
    "sipp",
    "baresip",
    "meetings",
    "linphone",
    "made",
    "page",
)

PART_WITHIN = 900
"""Seconds that a part may take. The slowest takes about a minute, and some five on a busy machine."""

END_WITHIN = 60
"""Seconds in which a part that was told to end must have ended its server and its phones."""


def run_part(part: str, server: Path) -> bool:
    """Runs one part, and ends it when its time is over."""
    print(f"-- {part}", flush=True)
    started = time.monotonic()
    program = Path(__file__).resolve().parent / f"{part}.py"
    process = subprocess.Popen([sys.executable, program, "--server", server])
    try:
        status: int | str = process.wait(PART_WITHIN)
    except subprocess.TimeoutExpired:
        status = f"not done within {PART_WITHIN} s"
    finally:
        end(process)
    print(f"-- {part}: {time.monotonic() - started:.1f} s, {'ok' if status == 0 else f'failed ({status})'}", flush=True)
    return status == 0


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a part that is still running: asked first, so that it can end what it started."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, type=Path, help="the server's program")
    parser.add_argument("--only", choices=PARTS, help="run one part alone")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit("told to end"))
    chosen = [options.only] if options.only else list(PARTS)
    held = [run_part(part, options.server.resolve()) for part in chosen]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
