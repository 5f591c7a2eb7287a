"""msgraph-sdk and msgraph-beta-sdk, which one generator made, driven by verbs; their token comes from azure-identity.

A body goes through the SDK's own classes on its way out, and what comes in must be found again in what the SDK made
of it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import urllib.parse
from collections.abc import Callable
from typing import Any

import httpx
from azure.identity import ClientSecretCredential
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.serialization import Parsable
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from kiota_serialization_json.json_parse_node_factory import JsonParseNodeFactory
from kiota_serialization_json.json_serialization_writer import JsonSerializationWriter
from msgraph_core import GraphClientFactory
from msgraph_core.tasks.page_iterator import PageIterator

from kit import check
from kit.graph import SCOPE
from kit.library import Json, Refusal, Reply
from kit.processes import Ends
from kit.server import Server

Step = Callable[[Any, str], Any]
"""From the builder of a call to the builder of what a verb wants, given the member's id."""

ON_CALL: dict[str, tuple[str, Step]] = {
    "getCall": ("get", lambda call, _: call),
    "updateCall": ("patch", lambda call, _: call),
    "hangUp": ("delete", lambda call, _: call),
    "listOperations": ("get", lambda call, _: call.operations),
    "getOperation": ("get", lambda call, member: call.operations.by_comms_operation_id(member)),
    "deleteOperation": ("delete", lambda call, member: call.operations.by_comms_operation_id(member)),
    "listParticipants": ("get", lambda call, _: call.participants),
    "getParticipant": ("get", lambda call, member: call.participants.by_participant_id(member)),
    "deleteParticipant": ("delete", lambda call, member: call.participants.by_participant_id(member)),
    "invite": ("post", lambda call, _: call.participants.invite),
    "muteParticipant": ("post", lambda call, member: call.participants.by_participant_id(member).mute),
    "startHoldMusic": ("post", lambda call, member: call.participants.by_participant_id(member).start_hold_music),
    "stopHoldMusic": ("post", lambda call, member: call.participants.by_participant_id(member).stop_hold_music),
    "listAudioRoutingGroups": ("get", lambda call, _: call.audio_routing_groups),
    "createAudioRoutingGroup": ("post", lambda call, _: call.audio_routing_groups),
    "listContentSharingSessions": ("get", lambda call, _: call.content_sharing_sessions),
}
"""Verbs that are not simply an action on a call, and the method that the builder has for them."""

MODELS = {"createCall": "call", "updateCall": "call", "createAudioRoutingGroup": "audio_routing_group"}
"""Verbs whose body is a resource; the others' bodies are classes named after the action."""


class Kiota(Ends):
    """One of the two SDKs, as a program uses it: credential, base URL, builders."""

    def __init__(self, package: str, name: str, version: str, server: Server) -> None:
        """`package` is the one that the program imports: `msgraph` or `msgraph_beta`."""
        self.name = name
        self.version = version
        self._package = package
        self._loop = asyncio.new_event_loop()
        world = server.world
        self._credential = ClientSecretCredential(
            world.tenant, world.app, world.secret, authority=server.https, disable_instance_discovery=True
        )
        host = str(urllib.parse.urlsplit(server.https).hostname)
        provider = AzureIdentityAuthenticationProvider(self._credential, scopes=[SCOPE], allowed_hosts=[host])
        made = importlib.import_module(f"{package}.graph_request_adapter")
        http_client = GraphClientFactory.create_with_default_middleware(options=made.options)
        http_client.event_hooks["response"].append(self._keep)
        adapter = made.GraphRequestAdapter(provider, client=http_client)
        adapter.base_url = f"{server.https}/{version}"
        client = importlib.import_module(f"{package}.graph_service_client").GraphServiceClient(request_adapter=adapter)
        self._adapter = adapter
        self._calls = client.communications.calls
        self._error = self._class("models.o_data_errors.o_data_error", "ODataError")
        self._answer = ""

    def close(self, failed: bool) -> None:
        self._credential.close()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _keep(self, response: httpx.Response) -> None:
        await response.aread()
        self._answer = response.text

    def _class(self, module: str, name: str) -> Any:
        return getattr(importlib.import_module(f"{self._package}.generated.{module}"), name)

    def _builder(self, verb: str, call: str, member: str) -> tuple[str, Any]:
        if verb == "createCall":
            return "post", self._calls
        if verb == "listCalls":
            return "get", self._calls
        if verb == "logTeleconferenceDeviceQuality":
            return "post", self._calls.log_teleconference_device_quality
        method, step = ON_CALL.get(verb, ("post", lambda builder, _: getattr(builder, snake(verb))))
        return method, step(self._calls.by_call_id(call), member)

    def offers(self, verb: str) -> bool:
        if verb == "pageOperations":
            return True
        try:
            method, builder = self._builder(verb, "call", "member")
        except AttributeError:
            return False
        return hasattr(builder, method)

    def ask(self, verb: str, call: str = "", member: str = "", body: Json | None = None) -> Reply:
        if verb == "pageOperations":
            return Reply(self._loop.run_until_complete(asyncio.wait_for(self._page(call), check.PATIENCE)))
        method, builder = self._builder(verb, call, member)
        arguments = [] if body is None else [self._model(verb, builder, body)]
        request = getattr(builder, method)(*arguments)
        try:
            made = self._loop.run_until_complete(asyncio.wait_for(request, check.PATIENCE))
        except self._error as error:
            check.that(error.error, f"{self.name} found no error in {self._answer!r}")
            return Reply(refusal=Refusal(error.response_status_code, error.error.code, error.error.message))
        if made is None:
            check.same(self._answer, "", f"what {self.name} made nothing of")
            return Reply()
        answered = json.loads(self._answer)
        check.same(trimmed(self._written(made)), trimmed(answered), f"what {self.name} made of the answer to {verb}")
        return Reply(answered)

    async def _page(self, call: str) -> list[str]:
        """The ids of the call's operations, in pages of one."""
        operations = self._calls.by_call_id(call).operations
        one_a_page = operations.OperationsRequestBuilderGetQueryParameters(top=1)
        first = await operations.get(RequestConfiguration(query_parameters=one_a_page))
        ids: list[str] = []

        def take(operation: Any) -> bool:
            ids.append(operation.id)
            return True

        await PageIterator(first, self._adapter).iterate(take)
        return ids

    def _model(self, verb: str, builder: Any, body: Json) -> Parsable:
        """The body as an object of the SDK's own class."""
        if verb in MODELS:
            name = MODELS[verb]
            kind = self._class(f"models.{name}", pascal(name))
        else:
            # The class is beside the builder: `….play_prompt.play_prompt_request_builder` and `…_post_request_body`.
            module = type(builder).__module__.replace("_request_builder", "_post_request_body")
            kind = getattr(importlib.import_module(module), pascal(module.rpartition(".")[2]))
        node = JsonParseNodeFactory().get_root_parse_node("application/json", json.dumps(body).encode())
        model: Parsable = node.get_object_value(kind)
        check.that(model, f"{self.name} made nothing of {body}")
        return model

    def _written(self, made: Parsable) -> Json:
        """What the SDK would write of it."""
        writer = JsonSerializationWriter()
        writer.write_object_value(None, made)
        return dict(json.loads(writer.get_serialized_content()))


def trimmed(value: Any) -> Any:
    """Without members that are null, which an SDK does not write, and with a status in the case of the documentation.

    The SDKs have an operation's states as `Running`, as the metadata has them, and read them in either case.
    """
    match value:
        case dict():
            kept = {key: trimmed(inner) for key, inner in value.items() if inner is not None}
            if isinstance(status := kept.get("status"), str):
                kept["status"] = status[:1].lower() + status[1:]
            return kept
        case list():
            return [trimmed(inner) for inner in value]
    return value


def snake(name: str) -> str:
    """`play_prompt` of `playPrompt`."""
    return re.sub("([A-Z])", lambda found: f"_{found[1].lower()}", name)


def pascal(name: str) -> str:
    """`PlayPrompt` of `play_prompt`."""
    return "".join(word.capitalize() for word in name.split("_"))
