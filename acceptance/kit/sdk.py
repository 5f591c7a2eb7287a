"""msgraph-sdk as it comes from PyPI, pointed at the server. What went over the wire is kept beside what it made of that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

import httpx
from kiota_abstractions.authentication import (
    AccessTokenProvider,
    AllowedHostsValidator,
    BaseBearerTokenAuthenticationProvider,
)
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.graph_request_adapter import GraphRequestAdapter, options
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory

from kit import check
from kit.graph import Answer, Graph
from kit.server import Server

T = TypeVar("T")


class Tokens(AccessTokenProvider):
    """A token from the server's own endpoint; azure-identity would refuse one that is not served over TLS."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    async def get_authorization_token(
        self, uri: str, additional_authentication_context: dict[str, Any] | None = None
    ) -> str:
        return self._graph.token

    def get_allowed_hosts_validator(self) -> AllowedHostsValidator:
        return AllowedHostsValidator([])


class Sdk:
    """The SDK's client, and the last answer it was given."""

    def __init__(self, server: Server, graph: Graph) -> None:
        self._loop = asyncio.new_event_loop()
        http_client = GraphClientFactory.create_with_default_middleware(options=options)
        http_client.event_hooks["response"].append(self._keep)
        adapter = GraphRequestAdapter(BaseBearerTokenAuthenticationProvider(Tokens(graph)), client=http_client)
        adapter.base_url = f"{server.http}/v1.0"
        self.client = GraphServiceClient(request_adapter=adapter)
        self.calls = self.client.communications.calls
        self.last = Answer(0, {}, "")
        """The last answer as it came over the wire."""

    async def _keep(self, response: httpx.Response) -> None:
        await response.aread()
        self.last = Answer(response.status_code, dict(response.headers), response.text)

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def do(self, request: Coroutine[Any, Any, object], status: int) -> object:
        """Sends a request, which must be answered with exactly this status."""
        result = self._loop.run_until_complete(asyncio.wait_for(request, check.PATIENCE))
        check.same(self.last.status, status, f"status ({self.last.text})")
        return result

    def get(self, request: Coroutine[Any, Any, T | None], status: int = 200) -> T:
        """Sends a request, of whose answer the SDK must make an object."""
        result = self._loop.run_until_complete(asyncio.wait_for(request, check.PATIENCE))
        check.same(self.last.status, status, f"status ({self.last.text})")
        if result is None:
            raise check.Failed(f"the SDK made nothing of {self.last.text!r}")
        return result

    def refused(self, request: Coroutine[Any, Any, Any], status: int, code: str | None = None) -> None:
        """Sends a request, which must be refused with this status and, if given, this code."""
        try:
            self._loop.run_until_complete(asyncio.wait_for(request, check.PATIENCE))
        except ODataError as error:
            check.same(error.response_status_code, status, f"status of the refusal ({self.last.text})")
            if error.error is None or not error.error.message:
                raise check.Failed(f"wanted a refusal in words, found {self.last.text!r}") from error
            if code is not None:
                check.same(error.error.code, code, "code of the refusal")
        else:
            raise check.Failed(f"wanted a refusal with {status}, found {self.last.status} {self.last.text}")


def body_of(answer: Answer) -> dict[str, Any]:
    """An answer's JSON object."""
    value = json.loads(answer.text)
    check.that(isinstance(value, dict), f"wanted a JSON object, found {answer.text!r}")
    return dict(value)
