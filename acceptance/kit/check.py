"""Checks, and the running of cases: each case is a function; all are run, and each failure is told in words."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds in which what is waited for must have come, on a busy machine too. Nobody here judges how quick it was."""


class Failed(Exception):
    """Something is not as it must be. The text says what was wanted and what was found."""


class Torn(Failed):
    """What was heard is not quite like what was said. A phone that has to wait for the machine tears it, too, so that the
    case is run again."""


HEARINGS = 2
"""How often a case is run at most: what is torn twice is not the machine's doing."""

TORN = 0.5
"""What a phone tore is at least so like what was said. At that, half of it is some other sound or three quarters are
silent: more is lost by who sends it, which is a failure at once."""


def that(truth: object, text: str) -> None:
    """`text` says what must be true, and what was found instead."""
    if not truth:
        raise Failed(text)


def same(found: object, wanted: object, what: str) -> None:
    """The two are equal."""
    if found != wanted:
        raise Failed(f"{what}: wanted {wanted!r}, found {found!r}")


def alike(found: float, least: float, what: str) -> None:
    """What was heard is at least so like what was said. Look first whether it is like what was not said."""
    if found < least:
        raise (Torn if found >= TORN else Failed)(f"what was heard is {found:.3f} like {what}, wanted {least}")


def soon(ask: Callable[[], T | None], what: str, within: float = PATIENCE, said: Callable[[], str] | None = None) -> T:
    """Asks again and again until there is an answer; `what` is missing if none comes within so many seconds.

    `said` is what to show then of who should have brought it about.
    """
    deadline = time.monotonic() + within
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {within:g} s" + (f"; it said:\n{said()}" if said else ""))
        time.sleep(0.02)


def heard(name: str, case: Callable[[], None]) -> int:
    """Runs a case, and again if what was heard was torn; gives how often again."""
    again = 0
    while True:
        try:
            case()
            return again
        except Torn as torn:
            again += 1
            if again == HEARINGS:
                raise
            print(f"again {name}: {torn}", flush=True)


def run_cases(cases: Sequence[tuple[str, Callable[[], None]]]) -> int:
    """Runs every case and gives the exit status: 0 if all held. The last line counts them."""
    failed = again = 0
    for name, case in cases:
        started = time.monotonic()
        try:
            again += heard(name, case)
        except Failed as failure:
            failed += 1
            print(f"FAIL  {name}: {failure}", flush=True)
        except Exception:  # One broken case must not hide the others.
            failed += 1
            print(f"FAIL  {name}:\n{traceback.format_exc()}", flush=True)
        else:
            print(f"ok    {name} ({time.monotonic() - started:.1f} s)", flush=True)
    print(f"{len(cases) - failed} passed, {failed} failed, {again} heard again", flush=True)
    return 1 if failed else 0
