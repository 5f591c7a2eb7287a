"""baresip as a phone: without sound card or terminal, in a folder of its own, steered over its control port.

Every call's two directions are recorded by its module `sndfile`, as `dump-…-dec.wav` (heard) and `dump-…-enc.wav`.
"""

from __future__ import annotations

import json
import queue
import shutil
import socket
import threading
from pathlib import Path
from typing import Any

from kit import audio, check
from kit.processes import Ends, Running, free_port, fresh
from kit.server import Phone

RATE = 8000
"""Samples a second of G.711, and of what it records."""

SAYS_SECONDS = 120
"""Length of what it says. A call ends when that ends, so it is longer than any call here."""

CONFIG = """\
poll_method        epoll
sip_listen         {at}:0
net_interface      {at}
rtp_ports          42000-44000
audio_source       aufile,{folder}/says.wav
audio_path         {folder}
audio_level        no
ausrc_srate        {rate}
auplay_srate       {rate}
module_path        {modules}
module             g711.so
module             aufile.so
module             sndfile.so
snd_path           {folder}
module_tmp         uuid.so
module_tmp         account.so
module_app         menu.so
module_app         ctrl_tcp.so
ctrl_tcp_listen    127.0.0.1:{control}
"""


def module_folder() -> Path:
    """Where Debian puts baresip's modules; multi-arch folders are tried too."""
    places = [Path("/usr/lib/baresip/modules"), *Path("/usr/lib").glob("*/baresip/modules")]
    for place in places:
        if (place / "sndfile.so").exists():
            return place
    raise check.Failed("baresip's modules are not where Debian puts them")


class Baresip(Ends):
    """A registered phone. `through` is the port of a relay that all its SIP messages go through."""

    def __init__(
        self,
        folder: Path,
        phone: Phone,
        server: tuple[str, int],
        *,
        answers: bool = False,
        through: int | None = None,
        says: audio.Sound | None = None,
        at: str = "127.0.0.1",
    ) -> None:
        """`says` has `RATE` samples a second; without it, it hums. `at` is its own address."""
        self.name = phone.name
        self._domain = f"{server[0]}:{server[1]}"
        program = shutil.which("baresip")
        check.that(program, "baresip is not installed")
        folder = self.folder = fresh(folder)
        control = free_port()
        (folder / "config").write_text(
            CONFIG.format(at=at, folder=folder, rate=RATE, modules=module_folder(), control=control)
        )
        account = f"<sip:{phone.name}@{self._domain}>;auth_user={phone.name};auth_pass={phone.password};regint=60"
        account += ";answermode=auto" if answers else ";answermode=manual"
        if through is not None:
            account += f';outbound="sip:127.0.0.1:{through}"'
        (folder / "accounts").write_text(account + "\n")
        says = audio.hum(SAYS_SECONDS, RATE) if says is None else says
        (folder / "says.wav").write_bytes(audio.wav_bytes(says, RATE))
        self.events: list[dict[str, Any]] = []
        self._responses: queue.Queue[dict[str, Any]] = queue.Queue()
        self._running = Running([str(program), "-f", folder], folder / "log")
        try:
            self._control = self._connect(control)
            threading.Thread(target=self._read, name=f"baresip {phone.name}", daemon=True).start()
        except BaseException:
            self._running.end(2.0)
            raise

    def _connect(self, port: int) -> socket.socket:
        def attempt() -> socket.socket | None:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=check.PATIENCE)
            except ConnectionRefusedError:
                return None

        control = check.soon(attempt, "baresip's control port", said=self._running.tail)
        control.settimeout(None)
        return control

    def close(self, failed: bool) -> None:
        self._running.end()
        self._control.close()
        if failed:
            print(f"baresip {self.name}'s last words:\n{self._running.tail()}")

    def _read(self) -> None:
        """Messages are netstrings: a length, `:`, that many bytes of JSON, `,`."""
        waiting = b""
        while True:
            try:
                data = self._control.recv(65536)
            except OSError:
                return
            if not data:
                return
            waiting += data
            while b":" in waiting:
                length, _, rest = waiting.partition(b":")
                size = int(length)
                if len(rest) <= size:
                    break
                message, waiting = json.loads(rest[:size]), rest[size + 1 :]
                if message.get("event"):
                    self.events.append(message)
                else:
                    self._responses.put(message)

    def command(self, command: str, parameter: str | None = None) -> str:
        """Gives a command as its menu knows it; gives what it says to it."""
        message = {"command": command, "token": "x"} | ({} if parameter is None else {"params": parameter})
        data = json.dumps(message).encode()
        self._control.sendall(b"%d:%s," % (len(data), data))
        try:
            response = self._responses.get(timeout=check.PATIENCE)
        except queue.Empty:
            raise check.Failed(f"baresip did not respond to {command}:\n{self._running.tail()}") from None
        check.that(response.get("ok"), f"baresip refused {command} {parameter or ''}: {response.get('data')}")
        return str(response.get("data", ""))

    def wait(self, kind: str, *, after: int = 0, within: float = check.PATIENCE) -> dict[str, Any]:
        """The first event of a kind (`CALL_ESTABLISHED`, `CALL_CLOSED`, …) that is not older than `after` events."""

        def find() -> dict[str, Any] | None:
            return next((event for event in self.events[after:] if event["type"] == kind), None)

        return check.soon(find, f"baresip {self.name}: {kind}", within)

    def wait_registered(self) -> None:
        """It registers by itself at its start; that event may come before anyone listens."""
        check.soon(lambda: "OK" in self.command("reginfo"), f"baresip {self.name} is registered")

    def dial(self, number: str) -> None:
        self.command("dial", f"sip:{number}@{self._domain}")

    def wait_established(self) -> None:
        self.wait("CALL_ESTABLISHED")

    def wait_closed(self) -> None:
        self.wait("CALL_CLOSED")

    def hang_up(self) -> None:
        self.command("hangup")

    def press(self, keys: str) -> None:
        """Presses keys one after the other, each held for about 0.2 s."""
        self.command("sndcode", keys)

    def heard(self) -> tuple[audio.Sound, int]:
        """What the latest call heard, and the rate of that; to be asked when that call has ended."""
        dumps = sorted(self.folder.glob("dump-*-dec.wav"), key=lambda path: path.stat().st_mtime)
        check.that(dumps, f"baresip {self.name} recorded nothing")
        sound, rate = audio.read_wav(dumps[-1])
        check.same(rate, RATE, "the recording's rate")
        return sound, rate
