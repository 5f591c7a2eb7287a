"""The facts S1 to S10 of a `commsOperation`, as checks: the same resource as an answer, by id, and in the journal."""

from __future__ import annotations

from typing import Any

from kit import check
from kit.bot import Bot, Notice

Json = dict[str, Any]

OPEN = {"notStarted", "running"}
ENDED = {"completed", "failed"}


def well_formed(operation: Json, kind: str, context: str | None) -> None:
    """S5 to S8 and S10: the members, and `resultInfo` null until it has ended and present from then on."""
    check.same(operation.get("@odata.type"), f"#microsoft.graph.{kind}", "the operation's type")
    check.that(operation.get("id"), f"the operation has no id: {operation}")
    check.same(operation.get("clientContext"), context, "clientContext")
    status = operation.get("status")
    check.that(status in OPEN | ENDED, f"status is {status!r}")
    check.that("resultInfo" in operation, f"resultInfo is missing: {operation}")
    result = operation["resultInfo"]
    if status in OPEN:
        check.same(result, None, f"resultInfo of an operation that is {status}")
        return
    check.same(result.get("@odata.type"), "#microsoft.graph.resultInfo", "resultInfo's type")
    check.that(type(result.get("code")) is int and type(result.get("subcode")) is int, f"numbers in {result}")
    check.that(result.get("message"), f"a message in {result}")
    check.same(result["code"] == 200, status == "completed", f"code {result['code']} of an operation that is {status}")


def same(one: Json, other: Json) -> None:
    """S2: two views of one operation."""
    for member in ("id", "clientContext", "@odata.type"):
        check.same(other.get(member), one.get(member), f"{member} of the same operation")


class Ledger:
    """What actions were answered on one call; compared with the journal when the call has ended."""

    def __init__(self, bot: Bot, call: str) -> None:
        self._bot = bot
        self._call = call
        self._answered: dict[str, Json] = {}

    def answered(self, operation: Json, kind: str, context: str | None, status: str) -> str:
        """An action was answered with this operation; gives its id."""
        well_formed(operation, kind, context)
        check.same(operation["status"], status, "status in the answer")
        self._answered[operation["id"]] = operation
        return str(operation["id"])

    def read(self, operation: Json, status: str) -> None:
        """It was read by its id and must have this status."""
        wanted = self._answered[operation["id"]]
        same(wanted, operation)
        well_formed(operation, wanted["@odata.type"].removeprefix("#microsoft.graph."), wanted["clientContext"])
        check.same(operation["status"], status, "status when read")

    def told(self, operation: str, status: str, code: int, subcode: int) -> Notice:
        """Its end is in the journal, with this outcome."""
        notice = self._bot.wait_operation(self._call, operation)
        check.same(notice.change, "deleted", "changeType of an operation's end")
        same(self._answered[operation], notice.data)
        well_formed(
            notice.data, notice.data["@odata.type"].removeprefix("#microsoft.graph."), notice.data["clientContext"]
        )
        check.same(notice.data["status"], status, f"how it ended ({notice.data.get('resultInfo')})")
        result = notice.data["resultInfo"]
        check.same((result["code"], result["subcode"]), (code, subcode), "its result")
        return notice

    def closed(self) -> Json:
        """S3 and S4, when the call has ended: one terminal notice for what was answered open, none for the rest.

        Gives the call's result.
        """
        end = self._bot.wait_state(self._call, "terminated")
        check.same(end.change, "deleted", "changeType of the call's end")
        told = self._bot.so_far(self._call)
        check.that(told[-1] is end, f"the bot was told something after the call's end: {told[-1].body}")
        for id, operation in self._answered.items():
            times = sum(notice.resource == f"{self._call}/operations/{id}" for notice in told)
            wanted = 1 if operation["status"] in OPEN else 0
            check.same(times, wanted, f"notices of an operation that was answered {operation['status']}")
        messages = [notice.headers.get("x-microsoft-skype-message-id") for notice in told]
        check.that(all(messages), "every message has an id")
        check.same(len(set(messages)), len(messages), "different message ids")
        result = end.data["resultInfo"]
        check.that(
            isinstance(result, dict) and type(result.get("code")) is int, f"the call's end has no result: {end.data}"
        )
        return dict(result)
