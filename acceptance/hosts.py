"""Bots that know Microsoft's hosts by heart, each on another HTTP client and none of them edited: `ringback run` leads
them here. They run where the only way out is one at whose end packets are counted: none may arrive.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from kit import certificates, check, part
from kit.door import Door
from kit.network import Network, ip, missing
from kit.processes import RUN_WITHIN, Running, run
from kit.server import Phone, address
from kit.sipp import Sipp

HERE = Path(__file__).resolve().parent
PYTHON, NODE = HERE / "hosts", HERE / "node" / "hosts"

DEVELOPMENT = {
    "TENANT_ID": "0a0a0a0a-0000-4000-8000-000000000001",
    "CLIENT_ID": "0a0a0a0a-0000-4000-8000-0000000000b0",
    "CLIENT_SECRET": "ringback-development-secret",
    "CALLED_USER": "0a0a0a0a-0000-4000-8000-000000009000",
}
"""The identities that are published for development: the test line answers at once."""

PHONE = Phone("1001", "ringback")
"""One that is published, too."""

INSIDE, OUTSIDE, RESOLVER = "198.51.100.2", "198.51.100.1", "203.0.113.53"
"""Addresses that are nobody's (RFC 5737). The resolver is beyond the way out: each question for a name is a packet."""

HTTP_SERVER = """
import http.server, time
class Bot(http.server.BaseHTTPRequestHandler):
    def do_OPTIONS(self):
        self.send_response(THERE if self.path == "/api/calls" else 404)
        self.send_header("Allow", "POST")
        self.end_headers()
server = http.server.HTTPServer(("127.0.0.1", 0), Bot)
AT_LAST
server.serve_forever()
"""
SLOW = HTTP_SERVER.replace("THERE", "405").replace("AT_LAST", "time.sleep(6)")
MODULE = HTTP_SERVER.replace("THERE", "404").replace("/api/calls", "/api/calling").replace("AT_LAST", "")

NODE_SERVER = """
require("node:http").createServer((request, answer) => {
  answer.writeHead(STATUS, { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "POST" }).end();
}).listen(0, "127.0.0.1");
const path = "/callback";
"""
PACKAGE = json.dumps({"name": "bot", "scripts": {"start": "node bot"}})

HARD_TO_FIND: dict[str, tuple[dict[str, str], list[str], str]] = {
    "listens before it answers": ({"bot.py": SLOW}, [sys.executable, "bot.py"], "/api/calls: it answers at this path"),
    "is a module": ({"bot/__main__.py": MODULE}, [sys.executable, "-m", "bot"], "/api/calling: the program's text"),
    "is started by npm": (
        {"bot.js": NODE_SERVER.replace("STATUS", "404"), "package.json": PACKAGE},
        ["npm", "start"],
        "/callback: the program's text",
    ),
    "has a debugger": (
        {"bot.js": NODE_SERVER.replace("STATUS", "204")},
        ["node", "--inspect=127.0.0.1:0", "bot.js"],
        "/callback: the program's text",
    ),
}
"""Bots by what makes them hard to find: their files, their command, and what is said of them."""

NODE_STARTS = (
    "execSync(says)",
    "execSync(says, undefined)",
    "execSync(says, null)",
    "execSync(says, () => {})",
    "[says].forEach(execSync)",
    "execFileSync('sh', ['-c', says])",
    "execFileSync('sh', ['-c', says], undefined)",
    "execFileSync('sh', ['-c', says], null)",
    "execFileSync(says, undefined, { shell: true })",
    "execFileSync(says, { shell: true }, undefined)",
    "spawnSync('sh', ['-c', says])",
    "spawnSync('sh', ['-c', says], undefined)",
    "spawnSync(says, null, { shell: true })",
    "spawnSync(says, { shell: true, env: { PATH: process.env.PATH } }, undefined)",
    "spawn('sh', ['-c', says], undefined)",
    "exec(says, undefined)",
    "exec(says, undefined, () => {})",
    "execFile('sh', ['-c', says], undefined, () => {})",
    "fork(`${__dirname}/starts.cjs`, [says], undefined)",
)
"""Ways in which a program in Node starts another, some with a word that it leaves undefined."""

CALL = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def bots() -> list[tuple[str, list[str | Path]]]:
    """What they are called, and their commands."""
    python = [
        (program.stem.removeprefix("with_").replace("_", "."), [sys.executable, program])
        for program in sorted(PYTHON.glob("with_*.py"))
    ]
    node = [(f"node {program.stem}", ["node", program]) for program in sorted(NODE.glob("*.mjs"))]
    named = [bot for bot in python + node if bot[0] != "node setting"]
    return [*named, ("curl", [PYTHON / "with_curl.sh"])]


def sinkhole(folder: Path, stack: ExitStack) -> Network:
    """Where bots run: one way leads out, for questions too, and nobody is at its end but a count of what arrives."""
    asks = f"nameserver {RESOLVER}\noptions timeout:1 attempts:1\n"
    network = Network(folder, stack, OUTSIDE, 24, {"bot": INSIDE}, ("resolv.conf", asks))
    with network.inside("bot"):
        ip("route", "add", "default", "via", OUTSIDE)
    return network


def starters(folder: Path) -> list[tuple[str, list[str | Path]]]:
    """Bots whose start would take the hooks from them: what they are called, and their commands."""
    package = folder / "package"
    package.mkdir()
    script = shlex.join(["node", str(NODE / "fetch.mjs")])
    (package / "package.json").write_text(json.dumps({"scripts": {"start": f"NODE_OPTIONS=--enable-source-maps {script}"}}))
    own = ", ".join(DEVELOPMENT)
    worker = f"""const {{ {own} }} = process.env;
        new (require("node:worker_threads").Worker)({json.dumps(str(NODE / "fetch.mjs"))}, {{ env: {{ {own} }} }});"""
    # As opentelemetry-instrument does.
    instrument = folder / "instrument"
    instrument.mkdir()
    (instrument / "sitecustomize.py").write_text("import sys; sys.stderr.write('instrumented\\n')\n")
    program = str(PYTHON / "with_aiohttp.py")
    execute = f"""import os, sys
os.environ["PYTHONPATH"] = {str(instrument)!r} + ":" + os.environ["PYTHONPATH"]
os.execl(sys.executable, sys.executable, {program!r})"""
    npm: list[str | Path] = ["npm", "--no-update-notifier", "--silent", "--prefix", package, "start"]
    return [
        ("npm start with options of its own", npm),
        ("a worker with an environment of its own", ["node", "-e", worker]),
        ("Python behind another sitecustomize", [sys.executable, "-c", execute]),
    ]


class Hosts:
    """`ringback run`, with a data folder of its own, in a namespace if there is one."""

    def __init__(self, program: Path, folder: Path, sinkhole: Network | None) -> None:
        self.program = program
        self.folder = folder
        self.sinkhole = sinkhole

    def run(self, words: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Runs a program where nothing leads out, with the environment that a bot has."""
        return run(self.sinkhole.within("bot", words) if self.sinkhole else words, env=DEVELOPMENT)

    def arrived(self) -> int:
        return self.sinkhole.arrived("bot") if self.sinkhole else 0

    def led_here(self, command: Sequence[str | Path]) -> None:
        """The bot gets its token and makes its call here, and nothing goes out."""
        before = self.arrived()
        ended = self.run([self.program, "run", "--data", self.folder / "data", "--", *command])
        said = f"it said:\n{ended.stdout}{ended.stderr}"
        check.same(ended.returncode, 0, f"the bot's exit status ({said})")
        check.that(CALL.match(ended.stdout.strip()), f"no call was made; {said}")
        check.same(self.arrived() - before, 0, f"packets that went out ({said})")

    def refused(self) -> None:
        """What is Microsoft's and not stood in for is refused by proxy and hooks, before anything is sent."""
        before = self.arrived()
        url = "https://login.windows.net/common"
        requests = f"import urllib.request; urllib.request.urlopen('{url}', timeout=60)"
        bare = "import http.client; http.client.HTTPSConnection('a.skype.com', timeout=60).request('GET', '/')"
        fetch = f"fetch('{url}').catch(({{ cause }}) => {{ console.error(cause); process.exit(3); }})"
        for command in (
            [sys.executable, "-c", requests],
            [sys.executable, "-c", bare],
            ["node", "-e", fetch],
            ["curl", "--max-time", "60", "--silent", "--show-error", url],
        ):
            ended = self.run([self.program, "run", "--data", self.folder / "data", "--", *command])
            check.that(ended.returncode != 0, f"{command[0]} was let through: {ended.stdout}")
            check.that("is Microsoft's" in ended.stderr, f"{command[0]} was not told why: {ended.stderr}")
        check.same(self.arrived() - before, 0, "packets that went out")

    def counts(self) -> None:
        """The count is one: the same bots, started without `ringback run`, ask for Microsoft's addresses."""
        for name, command in bots():
            if name not in ("urllib", "node fetch", "curl"):
                continue
            before = self.arrived()
            ended = self.run(["timeout", "30", *command])
            check.that(ended.returncode != 0, f"{name} got an answer from somewhere: {ended.stdout}")
            check.that(self.arrived() > before, f"nothing of {name} was counted")

    def goes_past(self) -> None:
        """A program that heeds neither proxy nor hook is told of, and `doctor` names it."""
        data = self.folder / "data"
        past = "import socket; socket.create_connection(('203.0.113.9', 443), timeout=9)"
        words = [sys.executable, "-S", "-c", past]
        bot = f"{shlex.join(words)}; {shlex.join([str(self.program), 'doctor', '--json', '--data', str(data)])}"
        ended = self.run([self.program, "run", "--data", data, "--", "sh", "-c", bot])
        for wanted in ("is not led here", "it was started with -S", "connects to 203.0.113.9:443 by itself"):
            check.that(wanted in ended.stderr, f"{wanted!r} was not said: {ended.stderr}")
        checks = [json.loads(line) for line in ended.stdout.splitlines()]
        problems = [seen["check"] for seen in checks if seen["health"] == "problem"]
        check.that("proxy" in problems, f"doctor does not name it: {ended.stdout}")

    def rung(self, scheme: str) -> None:
        """A bot that waits to be called is found, rung by a phone, and told of the rest where it really listens."""
        folder = self.folder / f"waits-{scheme}"
        folder.mkdir()
        id, secret = str(uuid.uuid4()), uuid.uuid4().hex
        settings = {"MicrosoftAppId": id, "MicrosoftAppPassword": secret, "MicrosoftAppTenantId": str(uuid.uuid4())}
        if scheme == "https":
            # Signed by nobody whom the server knows, as development certificates are.
            made = certificates.make(folder)
            settings |= {"CERTIFICATE": str(made.certificate), "KEY": str(made.key)}
        bot = [sys.executable, PYTHON / "waits_to_be_called.py"]
        words = [self.program, "run", "--data", folder / "data", "--", *bot]
        running = Running(words, folder / "log", env=settings)
        try:
            told = rf"incoming calls are told to {scheme}://127\.0\.0\.1:(\d+)/api/calling: it answers at this path"
            port = running.said(told)[1]
            running.said(f"app id {id}, from MicrosoftAppId")
            sip = address(running.said(r"phones register at (\S+);")[1])
            running.said("phones reach the bot at 5000")
            with Sipp(folder / "sipp", "call_until_bye", sip, phone=PHONE, dials="5000") as phone:
                phone.finish()
            running.said(rf"bot\.tunnel\.example go to 127\.0\.0\.1:{port}, where the bot listens")
            running.said("^terminated$")
        finally:
            running.end()
        check.that(secret not in running.log.read_text(), "the bot's secret was printed")

    def found(self, name: str) -> None:
        """What is hard to find: one that listens before it answers, with a debugger, or that its starter's words name."""
        files, command, wanted = HARD_TO_FIND[name]
        folder = self.folder / name.replace(" ", "-")
        for file, text in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text)
        words = [self.program.resolve(), "run", "--data", folder / "data", "--", *command]
        running = Running(words, folder / "log", cwd=folder)
        try:
            running.said(rf"incoming calls are told to http://127\.0\.0\.1:\d+{wanted}")
        finally:
            running.end()

    def asked_at_the_terminal(self) -> None:
        """Where the bot does not tell its path, the user is asked; and ^C ends both."""
        bot = "import http.server as h; h.HTTPServer(('127.0.0.1', 0), h.BaseHTTPRequestHandler).serve_forever()"
        words = [str(self.program), "run", "--data", str(self.folder / "asked"), "--", sys.executable, "-c", bot]
        process, terminal = pty.fork()
        if process == 0:
            os.execv(words[0], words)
        said = ""

        def until(pattern: str) -> None:
            nonlocal said
            while not re.search(pattern, said):
                ready, _, _ = select.select([terminal], [], [], RUN_WITHIN)
                check.that(ready, f"{pattern} was not said, but: {said}")
                said += os.read(terminal, 4096).decode(errors="replace")

        try:
            until(r"At which path is it told of calls\? \[/api/calls\]")
            told = Door(self.folder / "asked").ask("GET", "apps/first-seen")
            check.that("local" in told, f"what is known is told meanwhile: {told}")
            os.write(terminal, b"hooks\n")
            until(r"incoming calls are told to http://127\.0\.0\.1:\d+/hooks: as you say")
            os.write(terminal, b"\x03")
            until("KeyboardInterrupt")
        except BaseException:
            os.kill(process, signal.SIGTERM)
            raise
        finally:
            os.waitpid(process, 0)
            os.close(terminal)

    def cannot_listen(self) -> None:
        """A bot whose port is taken is told who has it, whatever it says itself."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            python = f"import http.server; http.server.HTTPServer(('127.0.0.1', {port}), None)"
            node = f"require('http').createServer().listen({port}, '127.0.0.1')"
            for command in ([sys.executable, "-c", python], ["node", "-e", node]):
                ended = run([self.program, "run", "--data", self.folder / "data", "--", *command])
                wanted = f"the bot could not listen at port {port}: process {os.getpid()} has it"
                check.that(wanted in ended.stderr, f"{command[0]} was not told so: {ended.stderr}")
                check.same(ended.returncode, 1, f"the exit status of {command[0]}, whose error nobody caught")

    def what_node_starts_is_led(self) -> None:
        """What a bot starts has the proxy that the bot has not, however it was started."""
        folder = self.folder / "starts"
        folder.mkdir()
        (folder / "starts.cjs").write_text("require('node:child_process').execSync(process.argv[2], undefined)")
        bot = "const { exec, execFile, execFileSync, execSync, fork, spawn, spawnSync } = require('node:child_process');"
        for number, start in enumerate(NODE_STARTS):
            bot += f"says = `echo $HTTPS_PROXY > '${{__dirname}}/{number}'`; {start};\n"
        (folder / "bot.cjs").write_text(bot)
        words = [self.program, "run", "--data", self.folder / "data", "--", "node", folder / "bot.cjs"]
        ended = run(words, env=DEVELOPMENT)
        check.same(ended.returncode, 0, f"the bot's exit status ({ended.stderr})")
        for number, start in enumerate(NODE_STARTS):
            said = (folder / str(number)).read_text()
            check.that(said.startswith("http://127.0.0.1:"), f"{start} starts it without the proxy: {said!r}")

    def users_own_hooks_run(self) -> None:
        """What the user has had loaded before a bot is loaded still: a sitecustomize, and an option of Node's."""
        own = self.folder / "own"
        own.mkdir()
        (own / "sitecustomize.py").write_text("print('mine too')\n")
        (own / "first.cjs").write_text("console.log('mine too')\n")
        for settings, command in (
            ({"PYTHONPATH": str(own)}, [sys.executable, PYTHON / "with_aiohttp.py"]),
            ({"NODE_OPTIONS": f"--require {own / 'first.cjs'}"}, ["node", NODE / "fetch.mjs"]),
        ):
            words = [self.program, "run", "--data", self.folder / "data", "--", *command]
            ended = run(words, env=DEVELOPMENT | settings)
            said = ended.stdout.splitlines()
            check.that(said and said[0] == "mine too", f"{command[0]} did not load it: {ended.stdout}{ended.stderr}")
            check.that(CALL.match(said[-1]), f"{command[0]} made no call: {ended.stdout}{ended.stderr}")

    def nothing_is_left(self) -> None:
        """What run writes for a bot goes with it."""
        left = list((self.folder / "data" / "run").iterdir())
        check.same(left, [], "what is left in the data folder")


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    why = missing()
    hosts = Hosts(program, folder, None if why else sinkhole(folder, stack))

    def led(command: Sequence[str | Path]) -> Callable[[], None]:
        return lambda: hosts.led_here(command)

    found: list[part.Case] = [(f"{name} is led here", led(command)) for name, command in bots() + starters(folder)]
    if why is None:
        found += [("others of Microsoft's are refused", hosts.refused), ("the sinkhole counts", hosts.counts)]
        found.append(("what goes past is told of", hosts.goes_past))
    else:
        print(f"      left out: what goes out is counted in a network namespace of its own: {why}")
    found += [(f"a bot that {name} is found", partial(hosts.found, name)) for name in HARD_TO_FIND]
    found += [(f"a bot that waits on {one} is found and rung", partial(hosts.rung, one)) for one in ("http", "https")]
    found.append(("a port that is taken is told", hosts.cannot_listen))
    found.append(("who sits at a terminal is asked for the path", hosts.asked_at_the_terminal))
    found.append(("what Node starts is led here, however it is started", hosts.what_node_starts_is_led))
    found.append(("hooks of the user's own run too", hosts.users_own_hooks_run))
    return [*found, ("nothing is left", hosts.nothing_is_left)]


if __name__ == "__main__":
    part.main(cases)
