"""Runs the parts of the acceptance, each as a program of its own and bounded in time.

    python run.py --server PROGRAM [--only PART]

Exit status 0 if all parts held. Everything is done in a temporary folder, on free ports of 127.0.0.1.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PARTS = ("wire", "sdk", "sipp", "baresip")

PART_WITHIN = 300
"""Seconds that a part may take. The slowest takes about a minute."""


def run_part(part: str, server: Path) -> bool:
    """Runs one part; what it leaves running ends with it."""
    print(f"-- {part}", flush=True)
    started = time.monotonic()
    program = Path(__file__).resolve().parent / f"{part}.py"
    process = subprocess.Popen([sys.executable, program, "--server", server], start_new_session=True)
    try:
        status: int | str = process.wait(PART_WITHIN)
    except subprocess.TimeoutExpired:
        status = f"not done within {PART_WITHIN} s"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    print(f"-- {part}: {time.monotonic() - started:.1f} s, {'ok' if status == 0 else f'failed ({status})'}", flush=True)
    return status == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, type=Path, help="the server's program")
    parser.add_argument("--only", choices=PARTS, help="run one part alone")
    options = parser.parse_args()
    chosen = [options.only] if options.only else list(PARTS)
    held = [run_part(part, options.server.resolve()) for part in chosen]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
