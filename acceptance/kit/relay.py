"""A wire that loses packets: a UDP relay between a phone and the server, which needs no privilege.

SIP passes unharmed; the audio addresses in SDP are replaced by the relay's own, so that RTP passes through it too,
where a given share of the packets is dropped, drawn from a seed. RTCP passes unharmed.
"""

from __future__ import annotations

import random
import re
import select
import socket
import threading
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"
Address = tuple[str, int]


def udp(port: int = 0) -> socket.socket:
    """A UDP socket on loopback."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.bind((LOOPBACK, port))
    except OSError:
        sock.close()
        raise
    return sock


def rtp_pair() -> tuple[socket.socket, socket.socket]:
    """Two sockets on an even port and the next one, for RTP and RTCP."""
    for _ in range(100):
        rtp = udp()
        port = rtp.getsockname()[1]
        if port % 2 == 0:
            try:
                return rtp, udp(port + 1)
            except OSError:
                pass
        rtp.close()
    raise OSError("no two neighbouring UDP ports are free")


@dataclass
class Face:
    """One side of a call's audio: what stands in for one party, and where the other party really is."""

    rtp: socket.socket
    rtcp: socket.socket
    behind: Address | None = None
    """The party for which this face stands in, as its SDP says."""


@dataclass
class Audio:
    """The audio of one call: what the server is shown, and what the phone is shown."""

    for_phone: Face
    for_server: Face


@dataclass
class LossyRelay:
    """Stands between one phone and the server. `loss` is a share: 0.02 drops one RTP packet in fifty."""

    server: Address
    loss: float
    seed: int
    passed: int = 0
    dropped: int = 0
    _sip: socket.socket = field(default_factory=udp)
    _phone: Address | None = None
    _calls: dict[str, Audio] = field(default_factory=dict)
    _running: bool = True

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where the phone sends its SIP messages, as its outbound proxy."""
        return int(self._sip.getsockname()[1])

    def close(self) -> None:
        """Stops, and frees every port."""
        self._running = False
        self._thread.join()
        self._sip.close()
        for audio in self._calls.values():
            for face in (audio.for_phone, audio.for_server):
                face.rtp.close()
                face.rtcp.close()

    def _run(self) -> None:
        while self._running:
            faces = [(audio, face) for audio in self._calls.values() for face in (audio.for_phone, audio.for_server)]
            sockets = [self._sip] + [sock for _, face in faces for sock in (face.rtp, face.rtcp)]
            for ready in select.select(sockets, [], [], 0.1)[0]:
                try:
                    data, source = ready.recvfrom(65536)
                except ConnectionError:
                    continue  # The far end closed its port: an earlier packet was refused.
                if ready is self._sip:
                    self._signal(data, source)
                else:
                    self._media(ready, data)

    def _signal(self, data: bytes, source: Address) -> None:
        from_server = source == self.server
        if not from_server:
            self._phone = source
        to = self._phone if from_server else self.server
        if to is not None:
            self._sip.sendto(self._rewritten(data, from_server), to)

    def _rewritten(self, data: bytes, from_server: bool) -> bytes:
        head, _, body = data.partition(b"\r\n\r\n")
        # The phone's route leads here and ends here.
        head = re.sub(rb"\r\nRoute:[^\r]*:%d\b[^\r]*" % self.port, b"", head)
        port = re.search(rb"^m=audio (\d+)", body, re.MULTILINE)
        if port is not None:
            call_id = re.search(rb"\r\n(?:Call-ID|i)\s*:\s*([^\r]+)", head, re.IGNORECASE)
            audio = self._audio(call_id.group(1).decode() if call_id else "")
            face = audio.for_server if from_server else audio.for_phone
            host = re.search(rb"^c=IN IP4 ([0-9.]+)", body, re.MULTILINE)
            face.behind = (host.group(1).decode() if host else LOOPBACK, int(port.group(1)))
            shown = b"m=audio %d" % face.rtp.getsockname()[1]
            body = body.replace(port.group(0), shown, 1)
            body = re.sub(rb"\r\na=rtcp:[^\r]*", b"", body)
            head = re.sub(rb"(\r\n(?:Content-Length|l)\s*:\s*)\d+", rb"\g<1>%d" % len(body), head, flags=re.IGNORECASE)
        return head + b"\r\n\r\n" + body

    def _audio(self, call_id: str) -> Audio:
        if call_id not in self._calls:
            self._calls[call_id] = Audio(Face(*rtp_pair()), Face(*rtp_pair()))
        return self._calls[call_id]

    def _media(self, ready: socket.socket, data: bytes) -> None:
        for audio in self._calls.values():
            for face, other in ((audio.for_phone, audio.for_server), (audio.for_server, audio.for_phone)):
                if ready is face.rtp and face.behind is not None:
                    if self._random.random() < self.loss:
                        self.dropped += 1
                    else:
                        self.passed += 1
                        other.rtp.sendto(data, face.behind)
                elif ready is face.rtcp and face.behind is not None:
                    other.rtcp.sendto(data, (face.behind[0], face.behind[1] + 1))
