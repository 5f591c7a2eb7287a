"""The server under test: its configuration, its start and its end. Each has a data folder and ports of its own."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.parse
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from kit import check
from kit.certificates import Certificate
from kit.door import Door
from kit.processes import Ends, Talking

BOT_NUMBER = "5000"
"""Dialled to reach the bot."""

TRUNK_PREFIX = "+1555"
"""What the bot may dial through the trunk."""

TRUNK_LOGIN = ("ringback", "a secret of acceptance")
"""Who the server is at the trunk, if it is asked."""

TENANT_NAME = "acceptance.example"
"""Stands for the tenant's id in a token's address."""

ROUNDS = 10_000


def secret_hash(secret: str) -> str:
    """As the configuration wants it, with the fewest rounds it accepts: the secret is a random one."""
    salt = b"acceptance-salt!"
    derived = hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, ROUNDS)
    return f"pbkdf2-sha256${ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(derived).decode()}"


@dataclass
class Phone:
    """A user with a SIP phone."""

    name: str
    password: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class World:
    """Who there is: one tenant, one bot, two phones, a line that answers at once, perhaps a trunk."""

    webhook: str
    trunk: str | None = None
    """Address and port of a trunk."""
    at_trunk: bool = False
    """The server registers there."""
    names: tuple[str, ...] = ()
    """Host names by which clients come, beside `localhost`."""
    open_to_any: bool = False
    """Identities that are not here are accepted, too."""
    certificate: Certificate | None = None
    """The operator's own; without it the server makes its own."""
    tenant: str = field(default_factory=lambda: str(uuid.uuid4()))
    app: str = field(default_factory=lambda: str(uuid.uuid4()))
    secret: str = field(default_factory=lambda: uuid.uuid4().hex)
    null_line: str = field(default_factory=lambda: str(uuid.uuid4()))
    phones: list[Phone] = field(default_factory=lambda: [Phone(name, uuid.uuid4().hex) for name in ("1001", "1002")])

    def certificate_files(self) -> dict[str, object]:
        """The operator's certificate, as the configuration names it."""
        if self.certificate is None:
            return {}
        return {"tls_certificate": str(self.certificate.certificate), "tls_key": str(self.certificate.key)}

    def toml(self) -> str:
        """The configuration; ports are left to the system."""
        # A JSON text is a TOML text, for what is written here.
        words: dict[str, object] = {"tenant": self.tenant}
        tables: list[tuple[str, dict[str, object]]] = [
            (
                "[server]",
                dict.fromkeys(("http", "https", "sip", "sip_tls"), "127.0.0.1:0")
                | {"allow_private_targets": ["127.0.0.0/8"]}
                | ({"tls_names": list(self.names)} if self.names else {})
                | ({"identities": "any"} if self.open_to_any else {})
                | self.certificate_files(),
            ),
            ("[[tenants]]", {"id": self.tenant, "name": TENANT_NAME}),
            (
                "[[apps]]",
                words
                | {
                    "id": self.app,
                    "name": "Bot",
                    "secret_hash": secret_hash(self.secret),
                    "webhook": self.webhook,
                    "numbers": [BOT_NUMBER],
                    "prefixes": [TRUNK_PREFIX],
                    "max_calls": 1000,
                },
            ),
            ("[[users]]", words | {"id": self.null_line, "name": "Line", "sip": "9000", "phone": "null"}),
        ]
        for phone in self.phones:
            user: dict[str, object] = {
                "id": phone.id,
                "name": f"Phone {phone.name}",
                "sip": phone.name,
                "password": phone.password,
            }
            tables.append(("[[users]]", words | user))
        if self.trunk:
            trunk: dict[str, object] = {
                "name": "pstn",
                "address": self.trunk,
                "prefixes": [TRUNK_PREFIX],
                "max_calls": 1000,
                "login": TRUNK_LOGIN[0],
                "password": TRUNK_LOGIN[1],
                "caller_id": "+15550100",
                "register": self.at_trunk,
            }
            tables.append(("[[trunks]]", trunk))
        lines: list[str] = []
        for head, table in tables:
            lines += [head, *(f"{key} = {json.dumps(value)}" for key, value in table.items()), ""]
        return "\n".join(lines)


def address(sip: str) -> tuple[str, int]:
    """Host and port of a SIP URI without a user."""
    host, _, port = sip.removeprefix("sip:").partition(";")[0].rpartition(":")
    return host, int(port)


def wait_ready(server: Talking) -> dict[str, str]:
    """What it says with `--json` once it is ready: where it is."""
    while True:
        said = json.loads(server.line())
        if said.get("ready"):
            return dict(said)


class Server(Ends):
    """A running server. `with Server(…) as server:` starts it and ends it with SIGTERM, which must be clean."""

    def __init__(self, program: Path, folder: Path, world: World) -> None:
        self.world = world
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "ringback.toml"
        config.write_text(world.toml())
        words: list[str | Path] = [program, "serve", "--data", folder / "data", "--config", config, "--json"]
        self._running = Talking(words, folder / "server.log")
        try:
            ready = wait_ready(self._running)
        except BaseException:
            self._running.end(2.0)
            raise
        self.http: str = ready["http"]
        self.data = folder / "data"
        self.door = Door(self.data)
        self.https: str = ready["https"]
        self.ca: Path = world.certificate.authority if world.certificate else Path(ready["ca"])
        self.sip = address(ready["sip"])
        self.sip_tls = address(ready["sip_tls"])

    @property
    def http_port(self) -> int:
        """Where HTTP is served, on 127.0.0.1."""
        return urllib.parse.urlsplit(self.http).port or 80

    def tail(self) -> str:
        """The last that the server said on stderr."""
        return self._running.tail()

    def close(self, failed: bool) -> None:
        status = self._running.end(check.PATIENCE)
        if failed:
            print(f"the server's last words:\n{self.tail()}")
        else:
            check.same(status, 0, f"the server's exit status after SIGTERM (its last words:\n{self.tail()})")
