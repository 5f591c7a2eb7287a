"""msgraph-sdk, with an eye on what goes over the wire: addresses, members, limits, order. Against SIP phones and a line
that answers at once. That each verb does what it should is in kit/verbs.py.
"""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import jwt
from msgraph.generated.communications.calls.item.answer.answer_post_request_body import AnswerPostRequestBody
from msgraph.generated.communications.calls.item.cancel_media_processing.cancel_media_processing_post_request_body import (
    CancelMediaProcessingPostRequestBody,
)
from msgraph.generated.communications.calls.item.play_prompt.play_prompt_post_request_body import (
    PlayPromptPostRequestBody,
)
from msgraph.generated.communications.calls.item.record_response.record_response_post_request_body import (
    RecordResponsePostRequestBody,
)
from msgraph.generated.communications.calls.item.subscribe_to_tone.subscribe_to_tone_post_request_body import (
    SubscribeToTonePostRequestBody,
)
from msgraph.generated.models.call import Call
from msgraph.generated.models.identity import Identity
from msgraph.generated.models.identity_set import IdentitySet
from msgraph.generated.models.invitation_participant_info import InvitationParticipantInfo
from msgraph.generated.models.media_info import MediaInfo
from msgraph.generated.models.media_prompt import MediaPrompt
from msgraph.generated.models.modality import Modality
from msgraph.generated.models.participant_info import ParticipantInfo
from msgraph.generated.models.play_prompt_operation import PlayPromptOperation
from msgraph.generated.models.record_operation import RecordOperation
from msgraph.generated.models.service_hosted_media_config import ServiceHostedMediaConfig

from kit import audio, check, part
from kit.bot import Bot, Notice
from kit.graph import Graph
from kit.operations import Ledger
from kit.processes import free_port
from kit.sdk import Sdk, body_of
from kit.server import BOT_NUMBER, Server, World
from kit.sipp import Sipp, register

NUMBER = "+15550123"
"""A number of the telephone network, reached through the trunk."""

Json = dict[str, Any]


class Suite:
    """One server for all cases; each case has calls of its own."""

    def __init__(self, program: Path, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.trunk = free_port()
        self.bot = stack.enter_context(Bot())
        self.world = World(self.bot.callback, trunk=f"127.0.0.1:{self.trunk}")
        self.server = stack.enter_context(Server(program, folder, self.world))
        self.graph = Graph(self.server)
        self.sdk = stack.enter_context(closing(Sdk(self.server, self.graph)))
        draw = random.Random()
        self.short = self.bot.prompt("short", audio.wav_bytes(audio.draw_tones(draw, 0.4)))
        self.long = self.bot.prompt("long", audio.wav_bytes(audio.draw_tones(draw, 1.5)))
        self.endless = self.bot.prompt("endless", audio.wav_bytes(audio.draw_tones(draw, 30)))

    # What a bot does

    def identity(self, kind: str, id: str) -> IdentitySet:
        """A user, or, as an open member, a phone."""
        if kind == "user":
            return IdentitySet(user=Identity(id=id))
        return IdentitySet(additional_data={kind: {"@odata.type": "#microsoft.graph.identity", "id": id}})

    def call_to(self, kind: str, id: str) -> Call:
        body = Call(
            callback_uri=self.bot.callback,
            targets=[InvitationParticipantInfo(identity=self.identity(kind, id))],
            requested_modalities=[Modality.Audio],
            media_config=ServiceHostedMediaConfig(),
            tenant_id=self.world.tenant,
        )
        if kind == "phone":
            body.source = ParticipantInfo(identity=self.identity("applicationInstance", self.world.app))
        return body

    def create(self, kind: str, id: str) -> str:
        """Places a call and checks its answer; gives the call's id."""
        call = self.sdk.get(self.sdk.calls.post(self.call_to(kind, id)), 201)
        check.that(call.id, "the SDK made a call of the answer")
        wire = body_of(self.sdk.last)
        check.same(wire["@odata.type"], "#microsoft.graph.call", "type")
        check.same(wire["state"], "establishing", "state in the answer")
        check.same(wire["direction"], "outgoing", "direction")
        check.same(wire["callbackUri"], self.bot.callback, "callbackUri")
        for member in ("callChainId", "myParticipantId", "targets", "source", "requestedModalities", "mediaConfig"):
            check.that(wire.get(member), f"the call has no {member}: {wire}")
        for member in ("resultInfo", "toneInfo", "chatInfo", "meetingInfo"):
            check.that(member in wire and wire[member] is None, f"{member} is null: {wire}")
        check.same(
            self.sdk.last.headers.get("location"), f"{self.server.http}/v1.0/communications/calls/{call.id}", "Location"
        )
        return str(call.id)

    def up(self, kind: str, id: str) -> tuple[str, Ledger]:
        """A call that is established and has audio."""
        call = self.create(kind, id)
        self.bot.wait_ready(call)
        return call, Ledger(self.bot, call)

    def on_null_line(self) -> tuple[str, Ledger]:
        return self.up("user", self.world.null_line)

    def far_end(self, scenario: str, **how: Any) -> Sipp:
        """A telephone behind the trunk."""
        return Sipp(self.folder, scenario, self.server, port=self.trunk, **how)

    def play(self, call: str, ledger: Ledger, urls: Sequence[str], context: str, status: str) -> str:
        prompts = [MediaPrompt(media_info=MediaInfo(uri=url, resource_id=context)) for url in urls]
        body = PlayPromptPostRequestBody(prompts=list(prompts), client_context=context)
        made = self.sdk.get(self.sdk.calls.by_call_id(call).play_prompt.post(body))
        check.that(isinstance(made, PlayPromptOperation), f"the SDK made a {type(made).__name__} of the answer")
        return self.took(call, ledger, "playPromptOperation", context, status)

    def subscribe(self, call: str, ledger: Ledger, context: str) -> str:
        body = SubscribeToTonePostRequestBody(client_context=context)
        self.sdk.do(self.sdk.calls.by_call_id(call).subscribe_to_tone.post(body), 200)
        return self.took(call, ledger, "subscribeToToneOperation", context, "completed")

    def cancel(self, call: str, ledger: Ledger, context: str) -> str:
        body = CancelMediaProcessingPostRequestBody(client_context=context)
        self.sdk.do(self.sdk.calls.by_call_id(call).cancel_media_processing.post(body), 200)
        return self.took(call, ledger, "cancelMediaProcessingOperation", context, "completed")

    def took(self, call: str, ledger: Ledger, kind: str, context: str, status: str) -> str:
        """The last answer was an operation, which its Location leads to."""
        operation = body_of(self.sdk.last)
        id = ledger.answered(operation, kind, context, status)
        location = f"{self.server.http}/v1.0/communications/calls/{call}/operations/{id}"
        check.same(self.sdk.last.headers.get("location"), location, "Location")
        return id

    def read(self, call: str, ledger: Ledger, operation: str, status: str) -> None:
        builder = self.sdk.calls.by_call_id(call).operations.by_comms_operation_id(operation)
        self.sdk.do(builder.get(), 200)
        ledger.read(body_of(self.sdk.last), status)

    def hang_up(self, call: str) -> None:
        self.sdk.do(self.sdk.calls.by_call_id(call).delete(), 204)
        check.same(self.sdk.last.text, "", "body of the hang-up's answer")

    # The cases

    def create_get_list_hang_up(self) -> None:
        call, ledger = self.on_null_line()
        states = [notice.state for notice in self.bot.so_far(call)]
        check.same(states[0], "establishing", "the first state told")
        got = self.sdk.get(self.sdk.calls.by_call_id(call).get())
        check.same(got.id, call, "the call's id when read")
        check.same(body_of(self.sdk.last)["state"], "established", "the call's state when read")
        listed = self.sdk.get(self.sdk.calls.get())
        check.that(call in [one.id for one in (listed.value or [])], f"the call is in the list: {self.sdk.last.text}")
        self.hang_up(call)
        check.same(ledger.closed()["code"], 200, "the call's result")
        self.sdk.refused(self.sdk.calls.by_call_id(call).get(), 404, "8522")
        self.sdk.refused(self.sdk.calls.by_call_id(call).keep_alive.post(), 404, "8522")

    def call_a_number(self) -> None:
        with self.far_end("answer_until_bye") as phone:
            call, ledger = self.up("phone", NUMBER)
            self.hang_up(call)
            phone.finish()
        ledger.closed()

    def call_a_sip_address(self) -> None:
        port = free_port()
        user = self.world.phones[1]
        register(self.folder, self.server, user, port)
        with Sipp(self.folder, "answer_and_hang_up", self.server, port=port) as phone:
            host, sip_port = self.server.sip
            call, ledger = self.up("user", f"sip:{user.name}@{host}:{sip_port}")
            phone.finish()
        check.same(ledger.closed()["code"], 200, "the result of a call that the other side ended")

    def answer_an_incoming_call(self) -> None:
        before = len(self.bot.journal)
        caller = self.world.phones[0]
        with Sipp(self.folder, "call", self.server, phone=caller, dials=BOT_NUMBER, holds=5000) as phone:
            notice = self.bot.wait_incoming(before)
            call = str(notice.data["id"])
            check.same(notice.change, "created", "changeType of an incoming call")
            check.same(notice.data["direction"], "incoming", "direction")
            check.that(notice.data.get("source") and notice.data.get("targets"), f"who calls whom: {notice.data}")
            body = AnswerPostRequestBody(
                callback_uri=self.bot.callback,
                accepted_modalities=[Modality.Audio],
                media_config=ServiceHostedMediaConfig(),
            )
            self.sdk.do(self.sdk.calls.by_call_id(call).answer.post(body), 202)
            check.same(self.sdk.last.text, "", "body of the answer's answer")
            check.same(self.sdk.last.headers.get("content-length"), "0", "Content-Length of an empty answer")
            self.bot.wait_ready(call)
            self.sdk.refused(self.sdk.calls.by_call_id(call).answer.post(body), 409)
            phone.finish()
        check.same(Ledger(self.bot, call).closed()["code"], 200, "the result of a call that the caller ended")

    def prompts_queue(self) -> None:
        with self.far_end("answer_until_bye") as phone:
            call, ledger = self.up("phone", NUMBER)
            first = self.play(call, ledger, [self.long], "first", "running")
            second = self.play(call, ledger, [self.short, self.short], "second", "notStarted")
            self.read(call, ledger, first, "running")
            self.read(call, ledger, second, "notStarted")
            listed = self.sdk.get(self.sdk.calls.by_call_id(call).operations.get())
            check.same({one.id for one in listed.value or []}, {first, second}, "operations listed")
            ends = [ledger.told(operation, "completed", 200, 0) for operation in (first, second)]
            check.that(ends[0].at <= ends[1].at, "the first ended first")
            for operation in (first, second):
                self.read(call, ledger, operation, "completed")
            self.hang_up(call)
            phone.finish()
        ledger.closed()
        # Operations of a call that has ended stay readable.
        self.read(call, ledger, first, "completed")

    def beta_loop(self) -> None:
        with self.far_end("answer_until_bye") as phone:
            call, ledger = self.up("phone", NUMBER)
            prompt = {"@odata.type": "#microsoft.graph.mediaPrompt", "mediaInfo": {"uri": self.short}}
            body = {"prompts": [prompt], "loop": True, "clientContext": "for ever"}
            answer = self.graph.ask("POST", f"/beta/communications/calls/{call}/playPrompt", body)
            check.same(answer.status, 200, f"beta playPrompt ({answer.text})")
            operation = ledger.answered(body_of(answer), "playPromptOperation", "for ever", "running")
            wanted = f"{self.server.http}/beta/communications/calls/{call}/operations/{operation}"
            check.same(answer.headers.get("location"), wanted, "Location")
            behind = self.play(call, ledger, [self.short], "never", "notStarted")
            self.cancel(call, ledger, "enough")
            ledger.told(operation, "failed", 400, 8508)
            ledger.told(behind, "failed", 400, 8508)
            self.hang_up(call)
            phone.finish()
        ledger.closed()

    def a_recording_waits_its_turn_and_is_read(self) -> None:
        call, ledger = self.on_null_line()
        playing = {"prompts": [{"mediaInfo": {"uri": self.short}}], "loop": True, "clientContext": "playing"}
        answer = self.graph.ask("POST", f"/beta/communications/calls/{call}/playPrompt", playing)
        before = ledger.answered(body_of(answer), "playPromptOperation", "playing", "running")
        builder = self.sdk.calls.by_call_id(call)
        body = RecordResponsePostRequestBody(
            prompts=[MediaPrompt(media_info=MediaInfo(uri=self.short))],
            client_context="answer",
            max_record_duration_in_seconds=10,
            max_silence_timeout_in_seconds=2,
            play_beep=True,
            stop_tones=["#", "1", "*"],
        )
        made = self.sdk.get(builder.record_response.post(body))
        check.that(isinstance(made, RecordOperation), f"the SDK made a {type(made).__name__} of the answer")
        check.same((made.recording_location, made.recording_access_token), (None, None), "before it has ended")
        waiting = self.took(call, ledger, "recordOperation", "answer", "notStarted")
        # One that may barge in does not wait.
        body.barge_in_allowed, body.client_context = True, "at once"
        self.sdk.get(builder.record_response.post(body))
        recording = self.took(call, ledger, "recordOperation", "at once", "running")
        for operation in (before, waiting):
            ledger.told(operation, "failed", 400, 8508)
        ledger.told(recording, "completed", 200, 8516)
        ended = self.sdk.get(builder.operations.by_comms_operation_id(recording).get())
        check.that(isinstance(ended, RecordOperation), f"the SDK made a {type(ended).__name__} of the operation")
        wav = self.graph.recording(str(ended.recording_location), str(ended.recording_access_token))
        sound, rate = audio.read_wav(io.BytesIO(wav))
        check.same((rate, len(sound)), (16000, 16000), "a test line says a tone of a second")
        body.prompts = []
        self.sdk.refused(builder.record_response.post(body), 400, "8523")
        self.hang_up(call)
        ledger.closed()

    def client_context_has_a_limit(self) -> None:
        call, ledger = self.on_null_line()
        builder = self.sdk.calls.by_call_id(call)
        prompt = MediaPrompt(media_info=MediaInfo(uri=self.short))
        for text in ("a" * 255, "a" * 256, "\N{TELEPHONE RECEIVER}" * 128):
            self.subscribe(call, ledger, text)
            self.cancel(call, ledger, text)
            ledger.told(self.play(call, ledger, [self.short], text, "running"), "completed", 200, 0)
        before = self.operations(call)
        for text in ("a" * 257, "\N{TELEPHONE RECEIVER}" * 129):
            self.sdk.refused(builder.subscribe_to_tone.post(SubscribeToTonePostRequestBody(client_context=text)), 400)
            cancel = CancelMediaProcessingPostRequestBody(client_context=text)
            self.sdk.refused(builder.cancel_media_processing.post(cancel), 400)
            play = PlayPromptPostRequestBody(prompts=[prompt], client_context=text)
            self.sdk.refused(builder.play_prompt.post(play), 400)
        check.same(self.operations(call), before, "operations after refusals")
        self.hang_up(call)
        ledger.closed()

    def operations(self, call: str) -> set[str]:
        listed = self.sdk.get(self.sdk.calls.by_call_id(call).operations.get())
        return {str(one.id) for one in listed.value or []}

    def prompts_have_limits(self) -> None:
        call, ledger = self.on_null_line()
        twenty = self.play(call, ledger, [self.short] * 20, "twenty", "running")
        ledger.told(twenty, "completed", 200, 0)
        prompts = [MediaPrompt(media_info=MediaInfo(uri=self.short))] * 21
        builder = self.sdk.calls.by_call_id(call).play_prompt
        self.sdk.refused(builder.post(PlayPromptPostRequestBody(prompts=list(prompts))), 400)
        self.sdk.refused(builder.post(PlayPromptPostRequestBody(prompts=[])), 400)
        self.hang_up(call)
        ledger.closed()

    def bad_prompts_fail_their_operation(self) -> None:
        not_wav = self.bot.prompt("not", b"this is not a WAV file, whatever its name says")
        with self.far_end("answer_until_bye") as phone:
            call, ledger = self.up("phone", NUMBER)
            bad = self.play(call, ledger, [not_wav], "not a WAV", "running")
            ledger.told(bad, "failed", 400, 8535)
            gone = self.play(call, ledger, [self.bot.url("prompts/gone.wav")], "not there", "running")
            ledger.told(gone, "failed", 400, 8536)
            self.hang_up(call)
            phone.finish()
        ledger.closed()

    def a_prompt_is_fetched_once(self) -> None:
        fresh = self.bot.prompt("once", audio.wav_bytes(audio.draw_tones(random.Random(), 0.3)))
        with self.far_end("answer_until_bye") as phone:
            call, ledger = self.up("phone", NUMBER)
            ledger.told(self.play(call, ledger, [fresh], "once", "running"), "completed", 200, 0)
            self.hang_up(call)
            phone.finish()
        ledger.closed()
        check.same([path for path in self.bot.fetched if "/once." in path], ["GET /prompts/once.wav"], "fetches")

    def operations_are_read_only(self) -> None:
        call, ledger = self.on_null_line()
        operation = self.subscribe(call, ledger, "read-only")
        path = f"/v1.0/communications/calls/{call}/operations/{operation}"
        for method in ("PATCH", "POST", "DELETE"):
            check.same(self.graph.ask(method, path, {}).status, 405, f"{method} on an operation")
        check.same(self.graph.ask("PATCH", f"/v1.0/communications/calls/{call}", {}).status, 405, "PATCH on a call")
        self.hang_up(call)
        ledger.closed()

    def notifications_are_signed(self) -> None:
        call, ledger = self.on_null_line()
        notice = self.bot.wait_ready(call)
        scheme, _, token = notice.headers["authorization"].partition(" ")
        check.same(scheme, "Bearer", "scheme")
        document = self.graph.send("GET", "/v1/.well-known/OpenIdConfiguration").json
        keys = self.graph.send("GET", document["jwks_uri"].removeprefix(self.server.http)).json
        key = next(key for key in keys["keys"] if key["kid"] == jwt.get_unverified_header(token)["kid"])
        public = jwt.PyJWK.from_dict(key | {"alg": "RS256"}).key
        needs: Any = {"require": ["exp", "nbf"]}
        claims = jwt.decode(token, public, algorithms=["RS256"], audience=self.world.app, options=needs)
        issuers = ("https://api.botframework.com", "https://graph.microsoft.com")
        check.that(claims["iss"] in issuers, f"iss is {claims['iss']}")
        check.same(claims["tid"], self.world.tenant, "tid")
        check.same(claims["http://schemas.microsoft.com/identity/claims/tenantid"], self.world.tenant, "long tid")
        check.same(notice.envelope["@odata.type"], "#microsoft.graph.commsNotifications", "the envelope's type")
        check.same(notice.body["resource"], f"/app/calls/{call}", "resource")
        check.same(notice.body["resourceUrl"], f"/communications/calls/{call}", "resourceUrl")
        self.hang_up(call)
        ledger.closed()

    def unreachable_targets_are_told(self) -> None:
        with self.far_end("busy") as phone:
            call = self.create("phone", NUMBER)
            phone.finish()
        check.same(Ledger(self.bot, call).closed()["code"], 486, "the result of a call to a busy phone")
        # A user whose phone is not registered.
        absent = self.create("user", self.world.phones[0].id)
        check.same(Ledger(self.bot, absent).closed()["code"], 480, "the result of a call to an absent phone")
        self.sdk.refused(self.sdk.calls.post(self.call_to("user", "nobody")), 400)

    def give_up_before_the_answer(self) -> None:
        with self.far_end("ring_until_cancel") as phone:
            call = self.create("phone", NUMBER)
            self.bot.wait("call is on its way", lambda n: n.resource == call and n.state in ("establishing", "ringing"))
            self.hang_up(call)
            phone.finish()
        Ledger(self.bot, call).closed()

    def all_is_in_order_at_the_end(self) -> None:
        """No call is left; each was told its end last, and each of its operations once; all was well formed."""
        listed = self.sdk.get(self.sdk.calls.get())
        check.same([one.id for one in listed.value or []], [], "calls left")
        last: dict[str, Notice] = {}
        ended: list[str] = []
        for notice in self.bot.journal:
            check.same(notice.body["@odata.type"], "#microsoft.graph.commsNotification", f"type in {notice.body}")
            check.that(notice.change in ("created", "updated", "deleted"), f"changeType in {notice.body}")
            last[notice.resource.split("/")[0]] = notice
            if "/operations/" in notice.resource:
                ended.append(notice.resource)
        check.same([notice.body for notice in last.values() if notice.state != "terminated"], [], "told after the end")
        check.same(len(set(ended)), len(ended), "notices of different operations")


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    suite = Suite(program, folder, stack)
    run = [
        suite.create_get_list_hang_up,
        suite.call_a_number,
        suite.call_a_sip_address,
        suite.answer_an_incoming_call,
        suite.prompts_queue,
        suite.beta_loop,
        suite.a_recording_waits_its_turn_and_is_read,
        suite.client_context_has_a_limit,
        suite.prompts_have_limits,
        suite.bad_prompts_fail_their_operation,
        suite.a_prompt_is_fetched_once,
        suite.operations_are_read_only,
        suite.notifications_are_signed,
        suite.unreachable_targets_are_told,
        suite.give_up_before_the_answer,
        suite.all_is_in_order_at_the_end,
    ]
    return part.named(run)


if __name__ == "__main__":
    part.main(cases)
