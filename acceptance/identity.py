"""azure-identity and msal get tokens over https, with the documented trust variables and nothing patched; msgraph-sdk
uses them, pointed here by its base URL, and in the end not pointed here at all.
"""

from __future__ import annotations

import asyncio
import os
import urllib.parse
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import azure.identity.aio
import jwt
import msal
import requests
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import ClientSecretCredential
from msgraph.generated.models.call import Call
from msgraph.generated.models.identity import Identity
from msgraph.generated.models.identity_set import IdentitySet
from msgraph.generated.models.invitation_participant_info import InvitationParticipantInfo
from msgraph.generated.models.modality import Modality
from msgraph.generated.models.service_hosted_media_config import ServiceHostedMediaConfig
from msgraph.graph_service_client import GraphServiceClient

from kit import check, part
from kit.bot import Bot, Notice
from kit.graph import SCOPE
from kit.server import TENANT_NAME, Server, World
from kit.tunnel import leading_to

T = TypeVar("T")

OPENID = "https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration"
"""Where a strict bot reads how to verify notifications; built into Microsoft's samples."""


class Identities:
    """One server, whose authority this process trusts as OPERATING says."""

    def __init__(self, program: Path, folder: Path, stack: ExitStack) -> None:
        self.bot = stack.enter_context(Bot())
        self.world = World(self.bot.callback)
        self.server = stack.enter_context(Server(program, folder, self.world))
        self._loop = stack.enter_context(asyncio.Runner())
        trust(self.server.ca)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run(asyncio.wait_for(work, check.PATIENCE))

    def credential(self, **changed: Any) -> ClientSecretCredential:
        """azure-identity, given what its documentation asks for with an authority of one's own."""
        how: dict[str, Any] = {
            "tenant_id": self.world.tenant,
            "client_id": self.world.app,
            "client_secret": self.world.secret,
            "authority": self.server.https,
            "disable_instance_discovery": True,
        }
        return ClientSecretCredential(**(how | changed))

    def application(self, **changed: Any) -> msal.ConfidentialClientApplication:
        how: dict[str, Any] = {
            "client_id": self.world.app,
            "client_credential": self.world.secret,
            "authority": f"{self.server.https}/{self.world.tenant}",
            "instance_discovery": False,
        }
        return msal.ConfidentialClientApplication(**(how | changed))

    def is_ours(self, token: str) -> None:
        """A token for this app and tenant, issued by the authority that was asked."""
        claims = jwt.decode(token, options={"verify_signature": False})
        check.same(claims["aud"], "https://graph.microsoft.com", "aud")
        check.same(claims["appid"], self.world.app, "appid")
        check.same(claims["tid"], self.world.tenant, "tid")
        check.that("Calls.Initiate.All" in claims["roles"], f"the token has no role for calls: {claims['roles']}")

    def call(self) -> Call:
        return Call(
            callback_uri=self.bot.callback,
            targets=[InvitationParticipantInfo(identity=IdentitySet(user=Identity(id=self.world.null_line)))],
            requested_modalities=[Modality.Audio],
            media_config=ServiceHostedMediaConfig(),
            tenant_id=self.world.tenant,
        )

    # The cases

    def azure_identity_gets_a_token(self) -> None:
        for tenant in (self.world.tenant, TENANT_NAME):
            self.is_ours(self.credential(tenant_id=tenant).get_token(SCOPE).token)

    def azure_identity_gets_a_token_without_blocking(self) -> None:
        async def get() -> str:
            credential = azure.identity.aio.ClientSecretCredential(
                self.world.tenant,
                self.world.app,
                self.world.secret,
                authority=self.server.https,
                disable_instance_discovery=True,
            )
            async with credential:
                return str((await credential.get_token(SCOPE)).token)

        self.is_ours(self.run(get()))

    def msal_gets_a_token_once(self) -> None:
        discovery = f"{self.server.https}/common/discovery/instance"
        for how in ({}, {"instance_discovery": discovery}, {"authority": f"{self.server.https}/{TENANT_NAME}"}):
            application = self.application(**how)
            first = application.acquire_token_for_client([SCOPE])
            check.that("access_token" in first, f"no token for {how}: {first}")
            self.is_ours(first["access_token"])
            second = application.acquire_token_for_client([SCOPE])
            check.same(second["token_source"], "cache", "where the second token is from")

    def msal_takes_it_as_an_openid_provider(self) -> None:
        authority = f"{self.server.https}/{self.world.tenant}/v2.0"
        application = self.application(authority=None, oidc_authority=authority)
        self.is_ours(application.acquire_token_for_client([SCOPE])["access_token"])

    def the_older_endpoint_gives_a_token(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.world.app,
            "client_secret": self.world.secret,
            "resource": "https://graph.microsoft.com/",
        }
        answer = requests.post(
            f"{self.server.https}/{self.world.tenant}/oauth2/token", form, timeout=check.PATIENCE
        ).json()
        self.is_ours(answer["access_token"])
        check.same(answer["expires_in"], "3600", "expires_in, which is a text here")

    def a_wrong_secret_is_said_in_azures_words(self) -> None:
        message = refusal(self.credential(client_secret="not this one"))
        check.that("AADSTS7000215" in message, f"azure-identity says {message!r}")
        found = self.application(client_credential="not this one").acquire_token_for_client([SCOPE])
        check.same((found.get("error"), found.get("error_codes")), ("invalid_client", [7000215]), "what msal says")

    def a_wrong_tenant_is_said(self) -> None:
        message = refusal(self.credential(tenant_id="nobody.example"))
        check.that("nobody.example" in message and "tenant" in message, f"azure-identity says {message!r}")
        try:
            self.application(authority=f"{self.server.https}/nobody.example")
        except ValueError as error:
            check.that("double check your tenant" in str(error), f"msal says {error}")
        else:
            raise check.Failed("msal took a tenant that is not there")

    def who_does_not_trust_the_authority_gets_no_token(self) -> None:
        trust(None)
        try:
            self.credential(retry_total=0).get_token(SCOPE)
        except (ServiceRequestError, ClientAuthenticationError) as error:
            check.that("certificate verify failed" in str(error).lower(), f"azure-identity says {error}")
        else:
            raise check.Failed("a token came from a server whose certificate is not trusted")
        finally:
            trust(self.server.ca)

    def msgraph_sdk_calls_over_https(self) -> None:
        client = GraphServiceClient(self.credential(), [SCOPE])
        client.request_adapter.base_url = f"{self.server.https}/v1.0"

        async def call() -> Call | None:
            made = await client.communications.calls.post(self.call())
            check.that(made is not None and made.id, "no call was made")
            assert made is not None and made.id is not None
            found = await client.communications.calls.by_call_id(made.id).get()
            await client.communications.calls.by_call_id(made.id).delete()
            return found

        found = self.run(call())
        check.same(found and found.callback_uri, self.bot.callback, "callbackUri of the call that was read")

    def a_bot_that_knows_only_microsoft_finds_it_here(self) -> None:
        port = urllib.parse.urlsplit(self.server.https).port
        check.that(port, "https has a port")
        with leading_to(int(port or 0)) as asked:
            credential = ClientSecretCredential(self.world.tenant, self.world.app, self.world.secret)
            client = GraphServiceClient(credential)

            async def call() -> str:
                made = await client.communications.calls.post(self.call())
                check.that(made is not None and made.id, "no call was made")
                return str(made and made.id)

            id = self.run(call())
            self.verify(self.bot.wait_ready(id))

            async def hang_up() -> None:
                await client.communications.calls.by_call_id(id).delete()

            self.run(hang_up())
        check.same(
            set(asked),
            {"login.microsoftonline.com:443", "graph.microsoft.com:443", "api.aps.skype.com:443"},
            "whom the bot asked",
        )

    def verify(self, notice: Notice) -> None:
        """As a strict bot does it: keys from the fixed place, issuer, audience, lifetime, the tenant's claim."""
        document = requests.get(OPENID, timeout=check.PATIENCE).json()
        token = notice.headers["authorization"].removeprefix("Bearer ")
        key = jwt.PyJWKClient(document["jwks_uri"]).get_signing_key_from_jwt(token)
        claims = jwt.decode(token, key, algorithms=["RS256"], audience=self.world.app, issuer=document["issuer"])
        check.same(claims["http://schemas.microsoft.com/identity/claims/tenantid"], self.world.tenant, "tenant claim")


def trust(authority: Path | None) -> None:
    """Sets the variables by which requests, httpx and OpenSSL are told whom to trust."""
    for variable in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        if authority is None:
            os.environ.pop(variable, None)
        else:
            os.environ[variable] = str(authority)


def refusal(credential: ClientSecretCredential) -> str:
    """What azure-identity says when it gets no token."""
    try:
        credential.get_token(SCOPE)
    except ClientAuthenticationError as error:
        return str(error)
    raise check.Failed("a token was given")


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    suite = Identities(program, folder, stack)
    return part.named(
        [
            suite.azure_identity_gets_a_token,
            suite.azure_identity_gets_a_token_without_blocking,
            suite.msal_gets_a_token_once,
            suite.msal_takes_it_as_an_openid_provider,
            suite.the_older_endpoint_gives_a_token,
            suite.a_wrong_secret_is_said_in_azures_words,
            suite.a_wrong_tenant_is_said,
            suite.who_does_not_trust_the_authority_gets_no_token,
            suite.msgraph_sdk_calls_over_https,
            suite.a_bot_that_knows_only_microsoft_finds_it_here,
        ]
    )


if __name__ == "__main__":
    part.main(cases)
