"""A bot on msgraph-sdk and azure-identity, both as they come: calls, and prints the call's id."""

import asyncio

from azure.identity import ClientSecretCredential
from msgraph.generated.models.call import Call
from msgraph.generated.models.identity import Identity
from msgraph.generated.models.identity_set import IdentitySet
from msgraph.generated.models.invitation_participant_info import InvitationParticipantInfo
from msgraph.generated.models.modality import Modality
from msgraph.generated.models.service_hosted_media_config import ServiceHostedMediaConfig
from msgraph.graph_service_client import GraphServiceClient
from setting import APP, CALL, SECRET, TENANT


async def call() -> str:
    client = GraphServiceClient(ClientSecretCredential(TENANT, APP, SECRET))
    user = CALL["targets"][0]["identity"]["user"]["id"]
    made = await client.communications.calls.post(
        Call(
            callback_uri=CALL["callbackUri"],
            targets=[InvitationParticipantInfo(identity=IdentitySet(user=Identity(id=user)))],
            requested_modalities=[Modality.Audio],
            media_config=ServiceHostedMediaConfig(),
            tenant_id=TENANT,
        )
    )
    return str(made and made.id)


print(asyncio.run(call()))
