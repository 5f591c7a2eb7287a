"""Client libraries of several languages, unmodified, each through every verb: kit/verbs.py.

What is set is what any program may set: base URL, authority, credential, and the variables that name a trusted CA.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from kit import check, part
from kit.baresip import Baresip
from kit.bot import Bot
from kit.graph import SCOPE, Graph
from kit.kiota import Kiota
from kit.library import Json, Library, SpokenTo
from kit.processes import free_port
from kit.server import Server, World
from kit.verbs import Verbs

HERE = Path(__file__).resolve().parent
RUST_CLIENT = HERE.parent / ".acceptance/rust-client/debug/ringback-acceptance-rust-client"


def libraries(server: Server, folder: Path, stack: ExitStack) -> Iterator[Library]:
    """Each library, ready to be asked."""
    yield stack.enter_context(Kiota("msgraph", "msgraph-sdk", "v1.0", server))
    yield stack.enter_context(Kiota("msgraph_beta", "msgraph-beta-sdk", "beta", server))
    world = server.world
    setting: Json = {
        "server": server.https,
        "http": server.http,
        "tenant": world.tenant,
        "app": world.app,
        "secret": world.secret,
        "scope": SCOPE,
        "token": Graph(server).token,
    }
    node = shutil.which("node")
    check.that(node, "node is not installed")
    programs: list[list[str | Path]] = [
        [str(node), HERE / "node/graph-client.mjs"],
        [str(node), HERE / "node/teams-graph.mjs"],
        [RUST_CLIENT],
    ]
    for words in programs:
        place = folder / Path(words[-1]).stem
        place.mkdir()
        yield stack.enter_context(SpokenTo(words, place, setting, {"NODE_EXTRA_CA_CERTS": str(server.ca)}))


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    bot = stack.enter_context(Bot())
    trunk = free_port()
    server = stack.enter_context(Server(program, folder, World(bot.callback, trunk=f"127.0.0.1:{trunk}")))
    # Read by the HTTP clients of azure-identity and of the SDKs.
    os.environ |= {"REQUESTS_CA_BUNDLE": str(server.ca), "SSL_CERT_FILE": str(server.ca)}
    phone = stack.enter_context(Baresip(folder / "phone", server.world.phones[1], server.sip, answers=True))
    phone.wait_registered()
    run: list[part.Case] = []
    for library in libraries(server, folder, stack):
        run += Verbs(library, server, bot, trunk, phone, folder).cases()
    return run


if __name__ == "__main__":
    part.main(cases)
