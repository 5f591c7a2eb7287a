"""Meetings: msgraph-sdk joins by a joinMeetingId and by a join URL, and two softphones meet the bot there."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from msgraph.generated.models.call import Call
from msgraph.generated.models.chat_info import ChatInfo
from msgraph.generated.models.identity import Identity
from msgraph.generated.models.identity_set import IdentitySet
from msgraph.generated.models.join_meeting_id_meeting_info import JoinMeetingIdMeetingInfo
from msgraph.generated.models.meeting_info import MeetingInfo
from msgraph.generated.models.modality import Modality
from msgraph.generated.models.organizer_meeting_info import OrganizerMeetingInfo
from msgraph.generated.models.service_hosted_media_config import ServiceHostedMediaConfig

from kit import audio, check, part
from kit.baresip import RATE, Baresip
from kit.graph import MEDIA
from kit.hearing import ALIKE, KEYS, UNLIKE, Hearing
from kit.sdk import Sdk, body_of

ORGANIZER = "0d0d0d0d-0000-4000-8000-00000000000d"

HALF = 0.5
"""So like either of two voices is what holds both, at least; two equal ones are 0.7 like each."""


class Suite(Hearing):
    """One server that accepts any identity; each case has a meeting of its own."""

    def __init__(self, program: Path, folder: Path, stack: ExitStack) -> None:
        super().__init__(program, folder, stack, open_to_any=True)
        self.sdk = stack.enter_context(closing(Sdk(self.server, self.graph)))

    def join(self, chat: ChatInfo | None, meeting: MeetingInfo) -> str:
        """The bot joins; gives the call's id once it is established, with audio."""
        body = Call(
            callback_uri=self.bot.callback,
            requested_modalities=[Modality.Audio],
            media_config=ServiceHostedMediaConfig(),
            chat_info=chat,
            meeting_info=meeting,
            tenant_id=self.world.tenant,
        )
        call = self.sdk.get(self.sdk.calls.post(body), 201)
        wire = body_of(self.sdk.last)
        check.same((wire["state"], wire["targets"]), ("establishing", []), "the answer")
        check.that(call.chat_info and call.chat_info.thread_id, f"the SDK made a chat of the answer: {wire}")
        check.that(isinstance(call.meeting_info, type(meeting)), f"the SDK made a {type(call.meeting_info).__name__}")
        ready = self.bot.wait_ready(str(call.id))
        check.same(ready.data["chatInfo"]["threadId"], wire["chatInfo"]["threadId"], "the thread that was told")
        return str(call.id)

    def by_id(self) -> tuple[str, str]:
        """A bot in a meeting of its own, and what phones dial."""
        number = str(self.draw.randrange(10**9, 10**10))
        grouped = f"{number[:3]} {number[3:6]} {number[6:]}"
        return self.join(None, JoinMeetingIdMeetingInfo(join_meeting_id=grouped, passcode="psw123")), number

    def participants(self, call: str) -> list[str]:
        """Who is there, as the SDK reads it, by the ids of users and apps."""
        listed = self.sdk.get(self.sdk.calls.by_call_id(call).participants.get())
        names = []
        for one in listed.value or []:
            identity = one.info.identity if one.info else None
            who = identity and (identity.application or identity.user)
            names.append(str(who.id) if who else "")
        return names

    def phone(self, index: int, name: str, **how: Any) -> Baresip:
        phone = self.world.phones[index]
        return Baresip(self.folder / name, phone, self.server.sip, **how)

    def met(self, call: str, number: str, phones: Sequence[Baresip]) -> None:
        """The phones dial the meeting, one after the other."""
        for count, phone in enumerate(phones, start=2):
            phone.wait_registered()
            phone.dial(number)
            phone.wait_established()
            check.soon(lambda wanted=count: len(self.participants(call)) == wanted, f"{count} are in the meeting")

    def is_like(self, heard: audio.Sound, rate: int, played: audio.Sound, least: float) -> None:
        """Compared at twice the rate of a telephone: a mixer's filters delay by half a sample of that."""
        other = audio.draw_tones(self.draw, len(played) / audio.PROMPT_RATE)
        sound = audio.at_rate(heard, rate, audio.PROMPT_RATE)
        short, long = (sound, played) if len(sound) < len(played) else (played, sound)
        right = audio.likeness(long, short, audio.PROMPT_RATE)
        short, long = (sound, other) if len(sound) < len(other) else (other, sound)
        wrong = audio.likeness(long, short, audio.PROMPT_RATE)
        print(f"      {right:.3f} like it, {wrong:.3f} like something else")
        check.that(wrong < UNLIKE, f"what was heard is {wrong:.3f} like something else, wanted less than {UNLIKE}")
        check.alike(right, least, "it")

    def leave(self, call: str, phones: Sequence[Baresip]) -> None:
        """The bot leaves, and the phones are hung up."""
        self.graph.hang_up(call)
        for phone in phones:
            phone.wait_closed()

    # The cases

    def it_joins_by_an_id(self) -> None:
        call, _ = self.by_id()
        check.same(self.participants(call), [self.world.app], "who is there")
        answer = self.graph.ask("GET", f"/v1.0/communications/calls/{call}")
        check.same(answer.json["meetingInfo"]["passcode"], "psw123", "the passcode")
        self.graph.hang_up(call)
        self.ended_well(call)

    def it_joins_by_a_url(self) -> None:
        thread = f"19:meeting_{self.draw.randrange(1 << 64):x}@thread.v2"
        context = json.dumps({"Tid": self.world.tenant, "Oid": ORGANIZER})
        path = f"/l/meetup-join/{urllib.parse.quote(thread, '')}/0"
        url = f"https://teams.microsoft.com{path}?context={urllib.parse.quote(context)}"
        # As bots take it apart.
        parts = urllib.parse.urlsplit(url)
        _, _, _, named, message = (urllib.parse.unquote(text) for text in parts.path.split("/"))
        said = json.loads(urllib.parse.parse_qs(parts.query)["context"][0])
        organizer = Identity(id=said["Oid"], additional_data={"tenantId": said["Tid"]})
        meeting = OrganizerMeetingInfo(organizer=IdentitySet(user=organizer))
        call = self.join(ChatInfo(thread_id=named, message_id=message), meeting)
        # The same meeting by its URL as it is, which another call cannot be in, and by the number that it was given.
        body = {"callbackUri": self.bot.callback, "mediaConfig": MEDIA, "requestedModalities": ["audio"]}
        refused = self.graph.ask("POST", "/v1.0/communications/calls", body | {"joinWebUrl": url})
        check.same(refused.status, 409, f"one bot at a time ({refused.text})")
        known = next(one for one in self.server.door.ask("GET", "meetings")["value"] if one["call"] == call)
        check.same(known["threadId"], thread, "the meeting's thread")
        self.graph.hang_up(call)
        self.ended_well(call)
        again = self.join(None, JoinMeetingIdMeetingInfo(join_meeting_id=known["joinMeetingId"]))
        read = self.sdk.get(self.sdk.calls.by_call_id(again).get())
        check.same(read.chat_info and read.chat_info.thread_id, thread, "the thread of the same meeting")
        self.graph.hang_up(again)
        self.ended_well(again)

    def two_phones_hear_the_bot_and_it_hears_their_keys(self) -> None:
        call, number = self.by_id()
        with self.phone(0, "first") as first, self.phone(1, "second") as second:
            phones = [first, second]
            self.met(call, number, phones)
            self.graph.subscribe_to_tone(call)
            played = self.play(call)
            first.press(KEYS[:3])
            check.soon(lambda: len(self.bot.tones(call)) == 3, "the first phone's keys")
            second.press(KEYS[3:])
            self.keys_are_told(call)
            self.leave(call, phones)
            for phone in phones:
                self.is_like(*phone.heard(), played, ALIKE)
        self.ended_well(call)

    def two_phones_hear_each_other_and_are_recorded(self) -> None:
        call, number = self.by_id()
        voices = [audio.draw_tones(self.draw, 60), audio.draw_tones(self.draw, 60)]
        says = [audio.at_rate(voice, audio.PROMPT_RATE, RATE) for voice in voices]
        with self.phone(0, "says-one", says=says[0]) as first, self.phone(1, "says-another", says=says[1]) as second:
            self.met(call, number, [first, second])
            recorded = self.recorded(call)
            self.leave(call, [first, second])
            for voice in voices:
                self.is_like(recorded, audio.PROMPT_RATE, voice, HALF)
            # The last three seconds of what each heard are the other's voice alone.
            for phone, voice in ((first, voices[1]), (second, voices[0])):
                self.is_like(phone.heard()[0][-3 * RATE :], RATE, voice, ALIKE)
        self.ended_well(call)


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    suite = Suite(program, folder, stack)
    run = [
        suite.it_joins_by_an_id,
        suite.it_joins_by_a_url,
        suite.two_phones_hear_the_bot_and_it_hears_their_keys,
        suite.two_phones_hear_each_other_and_are_recorded,
    ]
    return part.named(run)


if __name__ == "__main__":
    part.main(cases)
