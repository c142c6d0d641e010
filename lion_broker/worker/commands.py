"""Operations that a session asks of a branch by command mail, each answered by a reply."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic_core import to_json

from lion_broker.branch.branch import Branch
from lion_broker.branch.editing import apply_edit
from lion_broker.branch.host import Host
from lion_broker.core.portable import to_portable
from lion_broker.errors import BranchError, LionError
from lion_broker.mail.records import Reply
from lion_broker.mail.wire import WireMail, encode_json
from lion_broker.telemetry import logger

__all__ = ["COMMANDS", "answer_command"]

log = logger("worker")

Command = Callable[[Host, dict[str, Any]], Awaitable[Any]]


async def answer_command(host: Host, wire: WireMail) -> None:
    """Do what a command mail asks and put the answer, or the error, among the replies of the turn.

    What a failing operation did to the branch is undone; the error is the caller's, not the mail's.
    """
    mark = host.mark()
    try:
        value = await _do(host, wire.item())
        body = encode_json({"ok": True, "value": to_portable(value)}, "The answer")
    except Exception as error:
        log.info("command %s failed: %s", wire.id, type(error).__name__)
        host.rollback(mark)
        body = _error_body(error)
    if wire.header.reply_to:
        host.reply(Reply(wire.header.reply_to, wire.id, body))


async def _do(host: Host, body: Any) -> Any:
    item = body.get("item") if isinstance(body, dict) else None
    operation = item.get("op") if isinstance(item, dict) else None
    arguments = item.get("args", {}) if isinstance(item, dict) else None
    if operation not in COMMANDS or not isinstance(arguments, dict):
        raise BranchError(f"There is no operation {operation!r}; there are {', '.join(sorted(COMMANDS))}.")
    return await COMMANDS[operation](host, dict(arguments))


async def _communicate(host: Host, arguments: dict[str, Any]) -> str:
    model = arguments.pop("chat_model", None)
    if isinstance(model, str) and model in host.around.registry.models:
        model = host.around.registry.models[model]
    return await host.branch.communicate(**arguments, chat_model=model)


async def _receive(host: Host, arguments: dict[str, Any]) -> None:
    branch: Branch = host.branch
    await host.refresh_in_turn()
    await branch.areceive(arguments.pop("sender"), **arguments)


async def _edit(host: Host, arguments: dict[str, Any]) -> Any:
    return apply_edit(host.branch.msgs, arguments["name"], arguments["args"])


async def _delete_tools(host: Host, arguments: dict[str, Any]) -> bool:
    return host.branch.delete_tools(arguments["tools"])


COMMANDS: dict[str, Command] = {
    "communicate": _communicate,
    "delete_tools": _delete_tools,
    "edit": _edit,
    "receive": _receive,
}


def _error_body(error: Exception) -> bytes:
    kind = type(error) if isinstance(error, LionError) else BranchError
    message = str(error) if isinstance(error, LionError) else f"{type(error).__name__}: {error}"
    place = traceback.extract_tb(error.__traceback__)
    where = f"{place[-1].name}, line {place[-1].lineno}" if place else ""
    return to_json({"ok": False, "error": {"class": kind.__name__, "message": message[:2000], "where": where}})
