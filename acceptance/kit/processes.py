"""Starting a program and ending it again, by its id, whatever happens in between."""

from __future__ import annotations

import os
import queue
import random
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from kit import check

RUN_WITHIN = 180.0
"""Seconds in which a program must have done what it was run for. To import msgraph-sdk alone can take a minute."""


def free_port() -> int:
    """A port that is free for UDP and TCP alike, for a program that must be found at a known one, perhaps later.

    From where nobody else takes any: the system gives others from 32768 on, among which are those of audio.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 30_000)
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream,
            suppress(OSError),
        ):
            datagrams.bind(("127.0.0.1", port))
            stream.bind(("127.0.0.1", port))
            return port


def fresh(folder: Path) -> Path:
    """Makes this folder, or one with a number behind its name where there is one: a case may be run again."""
    place, number = folder, 1
    while place.exists():
        number += 1
        place = folder.with_name(f"{folder.name}-{number}")
    place.mkdir(parents=True)
    return place


class Ends:
    """`with` ends it; `close` is told whether it does because something failed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(kind is not None)

    def close(self, failed: bool) -> None:
        raise NotImplementedError


class Running:
    """A program with its output in a file. It heads a process group, so that what it started ends with it."""

    def __init__(
        self,
        words: Sequence[str | Path],
        log: Path,
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = None,
        stderr: int | None = None,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """`env` is added to this process's environment; the program gets the descriptors `pass_fds` too."""
        self.name = Path(words[0]).name
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                # It is told to end when this process has, even where that was killed.
                ["setpriv", "--pdeathsig", "TERM", *map(str, words)],
                stdin=stdin,
                stdout=file if stdout is None else stdout,
                stderr=file if stderr is None else stderr,
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

    def said(self, pattern: str) -> re.Match[str]:
        """What it says, once it does."""

        def look() -> re.Match[str] | None:
            return re.search(pattern, self.log.read_text(errors="replace"), re.MULTILINE)

        return check.soon(look, f"{self.name} says {pattern}", said=self.tail)

    def tail(self, lines: int = 15) -> str:
        """The last lines it wrote."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def run(
    words: Sequence[str | Path], *, env: dict[str, str] | None = None, within: float = RUN_WITHIN
) -> subprocess.CompletedProcess[str]:
    """A program to its end, with what it says; what takes too long is ended, with all that it started."""
    running = Running(words, Path(os.devnull), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    try:
        said = running.process.communicate(timeout=within)
    finally:
        status = running.end()
    return subprocess.CompletedProcess(words, status, *(text.decode(errors="replace") for text in said))


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

    def line(self, within: float = check.PATIENCE) -> str:
        """The next line that it says."""
        try:
            line = self._lines.get(timeout=within)
        except queue.Empty:
            raise check.Failed(f"{self.name} said nothing within {within:g} s:\n{self.tail()}") from None
        if line is None:
            raise check.Failed(f"{self.name} ended:\n{self.tail()}")
        return line
