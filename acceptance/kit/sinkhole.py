"""A network namespace from which only one way leads out, and nobody is at its end but a count of what arrives.

Names are asked there too: its resolver is behind the same way. Needs root, and iproute2.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

INSIDE, OUTSIDE, RESOLVER = "198.51.100.2", "198.51.100.1", "203.0.113.53"
"""Addresses that are nobody's (RFC 5737). The resolver is beyond the other end: each question for a name is a packet."""


class Sinkhole:
    """`with Sinkhole() as sinkhole:` makes both ends, and removes them whatever happens."""

    def __init__(self) -> None:
        mark = os.getpid()
        self.name, self._end = f"ringback-{mark}", f"ringback-{mark}-end"
        self._resolver = Path("/etc/netns") / self.name

    def __enter__(self) -> Sinkhole:
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

    @staticmethod
    def missing() -> str | None:
        """Why there can be none here, in words."""
        if os.geteuid() != 0:
            return "only root may make network namespaces"
        if shutil.which("ip") is None:
            return "iproute2 is not here"
        made = f"ringback-{os.getpid()}-tried"
        tried = subprocess.run(["ip", "netns", "add", made], capture_output=True, text=True, check=False)
        subprocess.run(["ip", "netns", "delete", made], capture_output=True, check=False)
        return tried.stderr.strip() if tried.returncode else None

    def within(self, words: Sequence[str | Path]) -> list[str]:
        """The command that runs these words inside."""
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def arrived(self) -> int:
        """Packets that have come out at the other end, of any kind."""
        told = run("ip", "-n", self._end, "-s", "-j", "link", "show", "dev", "sink")
        return int(json.loads(told)[0]["stats64"]["rx"]["packets"])

    def _make(self) -> None:
        # `ip netns exec` puts what is in this folder over /etc.
        self._resolver.mkdir(parents=True)
        (self._resolver / "resolv.conf").write_text(f"nameserver {RESOLVER}\noptions timeout:1 attempts:1\n")
        for name in (self.name, self._end):
            run("ip", "netns", "add", name)
            # A namespace says of itself that it is there, by IPv6 alone: not what is to be counted.
            run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
            run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", self.name, "link", "add", "way", "type", "veth", "peer", "name", "sink", "netns", self._end)
        run("ip", "-n", self.name, "address", "add", f"{INSIDE}/24", "dev", "way")
        run("ip", "-n", self._end, "address", "add", f"{OUTSIDE}/24", "dev", "sink")
        run("ip", "-n", self.name, "link", "set", "way", "up")
        run("ip", "-n", self._end, "link", "set", "sink", "up")
        run("ip", "-n", self.name, "route", "add", "default", "via", OUTSIDE)

    def _remove(self) -> None:
        for name in (self.name, self._end):
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL, check=False)
        (self._resolver / "resolv.conf").unlink(missing_ok=True)
        for folder in (self._resolver, self._resolver.parent):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
