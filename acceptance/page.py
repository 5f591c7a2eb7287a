"""The page with a phone, in Chromium without a window: what it hears is the prompt, what it says is recorded, keys
arrive, it rings; and it says in words what is wrong."""

from __future__ import annotations

import http.client
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from kit import audio, check, part
from kit.chromium import Chromium
from kit.hearing import KEYS, Hearing
from kit.server import Server, World

SAYS_RATE = 48_000
"""Samples a second of what the microphone says: the browser plays such a file as it is."""

NOBODY = "+493090182000"
"""A number that nobody has."""

ELSEWHERE = "phones.example"
"""A name of the server that is not `localhost`: a page from there by http is trusted with no microphone."""

SILENT = 150.0
"""The loudness (root of the mean square) of a recording of somebody who is muted is less: -47 dBFS. G.722, fed with
nothing, does not come to rest at 0 but at some 30, and a packet that comes too late is heard as a click. Who speaks here
has some 5,000."""

ASKED = 15.0
"""Seconds for which a bot is asked whether it takes a call (contract §2.3)."""

LOOKS = ((1200, 760), (390, 844))
"""Pixels of a wide screen and of a narrow one."""


class Suite(Hearing):
    """What a person at the page goes through."""

    alike = 0.8
    """Browsers stretch and shorten what they play, to wait for late packets and to make up for it."""

    def page(self, name: str, *, says: audio.Sound | None = None, microphone: bool = True) -> Chromium:
        """A browser with a profile of its own."""
        file = None
        if says is not None:
            file = self.folder / f"{name}.wav"
            file.write_bytes(audio.wav_bytes(says, SAYS_RATE))
        return Chromium(self.folder / name, says=file, microphone=microphone)

    def sign_in(self, page: Chromium, url: str | None = None) -> None:
        """As the first of the users, who needs no password here."""
        page.open(url or f"{self.server.http}/")
        page.click("#users button")
        page.see("#idle")

    def call(self, page: Chromium) -> str:
        """The page calls the bot, which answers; gives the call's id."""
        before = len(self.bot.journal)
        page.click("#bots button")
        call = self.answer_next(before)
        page.see("#talk")
        self.bot.wait_ready(call)
        return call

    def hears(self, page: Chromium, call: str) -> None:
        """The bot plays a prompt, and the page hears that."""
        page.hear()
        played = self.play(call)
        self.compare(*page.heard(), played)

    def rings(self, page: Chromium, call: str) -> None:
        page.see("#answer")
        self.bot.wait_state(call, "establishing")

    def no_call(self, page: Chromium) -> None:
        page.see("#idle")

    def told_in_the_timeline(self, page: Chromium, kind: str, text: str) -> None:
        """The timeline has an entry of this kind with these words in it."""
        page.wait(
            f"""[...document.querySelectorAll('#entries [data-kind="{kind}"]')].some(
                (entry) => entry.textContent.includes({text!r}))""",
            f"the timeline has a {kind} with {text!r}",
        )

    def it_calls_a_bot_and_hears_it_and_presses_keys(self) -> None:
        with self.page("calls") as page:
            self.sign_in(page)
            call = self.call(page)
            self.graph.subscribe_to_tone(call)
            self.hears(page, call)
            first, rest = KEYS[:3], KEYS[3:]
            for key in first:
                page.click(f'[data-key="{key}"]')
            for key in rest:
                page.press(key)
            self.keys_are_told(call)
            self.told_in_the_timeline(page, "request", "playPrompt")
            self.told_in_the_timeline(page, "event", "playPrompt completed")
            self.told_in_the_timeline(page, "notification", "playPrompt ended")
            self.looks(page)
            page.click("#end")
            self.no_call(page)
            self.ended_well(call)

    def looks(self, page: Chromium) -> None:
        """Nothing is wider than the screen, wide or narrow; pictures are kept, light and dark."""
        for width, height in LOOKS:
            for scheme in ("light", "dark"):
                page.looks(width, height, scheme)
                page.screenshot(f"{width}-{scheme}")
            check.that(page.evaluate(f"document.body.scrollWidth <= {width}"), f"the page fits {width} pixels")
        page.looks(*LOOKS[0], "light")

    def what_it_says_is_heard_by_the_bot(self) -> None:
        says = self.says(SAYS_RATE)
        with self.page("says", says=says) as page:
            self.sign_in(page)
            call = self.call(page)
            self.what_it_says_is_recorded(call, says, SAYS_RATE)
            self.graph.hang_up(call)
            self.no_call(page)

    def muted_it_says_nothing(self) -> None:
        with self.page("muted", says=self.says(SAYS_RATE)) as page:
            self.sign_in(page)
            call = self.call(page)
            page.click("#mute")
            muted = self.loudness(call)
            page.press("m")
            heard = self.loudness(call)
            print(f"      {muted:.0f} loud muted, {heard:.0f} then")
            check.that(muted < SILENT, f"a muted page says nothing, and was {muted:.0f} loud")
            check.that(heard > 10 * SILENT, f"muted no longer it is heard, and was {heard:.0f} loud")
            page.click("#end")
            self.ended_well(call)

    def loudness(self, call: str) -> float:
        """Of some seconds of what the page says."""
        return float(np.sqrt(np.mean(np.square(self.recorded(call)))))

    def it_rings_and_answers(self) -> None:
        with self.page("is-called") as page:
            self.sign_in(page)
            call = self.graph.call_user(self.world.phones[0].id, self.bot.callback)
            self.rings(page, call)
            check.that("is calling" in page.text(), f"it says that it is called: {page.text()}")
            page.screenshot("rings")
            page.click("#answer")
            page.see("#talk")
            self.bot.wait_ready(call)
            self.hears(page, call)
            self.graph.hang_up(call)
            self.no_call(page)
            check.that("has ended" in page.text(), f"it says that the call has ended: {page.text()}")
            self.ended_well(call)

    def a_copy_of_its_tab_rings_as_well(self) -> None:
        with self.page("twice") as page:
            self.sign_in(page)
            # A window that a page opens begins with what that has in its sessionStorage, as a copied tab does.
            page.evaluate("(window.copy = window.open('/')) !== null")
            page.wait("copy.document.querySelector('#idle')?.hidden === false", "the copy is signed in")
            call = self.graph.call_user(self.world.phones[0].id, self.bot.callback)
            self.rings(page, call)
            page.wait("!copy.document.querySelector('#answer').hidden", "the copy rings")
            page.click("#answer")
            page.see("#talk")
            self.bot.wait_ready(call)
            page.wait("!copy.document.querySelector('#idle').hidden", "the copy is silent")
            check.that(page.evaluate("document.querySelector('#offline').hidden"), "the first is connected still")
            page.click("#end")
            self.ended_well(call)

    def it_declines(self) -> None:
        with self.page("declines") as page:
            self.sign_in(page)
            call = self.graph.call_user(self.world.phones[0].id, self.bot.callback)
            self.rings(page, call)
            page.click("#end")
            self.no_call(page)
            result = self.bot.wait_state(call, "terminated").data["resultInfo"]
            check.same((result["code"], result["subcode"]), (603, 0), "why the call ended (RFC 3261 §21.6.2)")

    def it_rings_for_whom_nobody_knows(self) -> None:
        with self.page("stands-in") as page:
            self.sign_in(page)
            stranger = str(uuid.uuid4())
            for who, calls in ((NOBODY, self.graph.call_number), (stranger, self.graph.call_user)):
                call = calls(who, self.bot.callback)
                self.rings(page, call)
                check.that(f"is calling for {who}" in page.text(), f"it says for whom: {page.text()}")
                page.press("Enter")
                page.see("#talk")
                self.bot.wait_ready(call)
                page.click("#end")
                self.no_call(page)
                self.ended_well(call)

    def it_is_in_a_meeting(self) -> None:
        with self.page("meets") as page:
            number = str(self.draw.randrange(10**8, 10**9))
            call = self.graph.join_meeting(number, self.bot.callback)
            self.bot.wait_ready(call)
            self.sign_in(page)
            # Beside it in the page's list may be one of before, where this is run again.
            listed = "[...document.querySelectorAll('#bots li')].map((one) => one.textContent)"
            place = f"{listed}.findIndex((one) => one.includes('{number}')) + 1"
            page.click(f"#bots li:nth-child({page.wait(place, f'the meeting {number} is listed')}) button")
            page.see("#talk")
            check.that(number in page.text(), f"it is in the meeting {number}: {page.text()}")
            self.hears(page, call)
            self.told_in_the_timeline(page, "event", "playPrompt completed")
            check.that("breaks off" not in page.text(), f"nothing is amiss: {page.text()}")
            page.click("#end")
            self.no_call(page)
            self.graph.hang_up(call)
            self.ended_well(call)

    def by_plain_http_from_elsewhere_it_says_what_the_browser_wants(self) -> None:
        with Chromium(self.folder / "elsewhere", host=ELSEWHERE) as page:
            self.sign_in(page, f"http://{ELSEWHERE}:{self.server.http_port}/")
            call = self.call(page)
            check.that("https address" in page.text(), f"it says why there is no microphone: {page.text()}")
            page.click("#end")
            self.ended_well(call)

    def without_a_microphone_it_says_so_and_hears(self) -> None:
        with self.page("listens", microphone=False) as page:
            self.sign_in(page)
            call = self.call(page)
            check.that("The microphone was refused" in page.text(), f"it says why: {page.text()}")
            self.hears(page, call)
            page.click("#end")
            self.ended_well(call)

    def what_cannot_be_called_is_said(self) -> None:
        with self.page("wrong") as page:
            self.sign_in(page)
            page.click("#number")
            page.write("no-such-bot")
            page.press("Enter")
            page.see("#note")
            self.no_call(page)
            print(f"      it says: {page.evaluate('document.querySelector(`#note`).textContent')}")


class Guarded:
    """A server where everyone needs a password, and whose bot does not run."""

    def __init__(self, program: Path, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.world = World("http://127.0.0.1:9/")
        self.server = stack.enter_context(Server(program, folder / "guarded", self.world))

    def a_password_is_asked_and_a_wrong_one_refused(self) -> None:
        with Chromium(self.folder / "guarded-page") as page:
            page.open(f"{self.server.http}/")
            for password, place in (("wrong", "#note"), (self.world.phones[0].password, "#idle")):
                self.sign_in(page, password)
                page.see(place)
            page.reload()
            page.see("#bots button")
            page.click("#leave")
            page.see("#login")

    def a_bot_that_does_not_run_is_called(self) -> None:
        with Chromium(self.folder / "no-bot") as page:
            page.open(f"{self.server.http}/")
            self.sign_in(page, self.world.phones[0].password)
            page.click("#bots button")
            page.see("#note", ASKED + check.PATIENCE)
            check.that("the bot did not answer" in page.text(), f"it says so: {page.text()}")
            page.see('#entries [data-kind="notification"]')
            page.screenshot("ended")

    def sign_in(self, page: Chromium, password: str) -> None:
        page.click("#user")
        page.evaluate("document.querySelector('#user').select()")
        page.write(self.world.phones[0].name)
        page.click("#password")
        page.write(password)
        page.press("Enter")

    def its_files_are_sent_once(self) -> None:
        def ask(method: str, headers: dict[str, str]) -> tuple[int, bytes, str]:
            connection = http.client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=check.PATIENCE)
            try:
                connection.request(method, "/", headers=headers)
                answer = connection.getresponse()
                return answer.status, answer.read(), answer.headers["ETag"]
            finally:
                connection.close()

        status, page, tag = ask("GET", {})
        check.same((status, page[:15]), (200, b"<!doctype html>"), "the page")
        check.same(ask("HEAD", {}), (200, b"", tag), "its head alone")
        check.same(ask("GET", {"If-None-Match": tag}), (304, b"", tag), "the page once more")


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    suite = Suite(program, folder, stack, open_to_any=True, names=(ELSEWHERE,))
    guarded = Guarded(program, folder, stack)
    run = [
        suite.it_calls_a_bot_and_hears_it_and_presses_keys,
        suite.what_it_says_is_heard_by_the_bot,
        suite.muted_it_says_nothing,
        suite.it_rings_and_answers,
        suite.a_copy_of_its_tab_rings_as_well,
        suite.it_declines,
        suite.it_rings_for_whom_nobody_knows,
        suite.it_is_in_a_meeting,
        suite.without_a_microphone_it_says_so_and_hears,
        suite.by_plain_http_from_elsewhere_it_says_what_the_browser_wants,
        suite.what_cannot_be_called_is_said,
        guarded.a_password_is_asked_and_a_wrong_one_refused,
        guarded.a_bot_that_does_not_run_is_called,
        guarded.its_files_are_sent_once,
    ]
    return part.named(run)


if __name__ == "__main__":
    part.main(cases)
