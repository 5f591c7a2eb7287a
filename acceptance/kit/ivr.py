"""The example bots: how each is started, its prompts, and what a phone that called one of them must have heard."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from kit import audio, check
from kit.baresip import RATE
from kit.hearing import ALIKE
from kit.processes import RUN_WITHIN, Running

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"

UNLIKE = 0.5
"""What is heard is less than so like a prompt that was not played. One voice says them all, so there is some likeness."""


def command(language: str, server: Path) -> list[str | Path]:
    """A bot's command. The one in Rust is built with the server, and lies beside it."""
    node = shutil.which("node")
    match language:
        case "python":
            return [sys.executable, EXAMPLES / "python/bot.py"]
        case "node":
            check.that(node, "node is not installed")
            return [str(node), EXAMPLES / "node/bot.mjs"]
        case "rust":
            return [server.parent / "ringback-example-bot"]
    raise check.Failed(f"no bot is written in {language}")


def wait_until_it_listens(bot: Running, address: str, port: int) -> None:
    """Until the bot takes connections, which must be before it ends."""

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((address, port)) == 0

    check.soon(lambda: bot.process.poll() is not None or listens(), "the bot listens", RUN_WITHIN)
    check.that(bot.process.poll() is None, f"the bot runs (its words:\n{bot.tail()})")


def prompt(name: str) -> audio.Sound:
    """What the bots say, at the phone's rate."""
    sound, rate = audio.read_wav(EXAMPLES / "prompts" / f"{name}.wav")
    return audio.at_rate(sound, rate, RATE)


def heard(sound: audio.Sound, those: Sequence[str], never: str) -> None:
    """These prompts are in what was heard, and that one is not."""
    found = {name: audio.likeness(sound, prompt(name), RATE) for name in (*those, never)}
    print("      heard " + ", ".join(f"{name} {likeness:.3f}" for name, likeness in found.items()))
    check.that(found[never] < UNLIKE, f"what was heard is {found[never]:.3f} like {never}, wanted less than {UNLIKE}")
    for name in those:
        check.alike(found[name], ALIKE, name)
