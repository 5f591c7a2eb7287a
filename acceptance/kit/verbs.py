"""Every verb of the contract through one client library: what is offered works, the rest is refused in words.

The cases know the library only as kit/library.py describes it, so each library goes through the same ones.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kit import audio, check, part
from kit.baresip import Baresip
from kit.bot import Bot
from kit.graph import MEDIA, Graph, prompts
from kit.library import Json, Library, Reply
from kit.operations import Ledger
from kit.server import BOT_NUMBER, Server
from kit.sipp import Sipp

NUMBER = "+15550123"
"""A number of the telephone network, reached through the trunk."""

NOBODY = "00000000-0000-0000-0000-00000000dead"
"""The id of no call, operation or participant."""

OPEN_OPERATIONS = 100
"""How many media operations a call may have open: docs/OPERATING.md."""

ODD = '\N{TELEPHONE RECEIVER} "quoted", back\\slash, <tag>, 100 % & \N{ZERO WIDTH JOINER}é\t'
"""A clientContext that must come back as it was."""


class Verbs:
    """The cases of one library, on a server that others may use too.

    `trunk` is the port of its telephone network; `phone` is the second user's, which takes every call and hums.
    """

    def __init__(self, library: Library, server: Server, bot: Bot, trunk: int, phone: Baresip, folder: Path) -> None:
        self.library = library
        self.phone = phone
        self.trunk = trunk
        self.server = server
        self.world = server.world
        self.graph = Graph(server)
        self.bot = bot
        self.folder = folder
        draw = random.Random()
        self.short = bot.prompt(f"short-{library.name}", audio.wav_bytes(audio.draw_tones(draw, 0.4)))
        self.endless = bot.prompt(f"endless-{library.name}", audio.wav_bytes(audio.draw_tones(draw, 30)))

    # What a bot does

    def ok(self, verb: str, call: str = "", member: str = "", body: Json | None = None) -> Any:
        """Does it, which must succeed; gives its value."""
        reply = self.library.ask(verb, call, member, body)
        check.same(reply.refusal, None, f"{verb} is not refused")
        return reply.value

    def empty(self, verb: str, call: str, body: Json | None = None) -> None:
        """Does it; its answer has no body, and the library stands that."""
        value = self.ok(verb, call, body=body)
        check.that(value in (None, ""), f"the answer to {verb} is empty, not {value!r}")

    def refused(self, status: int, code: str, verb: str, call: str, body: Json | None, member: str = NOBODY) -> None:
        """Does it, which must be refused with this status and code, and in words."""
        reply: Reply = self.library.ask(verb, call, member, body)
        if reply.refusal is None:
            raise check.Failed(f"{verb} is refused with {status}, not answered {reply.value}")
        check.same((reply.refusal.status, reply.refusal.code), (status, code), f"{verb} ({reply.refusal.message})")
        check.that(reply.refusal.message, f"{verb} is refused in words")

    def up(self, target: Json | None = None) -> tuple[str, Ledger]:
        """A call that is established and has audio: to a line that takes it at once, or to `target`."""
        call = self.ok("createCall", body=self.new_call(target))
        check.same(call["state"], "establishing", "state in the answer")
        self.bot.wait_ready(call["id"])
        return call["id"], Ledger(self.bot, call["id"])

    def with_phone(self) -> Json:
        """The user whose phone takes every call."""
        return {"user": {"@odata.type": "#microsoft.graph.identity", "id": self.world.phones[1].id}}

    @contextmanager
    def phoned(self) -> Iterator[tuple[str, Ledger]]:
        """A call to a telephone, which plays in real time. It must be hung up inside."""
        with Sipp(self.folder, "answer_until_bye", self.server, port=self.trunk) as phone:
            yield self.up({"phone": {"@odata.type": "#microsoft.graph.identity", "id": NUMBER}})
            phone.finish()

    def new_call(self, target: Json | None = None) -> Json:
        identity = {"@odata.type": "#microsoft.graph.identity"}
        set_of = {"@odata.type": "#microsoft.graph.identitySet"}
        target = target or {"user": identity | {"id": self.world.null_line}}
        return {
            "@odata.type": "#microsoft.graph.call",
            "callbackUri": self.bot.callback,
            "requestedModalities": ["audio"],
            "mediaConfig": MEDIA,
            "tenantId": self.world.tenant,
            "source": {
                "@odata.type": "#microsoft.graph.participantInfo",
                "identity": set_of | {"applicationInstance": identity | {"id": self.world.app}},
            },
            "targets": [{"@odata.type": "#microsoft.graph.invitationParticipantInfo", "identity": set_of | target}],
        }

    def play(self, call: str, ledger: Ledger, url: str, context: str, status: str) -> str:
        body = {"clientContext": context, "prompts": prompts(url)}
        return ledger.answered(self.ok("playPrompt", call, body=body), "playPromptOperation", context, status)

    def read(self, call: str, ledger: Ledger, operation: str, status: str) -> None:
        ledger.read(self.ok("getOperation", call, operation), status)

    def hang_up(self, call: str, ledger: Ledger) -> None:
        self.empty("hangUp", call)
        check.same(ledger.closed()["code"], 200, "the call's result")

    # The cases

    def create_get_list_hang_up(self) -> None:
        call, ledger = self.up()
        got = self.ok("getCall", call)
        check.same((got["id"], got["state"]), (call, "established"), "the call when read")
        listed = self.ok("listCalls")["value"]
        check.that(call in [one["id"] for one in listed], "the call is in the list")
        self.hang_up(call, ledger)
        self.refused(404, "8522", "getCall", call, None)

    def answer_an_incoming_call(self) -> None:
        before = len(self.bot.journal)
        self.phone.dial(BOT_NUMBER)
        call = str(self.bot.wait_incoming(before).data["id"])
        answer = {"callbackUri": self.bot.callback, "acceptedModalities": ["audio"], "mediaConfig": MEDIA}
        self.empty("answer", call, answer)
        self.bot.wait_ready(call)
        self.refused(409, "notAllowed", "answer", call, answer)
        self.phone.hang_up()
        check.same(Ledger(self.bot, call).closed()["code"], 200, "the result of a call that the caller ended")

    def reject_an_incoming_call(self) -> None:
        before = len(self.bot.journal)
        with Sipp(self.folder, "call_busy", self.server, phone=self.world.phones[0], dials=BOT_NUMBER) as phone:
            call = str(self.bot.wait_incoming(before).data["id"])
            self.empty("reject", call, {"reason": "busy", "callbackUri": self.bot.callback})
            phone.finish()
        Ledger(self.bot, call).closed()

    def keep_alive(self) -> None:
        call, ledger = self.up()
        self.empty("keepAlive", call)
        self.hang_up(call, ledger)
        self.refused(404, "8522", "keepAlive", call, None)

    def play_prompts_one_after_the_other(self) -> None:
        with self.phoned() as (call, ledger):
            first = self.play(call, ledger, self.short, "first", "running")
            second = self.play(call, ledger, self.short, ODD, "notStarted")
            listed = self.ok("listOperations", call)["value"]
            check.same({one["id"] for one in listed}, {first, second}, "operations listed")
            for operation in (first, second):
                ledger.told(operation, "completed", 200, 0)
                self.read(call, ledger, operation, "completed")
            self.hang_up(call, ledger)
        self.read(call, ledger, second, "completed")

    def subscribe_to_tone(self) -> None:
        call, ledger = self.up()
        value = self.ok("subscribeToTone", call, body={"clientContext": ODD})
        operation = ledger.answered(value, "subscribeToToneOperation", ODD, "completed")
        self.read(call, ledger, operation, "completed")
        self.hang_up(call, ledger)

    def a_long_list_comes_in_pages(self) -> None:
        if not self.library.offers("pageOperations"):
            print(f"      left out: {self.library.name} leaves following pages to the program")
            return
        call, ledger = self.up()
        ids = []
        for context in ("first", "second", "third"):
            value = self.ok("subscribeToTone", call, body={"clientContext": context})
            ids.append(ledger.answered(value, "subscribeToToneOperation", context, "completed"))
        check.same(self.ok("pageOperations", call), ids, "operations, one a page")
        self.hang_up(call, ledger)

    def send_dtmf_tones(self) -> None:
        if not self.library.offers("sendDtmfTones"):
            print(f"      left out: {self.library.name} has no sendDtmfTones")
            return
        before = len(self.phone.events)
        call, ledger = self.up(self.with_phone())
        body = {"clientContext": ODD, "tones": ["tone1", "star", "pound"], "delayBetweenTonesMs": 100}
        self.refused(400, "invalidRequest", "sendDtmfTones", call, body | {"tones": []})
        value = self.ok("sendDtmfTones", call, body=body)
        operation = ledger.answered(value, "sendDtmfTonesOperation", ODD, "running")
        ledger.told(operation, "completed", 200, 0)
        self.read(call, ledger, operation, "completed")
        check.soon(lambda: len(self.pressed(before)) >= 3, "three keys at the phone")
        check.same(self.pressed(before), ["1", "*", "#"], "the keys that the phone was told of")
        self.hang_up(call, ledger)

    def pressed(self, before: int) -> list[str]:
        """The keys that the phone has been told of since so many of its events."""
        return [event["param"] for event in self.phone.events[before:] if event["type"] == "CALL_DTMF_START"]

    def record_response(self) -> None:
        call, ledger = self.up(self.with_phone())
        body: Json = {
            "clientContext": ODD,
            "bargeInAllowed": False,
            "playBeep": True,
            "initialSilenceTimeoutInSeconds": 5,
            "maxSilenceTimeoutInSeconds": 5,
            "maxRecordDurationInSeconds": 1,
            "stopTones": ["#"],
        }
        for wrong in ([], prompts(self.short, self.short)):
            self.refused(400, "8523", "recordResponse", call, body | {"prompts": wrong})
        self.record(call, ledger, "recordResponse", body | {"prompts": prompts(self.short)})
        if self.library.offers("record"):
            # Beta's, which needs no prompt.
            self.record(call, ledger, "record", body)
        self.hang_up(call, ledger)

    def record(self, call: str, ledger: Ledger, verb: str, body: Json) -> None:
        """Records for a second, and reads what was recorded."""
        value = self.ok(verb, call, body=body)
        operation = ledger.answered(value, "recordOperation", body["clientContext"], "running")
        end = ledger.told(operation, "completed", 200, 8515)
        read = self.ok("getOperation", call, operation)
        ledger.read(read, "completed")
        for member in ("recordingLocation", "recordingAccessToken"):
            check.same(read[member], end.data[member], member)
        recording = self.graph.recording(read["recordingLocation"], read["recordingAccessToken"])
        sound, rate = audio.read_wav(io.BytesIO(recording))
        check.that(0.8 < len(sound) / rate < 1.5, f"the recording takes about a second, not {len(sound) / rate:.2f} s")
        hum = np.sqrt(np.mean(sound**2))
        check.that(hum > 100, f"what the phone hums is in the recording, whose loudness is {hum:.0f}")

    def cancel_media_processing(self) -> None:
        with self.phoned() as (call, ledger):
            playing = self.play(call, ledger, self.endless, "playing", "running")
            waiting = self.play(call, ledger, self.short, "waiting", "notStarted")
            value = self.ok("cancelMediaProcessing", call, body={"clientContext": "cancel"})
            cancelled = ledger.answered(value, "cancelMediaProcessingOperation", "cancel", "completed")
            for operation in (playing, waiting):
                ledger.told(operation, "failed", 400, 8508)
                self.read(call, ledger, operation, "failed")
            self.read(call, ledger, cancelled, "completed")
            self.hang_up(call, ledger)

    def hang_up_while_playing(self) -> None:
        with self.phoned() as (call, ledger):
            operation = self.play(call, ledger, self.endless, "cut short", "running")
            self.hang_up(call, ledger)
        end = ledger.told(operation, "failed", 400, 8508)
        told = self.bot.so_far(call)
        check.that(told.index(end) < len(told) - 1, "the operation's end is told before the call's")

    def a_full_queue_refuses_more(self) -> None:
        """With 429, which most libraries repeat by themselves, three times and as late as they are asked to."""
        with self.phoned() as (call, ledger):
            for _ in range(OPEN_OPERATIONS):
                self.graph.play(call, self.endless)
            more = {"clientContext": "more", "prompts": prompts(self.short)}
            self.refused(429, "activityLimitReached", "playPrompt", call, more)
            contexts = [one["clientContext"] for one in self.ok("listOperations", call)["value"]]
            check.that(contexts and "more" not in contexts, "what was refused was not done, however often it came")
            self.hang_up(call, ledger)

    def what_is_wrong_is_refused(self) -> None:
        call, ledger = self.up()
        self.refused(400, "invalidRequest", "playPrompt", call, {"clientContext": "none", "prompts": []})
        long = {"clientContext": "a" * 257}
        self.refused(400, "invalidRequest", "subscribeToTone", call, long)
        self.refused(400, "invalidRequest", "cancelMediaProcessing", call, long)
        self.refused(400, "invalidRequest", "playPrompt", call, long | {"prompts": prompts(self.short)})
        self.refused(400, "invalidRequest", "createCall", "", self.new_call() | {"targets": []})
        check.same(self.ok("listOperations", call)["value"], [], "operations after refusals")
        self.refused(404, "itemNotFound", "getOperation", call, None)
        self.refused(405, "notAllowed", "updateCall", call, {"subject": "other"})
        self.refused(405, "notAllowed", "deleteOperation", call, None)
        self.hang_up(call, ledger)

    def no_such_call(self) -> None:
        context = {"clientContext": "nobody"}
        self.refused(404, "8522", "getCall", NOBODY, None)
        self.refused(404, "8522", "hangUp", NOBODY, None)
        self.refused(404, "8522", "listOperations", NOBODY, None)
        self.refused(404, "8522", "getOperation", NOBODY, None)
        self.refused(404, "8522", "keepAlive", NOBODY, None)
        self.refused(404, "8522", "subscribeToTone", NOBODY, context)
        self.refused(404, "8522", "cancelMediaProcessing", NOBODY, context)
        self.refused(404, "8522", "playPrompt", NOBODY, context | {"prompts": prompts(self.short)})
        self.refused(404, "8522", "reject", NOBODY, {"reason": "busy"})
        answer = {"callbackUri": self.bot.callback, "acceptedModalities": ["audio"], "mediaConfig": MEDIA}
        self.refused(404, "8522", "answer", NOBODY, answer)

    def what_is_not_offered_is_refused_in_words(self) -> None:
        call, ledger = self.up()
        lacking = []
        for verb, body in self.not_offered().items():
            if self.library.offers(verb):
                self.refused(501, "notSupported", verb, call, body)
            else:
                lacking.append(verb)
        if lacking:
            print(f"      {self.library.name} has no {', '.join(lacking)}")
        check.same(self.ok("getCall", call)["state"], "established", "the call after all that")
        self.hang_up(call, ledger)

    def not_offered(self) -> dict[str, Json | None]:
        """What the contract has and the server does not, with a body as it should be."""
        context: Json = {"clientContext": "other"}
        who = {"identity": {"user": {"id": self.world.phones[0].id, "displayName": "Phone"}}}
        actions: dict[str, Json | None] = {
            "redirect": {"targets": [who], "callbackUri": self.bot.callback, "timeout": 30},
            "transfer": {"transferTarget": who},
            "mute": context,
            "unmute": context,
            "changeScreenSharingRole": {"role": "viewer"},
            "updateRecordingStatus": context | {"status": "recording"},
            "addLargeGalleryView": context,
            "deleteParticipant": None,
            "invite": context | {"participants": [who]},
            "muteParticipant": context,
            "startHoldMusic": context | {"customPrompt": prompts(self.short)[0]},
            "stopHoldMusic": context,
            "listAudioRoutingGroups": None,
            "createAudioRoutingGroup": {"routingMode": "oneToOne", "sources": [NOBODY], "receivers": [NOBODY]},
            "listContentSharingSessions": None,
            "logTeleconferenceDeviceQuality": {
                "quality": {"@odata.type": "#microsoft.graph.teleconferenceDeviceQuality", "callChainId": NOBODY}
            },
        }
        if self.library.version == "beta":
            for verb in ("startRecording", "stopRecording", "startTranscription", "stopTranscription"):
                actions[verb] = context
        return actions

    def cases(self) -> Sequence[part.Case]:
        """All of them, with the library's name before each."""
        run: list[Callable[[], None]] = [
            self.create_get_list_hang_up,
            self.answer_an_incoming_call,
            self.reject_an_incoming_call,
            self.keep_alive,
            self.play_prompts_one_after_the_other,
            self.subscribe_to_tone,
            self.send_dtmf_tones,
            self.record_response,
            self.a_long_list_comes_in_pages,
            self.cancel_media_processing,
            self.hang_up_while_playing,
            self.a_full_queue_refuses_more,
            self.what_is_wrong_is_refused,
            self.no_such_call,
            self.what_is_not_offered_is_refused_in_words,
        ]
        return [(f"{self.library.name}: {name}", partial(case)) for name, case in part.named(run)]
