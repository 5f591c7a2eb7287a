"""What bots touch next to calls, through msgraph-sdk: the organization, users, an online meeting by its URL, a chat's messages."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import quote

from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.chats.item.messages.messages_request_builder import MessagesRequestBuilder
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.chat_message import ChatMessage
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.users.item.online_meetings.online_meetings_request_builder import OnlineMeetingsRequestBuilder
from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder
from msgraph.generated.users.users_request_builder import UsersRequestBuilder

from kit import check, part
from kit.bot import Bot
from kit.graph import Graph
from kit.sdk import Sdk
from kit.server import TENANT_NAME, Server, World

THREAD = "19:meeting_YWNjZXB0YW5jZQ@thread.v2"


def cases(program: Path, folder: Path, stack: ExitStack) -> Sequence[part.Case]:
    bot = stack.enter_context(Bot())
    server = stack.enter_context(Server(program, folder, World(bot.callback, open_to_any=True)))
    sdk = stack.enter_context(closing(Sdk(server, Graph(server))))
    world = server.world
    ada = world.phones[0]

    def organization() -> None:
        found = sdk.get(sdk.client.organization.get()).value or []
        check.same([one.id for one in found], [world.tenant], "the organization")
        check.same(found[0].display_name, TENANT_NAME, "its name")
        domains = found[0].verified_domains or []
        check.same([domain.name for domain in domains], [TENANT_NAME], "its domains")

    def users() -> None:
        principal = f"{ada.name}@{TENANT_NAME}"
        for key in (ada.id, principal):
            user = sdk.get(sdk.client.users.by_user_id(key).get())
            check.same((user.id, user.user_principal_name), (ada.id, principal), f"the user {key}")
        selecting = UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(select=["displayName"])
        part_of = sdk.get(sdk.client.users.by_user_id(ada.id).get(RequestConfiguration(query_parameters=selecting)))
        check.same((part_of.id, part_of.display_name), (None, f"Phone {ada.name}"), "a part of a user")
        query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters
        for wanted, parameters in (
            (["1001"], query(filter=f"userPrincipalName eq '{principal}'")),
            (["1001", "1002"], query(filter="startswith(displayName,'Phone')", top=1)),
        ):
            names: list[str] = []
            page = sdk.get(sdk.client.users.get(RequestConfiguration(query_parameters=parameters)))
            while True:
                names += [str(user.display_name).removeprefix("Phone ") for user in page.value or []]
                if not page.odata_next_link:
                    break
                page = sdk.get(sdk.client.users.with_url(page.odata_next_link).get())
            check.same(sorted(names), wanted, f"users by {parameters.filter}")
        sdk.refused(sdk.client.users.by_user_id("nobody").get(), 404, "Request_ResourceNotFound")

    def online_meeting() -> None:
        url = f"https://teams.microsoft.com/l/meetup-join/{quote(THREAD, safe='')}/0"
        query = OnlineMeetingsRequestBuilder.OnlineMeetingsRequestBuilderGetQueryParameters
        request = RequestConfiguration(query_parameters=query(filter=f"JoinWebUrl eq '{url}'"))
        meetings = sdk.get(sdk.client.users.by_user_id(ada.id).online_meetings.get(request)).value or []
        check.same(len(meetings), 1, "meetings of this URL")
        chat, organizer = meetings[0].chat_info, meetings[0].participants
        check.same(chat and chat.thread_id, THREAD, "its thread")
        check.same(meetings[0].join_web_url, url, "its URL")
        identity = organizer and organizer.organizer and organizer.organizer.identity
        check.same(identity and identity.user and identity.user.id, ada.id, "its organizer")

    def chat_message() -> None:
        messages = sdk.client.chats.by_chat_id(THREAD).messages
        said = ["<b>the call</b> begins", "it ends"]
        for text in said:
            body = ChatMessage(body=ItemBody(content=text, content_type=BodyType.Html))
            posted = sdk.get(messages.post(body), 201)
            check.same(posted.body and posted.body.content, text, "what was posted")
            sender = posted.from_ and posted.from_.application
            check.same(sender and sender.id, world.app, "who posted it")
        query = MessagesRequestBuilder.MessagesRequestBuilderGetQueryParameters(top=1)
        page = sdk.get(messages.get(RequestConfiguration(query_parameters=query)))
        check.same([one.body and one.body.content for one in page.value or []], said[:0:-1], "the last message")
        rest = sdk.get(messages.with_url(str(page.odata_next_link)).get())
        check.same([one.body and one.body.content for one in rest.value or []], said[:1], "the one before")

    def what_is_not_served() -> None:
        sdk.refused(sdk.client.users.by_user_id(ada.id).events.get(), 501, "notSupported")

    return part.named([organization, users, online_meeting, chat_message, what_is_not_served])


if __name__ == "__main__":
    part.main(cases)
