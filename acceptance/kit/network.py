"""A container network without containers: a network namespace for each, a bridge between them, and names by /etc/hosts.

The bridge is in a namespace too, which stands for the machine that containers run on: what is done there is done
`inside` it. No way leads out of any. Needs root, and iproute2.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

CLONE_NEWNET = 0x40000000
"""`setns(2)`; Python has it from 3.12 on."""


class Network:
    """`with Network(…) as network:` makes the namespaces, and removes them whatever happens."""

    def __init__(self, host: str, prefix: int, members: Mapping[str, str], names: Mapping[str, Sequence[str]]) -> None:
        """`members` have an address each; `names` says how an address is called by all of them."""
        self._host, self._prefix, self._members = host, prefix, members
        self._names = "127.0.0.1 localhost\n" + "".join(f"{ip} {' '.join(all)}\n" for ip, all in names.items())
        self._mark = f"ringback-{os.getpid()}"

    def __enter__(self) -> Network:
        try:
            self._make()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def within(self, member: str, words: Sequence[str | Path]) -> list[str]:
        """The command that runs these words in a member's namespace, where its names are known."""
        return ["ip", "netns", "exec", self._name(member), *map(str, words)]

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Until its end this thread, and what it starts, is on the machine that the network is on."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        other = os.open(f"/var/run/netns/{self._name('host')}", os.O_RDONLY)
        try:
            enter(other)
            yield
        finally:
            enter(own)
            os.close(own)
            os.close(other)

    def _name(self, member: str) -> str:
        return f"{self._mark}-{member}"

    def _folder(self, member: str) -> Path:
        return Path("/etc/netns") / self._name(member)

    def _make(self) -> None:
        host = self._name("host")
        for member in ("host", *self._members):
            # `ip netns exec` puts what is in this folder over /etc.
            self._folder(member).mkdir(parents=True)
            (self._folder(member) / "hosts").write_text(self._names)
            run("ip", "netns", "add", self._name(member))
            run("ip", "-n", self._name(member), "link", "set", "lo", "up")
        run("ip", "-n", host, "link", "add", "bridge", "type", "bridge")
        run("ip", "-n", host, "address", "add", f"{self._host}/{self._prefix}", "dev", "bridge")
        run("ip", "-n", host, "link", "set", "bridge", "up")
        for number, (member, address) in enumerate(self._members.items()):
            name, port = self._name(member), f"port{number}"
            run("ip", "-n", host, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
            run("ip", "-n", host, "link", "set", port, "master", "bridge", "up")
            run("ip", "-n", name, "address", "add", f"{address}/{self._prefix}", "dev", "eth0")
            run("ip", "-n", name, "link", "set", "eth0", "up")

    def _remove(self) -> None:
        for member in ("host", *self._members):
            subprocess.run(["ip", "netns", "delete", self._name(member)], stderr=subprocess.DEVNULL, check=False)
            (self._folder(member) / "hosts").unlink(missing_ok=True)
            for folder in (self._folder(member), self._folder(member).parent):
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()


def enter(namespace: int) -> None:
    """Moves this thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
