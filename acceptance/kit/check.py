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
    """What was heard is too little like what was said. A phone that has to wait for the machine tears it, too, so that the
    case is run again."""


HEARINGS = 3
"""How often at most."""


def that(truth: object, text: str) -> None:
    """`text` says what must be true, and what was found instead."""
    if not truth:
        raise Failed(text)


def same(found: object, wanted: object, what: str) -> None:
    """The two are equal."""
    if found != wanted:
        raise Failed(f"{what}: wanted {wanted!r}, found {found!r}")


def alike(found: float, least: float, what: str) -> None:
    """What was heard is at least so like what was said."""
    if found < least:
        raise Torn(f"what was heard is {found:.3f} like {what}, wanted {least}")


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


def heard(name: str, case: Callable[[], None]) -> None:
    """Runs a case, and again if what was heard was torn."""
    for left in reversed(range(HEARINGS)):
        try:
            return case()
        except Torn as torn:
            if not left:
                raise
            print(f"again {name}: {torn}", flush=True)


def run_cases(cases: Sequence[tuple[str, Callable[[], None]]]) -> int:
    """Runs every case and gives the exit status: 0 if all held. The last line counts them."""
    failed = 0
    for name, case in cases:
        started = time.monotonic()
        try:
            heard(name, case)
        except Failed as failure:
            failed += 1
            print(f"FAIL  {name}: {failure}", flush=True)
        except Exception:  # One broken case must not hide the others.
            failed += 1
            print(f"FAIL  {name}:\n{traceback.format_exc()}", flush=True)
        else:
            print(f"ok    {name} ({time.monotonic() - started:.1f} s)", flush=True)
    print(f"{len(cases) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0
