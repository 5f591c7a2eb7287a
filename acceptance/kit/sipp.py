"""SIPp as a phone or as the telephone network: one scenario of acceptance/sipp, run to its end."""

from __future__ import annotations

import shutil
from pathlib import Path

from kit import check
from kit.processes import RUN_WITHIN, Ends, Running, free_port
from kit.server import Phone, Server

SCENARIOS = Path(__file__).resolve().parent.parent / "sipp"


class Sipp(Ends):
    """A running scenario. Ends by itself when its calls are done; `finish` waits for that and checks it."""

    def __init__(
        self,
        folder: Path,
        scenario: str,
        server: Server | tuple[str, int],
        *,
        phone: Phone | None = None,
        port: int | None = None,
        dials: str = "",
        caller: str = "",
        transport: str = "udp",
        calls: int = 1,
        rate: int = 1,
        holds: int = 300,
    ) -> None:
        """`server`: or its SIP address; `phone` gives name and password; `dials` is who is called; a call is held for `holds` milliseconds."""
        program = shutil.which("sipp")
        check.that(program, "sipp is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        self.scenario = scenario
        self.port = port or free_port()
        self._errors = folder / f"{scenario}-{self.port}.errors"
        host, sip_port = server if isinstance(server, tuple) else server.sip
        words: list[str | Path] = [str(program), f"{host}:{sip_port}"]
        words += ["-sf", SCENARIOS / f"{scenario}.xml", "-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", str(self.port)]
        words += ["-m", str(calls), "-r", str(rate), "-l", str(calls), "-d", str(holds)]
        words += ["-recv_timeout", f"{check.PATIENCE:.0f}s", "-timeout", f"{RUN_WITHIN:.0f}s", "-timeout_error"]
        # Over TCP, one connection for all calls.
        words += ["-t", {"udp": "u1", "tcp": "t1"}[transport]]
        words += ["-nostdin", "-skip_rlimit", "-trace_err", "-error_file", self._errors]
        if phone is not None:
            words += ["-au", phone.name, "-ap", phone.password]
            caller = caller or phone.name
        words += ["-s", dials or (phone.name if phone else "service")]
        if scenario.startswith(("call", "trunk")):
            words += ["-set", "caller", caller]
        self._running = Running(words, folder / f"{scenario}-{self.port}.log")

    def close(self, failed: bool) -> None:
        self._running.end(2.0)
        if failed:
            print(f"SIPp's last words, for {self.scenario}:\n{self._words()}")

    def finish(self) -> None:
        """Waits until it has ended; every call must have gone as the scenario says."""
        status = self._running.process.wait(RUN_WITHIN + 10)
        check.same(status, 0, f"SIPp's exit status for {self.scenario}")

    def _words(self) -> str:
        return self._errors.read_text(errors="replace")[-1500:] if self._errors.exists() else self._running.tail(30)


def register(folder: Path, server: Server, phone: Phone, port: int) -> None:
    """Registers a phone at a port, where another scenario may then be called."""
    with Sipp(folder, "register", server, phone=phone, port=port) as sipp:
        sipp.finish()
