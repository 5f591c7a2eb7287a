"""Starting a program and ending it again, by its id, whatever happens in between."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path


class Running:
    """A program with its output in a file. It heads a process group, so that what it started ends with it."""

    def __init__(self, words: Sequence[str | Path], log: Path, *, stdout: int | None = None) -> None:
        self.name = Path(words[0]).name
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [str(word) for word in words],
                stdin=subprocess.DEVNULL,
                stdout=file if stdout is None else stdout,
                stderr=file,
                start_new_session=True,
            )

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the program and all that it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def end(self, within: float = 10.0) -> int:
        """Asks it to end, makes it end after `within` seconds, and gives its exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.process.wait()
            return -signal.SIGKILL

    def tail(self, lines: int = 15) -> str:
        """The last lines it wrote."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])
