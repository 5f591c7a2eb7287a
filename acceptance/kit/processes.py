"""Starting a program and ending it again, by its id, whatever happens in between."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from kit import check


class Running:
    """A program with its output in a file. It heads a process group, so that what it started ends with it."""

    def __init__(
        self,
        words: Sequence[str | Path],
        log: Path,
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = None,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """`env` is added to this process's environment; the program gets the descriptors `pass_fds` too."""
        self.name = Path(words[0]).name
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [str(word) for word in words],
                stdin=stdin,
                stdout=file if stdout is None else stdout,
                stderr=file,
                env=os.environ | (env or {}),
                cwd=cwd,
                pass_fds=pass_fds,
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


class Talking(Running):
    """A program that is told lines and says lines; what it says on stderr is in the file."""

    def __init__(self, words: Sequence[str | Path], log: Path, *, env: dict[str, str] | None = None) -> None:
        super().__init__(words, log, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, name=f"{self.name}'s output", daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(line.decode(errors="replace"))
        self._lines.put(None)

    def say(self, line: str) -> None:
        """Tells it a line."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise check.Failed(f"{self.name} ended:\n{self.tail()}") from None

    def line(self, within: float) -> str:
        """The next line that it says."""
        try:
            line = self._lines.get(timeout=within)
        except queue.Empty:
            raise check.Failed(f"{self.name} said nothing within {within:g} s:\n{self.tail()}") from None
        if line is None:
            raise check.Failed(f"{self.name} ended:\n{self.tail()}")
        return line
