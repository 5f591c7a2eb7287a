"""Linphone as a phone: its console program, with sound from and to files, in a folder of its own, steered by lines.

Everything that it hears in its calls is recorded in one WAV file, `heard.wav`.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from kit import audio, check
from kit.processes import Ends, Talking, fresh
from kit.server import Phone, Server

RATE = 8000
"""Samples a second of G.711, and of what it says."""

SAYS_SECONDS = 20
"""Length of what it says; it begins again when that ends."""

QUIT_WITHIN = 5.0
"""Seconds."""

CONFIG = """\
[sip]
auto_net_state_mon=0
sip_port={udp}
sip_tcp_port={tcp}
sip_tls_port={tls}
root_ca={ca}
use_ipv6=0
default_proxy=0
use_rfc2833={rfc2833}
use_info={info}
register_only_when_network_is_up=0

[proxy_0]
reg_proxy=<sip:{server};transport={transport}>
reg_identity=sip:{name}@{server}
reg_expires=60
reg_sendregister=1

[auth_info_0]
username={name}
passwd={password}

[rtp]
audio_rtp_port=44002-46000

[sound]
echocancellation=0
"""

CODECS = [
    ("opus", 48000, 2),
    ("speex", 16000, 1),
    ("speex", 8000, 1),
    ("PCMU", 8000, 1),
    ("PCMA", 8000, 1),
    ("G722", 8000, 1),
    ("G729", 8000, 1),
]
"""What it would offer by itself, and G.722: name, clock rate, channels."""

CODEC = """
[audio_codec_{number}]
mime={name}
rate={rate}
channels={channels}
enabled={enabled}
"""


class Linphone(Ends):
    """A registered phone."""

    def __init__(
        self,
        folder: Path,
        phone: Phone,
        server: Server,
        *,
        answers: bool = False,
        transport: str = "udp",
        keys: str = "rfc2833",
        codec: str = "PCMU",
        says: audio.Sound | None = None,
    ) -> None:
        """`transport` is `udp`, `tcp` or `tls`; `codec` is the one that it offers.

        `keys` says how it sends them: `rfc2833` (RTP events), `info` (SIP INFO) or `audio` (as tones that one hears).
        `says` is what it says over and over, `RATE` samples a second; without it, it hums.
        """
        program = shutil.which("linphonec")
        check.that(program, "linphonec is not installed")
        folder = self.folder = fresh(folder)
        # It keeps a database in its home, and makes the file but not the folder.
        (folder / ".local/share/linphone").mkdir(parents=True)
        self.name = phone.name
        # A certificate for an address is beyond its TLS library.
        host, port = ("localhost", server.sip_tls[1]) if transport == "tls" else server.sip
        self._server = f"{host}:{port}"
        config = CONFIG.format(
            udp=-1 if transport == "udp" else 0,
            tcp=-1 if transport == "tcp" else 0,
            tls=-1 if transport == "tls" else 0,
            ca=server.ca,
            transport=transport,
            rfc2833=int(keys == "rfc2833"),
            info=int(keys == "info"),
            server=self._server,
            name=phone.name,
            password=phone.password,
        )
        for number, (name, rate, channels) in enumerate(CODECS):
            config += CODEC.format(number=number, name=name, rate=rate, channels=channels, enabled=int(name == codec))
        (folder / "linphonerc").write_text(config)
        says = audio.hum(SAYS_SECONDS, RATE) if says is None else says
        (folder / "says.wav").write_bytes(audio.wav_bytes(says, RATE))
        words: list[str | Path] = [str(program), "-c", folder / "linphonerc", "-d", "3", "-l", folder / "trace"]
        words += ["-a"] if answers else []
        self._program = Talking(words, folder / "log", env={"HOME": str(folder), "TERM": "dumb"})
        self._said: list[str] = []
        self.command("soundcard use files")
        self.command(f"play {folder / 'says.wav'}")
        self.command(f"record {folder / 'heard.wav'}")

    def close(self, failed: bool) -> None:
        # Its registration is taken back: a user may have only a few. One that asks for a password is deaf to this.
        with suppress(check.Failed, subprocess.TimeoutExpired):
            self.command("unregister")
            self.command("quit")
            self._program.process.wait(QUIT_WITHIN)
        self._program.end()
        if failed:
            print(f"linphone {self.name}'s last words:\n{''.join(self._said[-15:])}")

    def command(self, line: str) -> None:
        """Gives a command as its console knows it."""
        self._program.say(line)

    def wait(self, text: str, within: float = check.PATIENCE) -> str:
        """It says this, now or later, and after what was waited for before; gives the line."""
        deadline = time.monotonic() + within
        while True:
            line = self._program.line(max(0.0, deadline - time.monotonic()))
            self._said.append(line)
            if text in line:
                return line

    def wait_registered(self) -> None:
        """It registers by itself at its start."""

        def registered() -> bool:
            self.command("status register")
            return "registered, identity" in self.wait("registered")

        check.soon(registered, f"linphone {self.name} is registered")

    def dial(self, number: str) -> None:
        self.command(f"call sip:{number}@{self._server}")

    def wait_established(self) -> None:
        self.wait("connected")

    def wait_ringing(self) -> None:
        self.wait("Receiving new incoming call")

    def answer(self) -> None:
        self.command("answer")

    def hold(self) -> None:
        self.command("pause")
        self.wait("is now paused")

    def resume(self) -> None:
        self.command("resume")

    def hang_up(self) -> None:
        self.command("terminate")

    def wait_closed(self) -> None:
        self.wait("ended")

    def press(self, keys: str) -> None:
        """Presses keys one after the other. A line that begins with `#` is a remark to it."""
        check.that(keys[0] != "#", "linphone's console can press # only behind another key")
        self.command(keys)

    def heard(self) -> tuple[audio.Sound, int]:
        """What its calls heard, and the rate of that; to be asked when they have ended."""
        return audio.read_wav(self.folder / "heard.wav")
