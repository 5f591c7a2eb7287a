"""The layout of examples/compose.yaml in network namespaces: Ringback bears Microsoft's host names at port 443, and bots
that know nothing else are called and heard. What the file says is what is run; only images are not built.
"""

from __future__ import annotations

import functools
import re
import socket
import ssl
import tomllib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from kit import check, door, ivr, part
from kit.baresip import Baresip
from kit.network import Network, missing
from kit.processes import Running, Talking, run
from kit.server import BOT_NUMBER, Phone, address, wait_ready

Json = dict[str, Any]

COMPOSE = ivr.EXAMPLES / "compose.yaml"

HTTP_PORT = 8480
WEBRTC_PORT = 8490
BOT_ADDRESS, BOT_PORT = "172.28.0.3", 3978
"""Docker gives the bot any address of the network."""

OFFER = "\r\n".join(
    [
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 0 126",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:abcdefghijklmnopqrstuvwx",
        "a=fingerprint:sha-256 " + ":".join(f"{byte:02X}" for byte in range(32)),
        "a=setup:actpass",
        "a=mid:0",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:126 telephone-event/8000",
        "",
    ]
)
"""What a browser offers, as far as an answer needs it."""


class Layout:
    """The file, and the network that it describes, with Ringback on it and a place for a bot."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.program, self.folder = program, folder
        self.file: Json = yaml.safe_load(COMPOSE.read_text())
        self.services: Json = self.file["services"]
        self.configuration: Json = tomllib.loads((COMPOSE.parent / "compose/ringback.toml").read_text())
        (pool,) = self.file["networks"]["calls"]["ipam"]["config"]
        self.subnet: str = pool["subnet"]
        ringback = self.services["ringback"]["networks"]["calls"]
        self.address: str = ringback["ipv4_address"]
        self.aliases: list[str] = ringback["aliases"]
        self.data, self.trust = folder / "data", folder / "trust"
        self.trust.mkdir()
        # The file's places in a container, and where they are here.
        self.places = {
            "/var/lib/ringback": str(self.data),
            "/data": str(self.data),
            "/trust": str(self.trust),
            "/etc/ringback/ringback.toml": str(COMPOSE.parent / "compose/ringback.toml"),
            "/introduce.sh": str(COMPOSE.parent / "compose/introduce.sh"),
        }

    def start(self, stack: ExitStack) -> None:
        """Makes the network, and goes to the machine that it is on; Docker would put names into /etc/hosts as well."""
        gateway, _, prefix = self.subnet.partition("/")
        self.host = gateway.removesuffix("0") + "1"
        members = {"ringback": self.address, "bot": BOT_ADDRESS}
        names = f"127.0.0.1 localhost\n{self.address} ringback {' '.join(self.aliases)}\n{BOT_ADDRESS} bot\n"
        self.network = Network(self.folder, stack, self.host, int(prefix), members, ("hosts", names))
        stack.enter_context(self.network.inside("host"))
        words = [self.here(word) for word in self.services["ringback"]["command"]]
        within = self.network.within("ringback", [self.program, *words, "--json"])
        ringback = Talking(within, self.folder / "ringback.log")
        stack.callback(ringback.end)
        self.ready = wait_ready(ringback)
        self.door = door.Door(self.data, f"http://{self.address}:{HTTP_PORT}")

    def here(self, text: str) -> str:
        """A text of the file with the places of this machine."""
        for place, stands_for in self.places.items():
            if text == place or text.startswith(f"{place}/"):
                return stands_for + text.removeprefix(place)
        return text

    def environment(self, service: str) -> dict[str, str]:
        """A service's variables; those that Docker would take from its user's environment have their defaults."""
        plain: dict[str, str] = {}
        for name, value in self.services[service]["environment"].items():
            text = str(value)
            if text.startswith("${"):
                text = text.removeprefix("${").removesuffix("}").partition(":-")[2]
            plain[name] = self.here(text)
        return plain

    # The cases

    def the_file_holds_together(self) -> None:
        """What one place says of another is so: folders, files, volumes, networks, services, addresses."""
        for name, service in self.services.items():
            build = service["build"]
            context = COMPOSE.parent / (build if isinstance(build, str) else build["context"])
            dockerfile = context / ("Dockerfile" if isinstance(build, str) else build["dockerfile"])
            check.that(dockerfile.is_file(), f"{name}: {dockerfile} is there")
            for line in dockerfile.read_text().splitlines():
                if line.startswith("COPY ") and "--from" not in line:
                    for source in line.split()[1:-1]:
                        check.that((context / source).exists(), f"{name}: {source} is there to be copied")
            for volume in service["volumes"]:
                source, place, *mode = volume.split(":")
                check.that(place.startswith("/") and mode in ([], ["ro"]), f"{name}: {volume} reads")
                known = (COMPOSE.parent / source).exists() if source.startswith(".") else source in self.file["volumes"]
                check.that(known, f"{name}: {source} is there to be mounted")
            check.that(set(service["networks"]) <= set(self.file["networks"]), f"{name} is on networks that there are")
            check.that(set(service.get("depends_on", {})) <= set(self.services), f"{name} waits for services there are")
        bot = self.services["bot"]
        check.same(bot["volumes"], ["trust:/trust:ro"], "what the bot's container is given")
        environment = self.environment("bot")
        check.same(environment["BOT_URL"], f"http://bot:{BOT_PORT}", "the bot's URL, by its service's name")
        check.that(self.environment("introduce")["WEBHOOK"].startswith(environment["BOT_URL"]), "it is rung there")
        check.that(self.address in self.environment("introduce")["RINGBACK"], "Ringback's address is one")
        check.same(self.services["introduce"]["depends_on"]["ringback"]["condition"], "service_healthy", "who waits")
        check.same(bot["depends_on"]["introduce"]["condition"], "service_completed_successfully", "who waits")

    def phones_outside_are_told_its_address(self) -> None:
        """Docker's host reaches that, and nothing else of the container but what is published."""
        listens = self.configuration["server"]
        for what in ("sip", "sip_tls", "webrtc"):
            check.same(listens[what].rpartition(":")[0], self.address, f"the address of {what}")

    def docker_reads_the_file(self) -> None:
        """Its own check, where the program is."""
        if run(["docker", "compose", "version"]).returncode != 0:
            print("      docker compose is not here: not asked")
            return
        asked = run(["docker", "compose", "--file", COMPOSE, "config", "--quiet"])
        check.same(asked.returncode, 0, f"what docker compose says of it ({asked.stderr})")

    def ringback_bears_microsofts_names(self) -> None:
        """The aliases are those that its certificate speaks for, and all lead to it at port 443."""
        trust = ssl.create_default_context(cafile=self.ready["ca"])
        plain = socket.create_connection((self.address, 443), timeout=check.PATIENCE)
        with trust.wrap_socket(plain, server_hostname=self.aliases[0]) as secure:
            certificate = secure.getpeercert() or {}
        names = {str(name) for kind, name in certificate["subjectAltName"] if kind == "DNS"} - {"localhost"}
        check.same(set(self.aliases), names, "names on the network, and in the certificate")
        for host in self.aliases:
            document = f"https://{host}/v1/.well-known/OpenIdConfiguration"
            told = run(self.network.within("bot", ["curl", "--silent", "--cacert", self.ready["ca"], document]))
            check.that("jwks_uri" in told.stdout, f"{host} leads to Ringback ({told.returncode} {told.stdout})")

    def it_is_healthy_by_the_files_own_check(self) -> None:
        kind, *words = self.services["ringback"]["healthcheck"]["test"]
        check.same(kind, "CMD", "the kind of check")
        asked = run(self.network.within("ringback", words))
        check.same(asked.returncode, 0, f"the health check ({asked.stderr})")

    def the_certificate_is_handed_over_and_nothing_else(self) -> None:
        service = self.services["introduce"]
        words = [self.here(word) for word in service["entrypoint"]]
        told = run(self.network.within("host", words), env=self.environment("introduce"))
        check.same(told.returncode, 0, f"the exit status of introduce ({told.stdout} {told.stderr})")
        check.same(sorted(file.name for file in self.trust.iterdir()), ["bundle.pem", "ca.pem"], "what is handed over")
        ours = Path(self.ready["ca"]).read_text()
        check.same((self.trust / "ca.pem").read_text(), ours, "the certificate")
        check.that((self.trust / "bundle.pem").read_text().endswith(ours), "it is among the public ones")
        check.that("PRIVATE KEY" not in (self.trust / "bundle.pem").read_text(), "no key is handed over")

    def a_page_is_told_where_to_send_its_audio(self) -> None:
        """The answer to its offer has the service's address, where its audio is taken."""
        user = self.configuration["users"][0]
        session = self.page("POST", "sessions", {"user": user["sip"], "password": user["password"]})
        answer = self.page("POST", "legs", {"to": BOT_NUMBER, "sdp": OFFER}, session["token"])["sdp"]
        candidates = re.findall(r"a=candidate:\S+ 1 udp \d+ (\S+ \d+) typ host", answer)
        check.same(candidates, [f"{self.address} {WEBRTC_PORT}"], "where a page is told to send its audio")
        self.page("DELETE", "sessions", token=session["token"])
        check.soon(lambda: self.door.lives() is None, "the call has ended")

    def page(self, method: str, path: str, body: Json | None = None, token: str | None = None) -> Json:
        """What a page's request is answered."""
        return door.ask(method, f"{self.door.url}/_ringback/phone/{path}", body, token)

    def answers(self, language: str) -> None:
        """An unedited bot, in a container of its own, answers a call that comes from the machine outside."""
        place = self.folder / language
        place.mkdir()
        words = self.network.within("bot", ivr.command(language, self.program))
        bot = Running(words, place / "bot.log", env=self.environment("bot"), cwd=place)
        try:
            ivr.wait_until_it_listens(bot, BOT_ADDRESS, BOT_PORT)
            self.call(place / "phone", bot)
        finally:
            bot.end()

    def call(self, folder: Path, bot: Running) -> None:
        user = self.configuration["users"][0]
        phone_of = Phone(user["sip"], user["password"])
        with Baresip(folder, phone_of, address(self.ready["sip"]), at=self.host) as phone:
            phone.wait_registered()
            phone.dial(BOT_NUMBER)
            call = check.soon(self.door.lives, "a call lives", said=bot.tail)
            check.soon(lambda: self.door.status(call, "menu") == "running", "the menu plays", said=bot.tail)
            phone.press("1")
            phone.wait_closed()
            ivr.heard(phone.heard()[0], ["hours", "bye"], "address")


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    layout = Layout(program, folder)
    read = [
        layout.the_file_holds_together,
        layout.phones_outside_are_told_its_address,
        layout.docker_reads_the_file,
    ]
    if why := missing():
        print(f"      left out: what runs does so in network namespaces: {why}")
        return part.named(read)
    layout.start(stack)
    runs = [
        layout.ringback_bears_microsofts_names,
        layout.it_is_healthy_by_the_files_own_check,
        layout.the_certificate_is_handed_over_and_nothing_else,
        layout.a_page_is_told_where_to_send_its_audio,
    ]
    languages = ("python", "node", "rust")
    bots = [(f"the bot in {one} is called", functools.partial(layout.answers, one)) for one in languages]
    return [*part.named(read + runs), *bots]


if __name__ == "__main__":
    part.main(cases)
