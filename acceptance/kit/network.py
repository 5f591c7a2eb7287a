"""Networks without containers: a namespace for the machine that they are on, one for each member, and a bridge between.

No way leads out of any. Each is held by a descriptor, so that none is left when this process has ended, however it did.
Needs root, and iproute2.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000
"""`setns(2)` and `unshare(2)`; Python has them from 3.12 on."""

LIBC = ctypes.CDLL(None, use_errno=True)

OVER_ETC = 'mount --bind "$0" "$1" && shift && exec "$@"'
"""A program that has a file of ours in the place of one of /etc."""


def missing() -> str | None:
    """Why there can be none here, in words."""
    trial = "ip link add tried type bridge && ip link add one type veth peer name other"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", trial], capture_output=True, text=True, check=False
    )
    return tried.stderr.strip() or "no namespaces can be made" if tried.returncode else None


class Network:
    """One such network; `stack` ends it."""

    def __init__(
        self, folder: Path, stack: ExitStack, host: str, prefix: int, members: Mapping[str, str], etc: tuple[str, str]
    ) -> None:
        """`members` have an address each. `etc` is a file of /etc, and what is in it for all of them."""
        name, text = etc
        self._etc, self._laid_over = Path("/etc", name), folder / name
        self._laid_over.write_text(text)
        self._namespaces = {member: namespace(stack) for member in ("host", *members)}
        with self.inside("host"):
            ip("link", "set", "lo", "up")
            ip("link", "add", "bridge", "type", "bridge")
            up("bridge", host, prefix)
        for member, address in members.items():
            with self.inside("host"):
                ip("link", "add", member, "type", "veth", "peer", "name", "eth0", "netns", self._path(member))
                ip("link", "set", member, "master", "bridge", "up")
            with self.inside(member):
                ip("link", "set", "lo", "up")
                up("eth0", address, prefix)

    def within(self, member: str, words: Sequence[str | Path]) -> list[str]:
        """The command that runs these words in a member's namespace."""
        enter = ["nsenter", f"--net={self._path(member)}", "unshare", "--mount"]
        return [*enter, "sh", "-c", OVER_ETC, str(self._laid_over), str(self._etc), *map(str, words)]

    @contextmanager
    def inside(self, member: str) -> Iterator[None]:
        """Until its end this thread, and what it starts, is in a member's namespace."""
        with ExitStack() as stack:
            own = here(stack)
            try:
                enter(self._namespaces[member])
                yield
            finally:
                enter(own)

    def arrived(self, member: str) -> int:
        """Packets that have left a member, of any kind."""
        with self.inside("host"):
            told = ip("-s", "-j", "link", "show", "dev", member)
        return int(json.loads(told)[0]["stats64"]["rx"]["packets"])

    def _path(self, member: str) -> str:
        return f"/proc/{os.getpid()}/fd/{self._namespaces[member]}"


def up(device: str, address: str, prefix: int) -> None:
    # Where there is IPv6, a device says by it that it is there, which is not what is to be counted.
    subprocess.run(["ip", "link", "set", device, "addrgenmode", "none"], capture_output=True, check=False)
    ip("address", "add", f"{address}/{prefix}", "dev", device)
    ip("link", "set", device, "up")


def namespace(stack: ExitStack) -> int:
    """A new one, which is gone when its descriptor and all that run in it are."""
    own = here(stack)
    if LIBC.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    made = here(stack)
    enter(own)
    return made


def here(stack: ExitStack) -> int:
    """The namespace of this thread."""
    descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    stack.callback(os.close, descriptor)
    return descriptor


def enter(namespace: int) -> None:
    """Moves this thread."""
    if LIBC.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout
