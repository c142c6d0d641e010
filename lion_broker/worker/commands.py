"""Operations that a session asks of a branch by command mail, each answered by a reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

from anyio import CancelScope
from pydantic_core import to_json

from lion_broker.branch.editing import apply_edit
from lion_broker.branch.error_transfer import error_to_dict
from lion_broker.branch.host import Host
from lion_broker.branch.items import find_model
from lion_broker.branch.operations import OPERATIONS
from lion_broker.core.portable import to_portable
from lion_broker.errors import BranchError, BrokerUnavailable, LeaseLost, OperationCancelled, UnknownOutcome
from lion_broker.mail.records import Reply
from lion_broker.mail.verbs import ReadCancelled
from lion_broker.mail.wire import WireMail, encode_json
from lion_broker.messages import Instruction
from lion_broker.telemetry import logger

from .reply_stream import ReplyStream

__all__ = ["COMMANDS", "answer_command"]

log = logger("worker")

Command = Callable[[Host, WireMail, dict[str, Any]], Awaitable[Any]]


async def answer_command(host: Host, wire: WireMail, *, new: bool = False) -> UnknownOutcome | None:
    """Do what a command mail asks and put the answer, or the error, among the replies of the turn.

    Whether it was cancelled is asked first, unless it is so `new` that its lease will tell. The error is the caller's,
    not the mail's; what the operation has recorded until then stays, as it does where a branch is in the caller's
    process. Returns the error when nobody knows what the operation has done outside.
    """
    failed: Exception | None = None
    try:
        value = await _do_unless_cancelled(host, wire, new)
        body = encode_json({"ok": True, "value": to_portable(value, what="The answer")}, "The answer")
    except (BrokerUnavailable, LeaseLost):
        # Whoever takes the branch next does the command, with what was recorded.
        raise
    except Exception as error:
        log.info("command %s failed: %s", wire.id, type(error).__name__)
        body, failed = to_json({"ok": False, "error": error_to_dict(error)}), error
    if wire.header.reply_to:
        host.reply(Reply(wire.header.reply_to, wire.id, body))
    return failed if isinstance(failed, UnknownOutcome) else None


async def _do_unless_cancelled(host: Host, wire: WireMail, new: bool) -> Any:
    """Do what a command asks, until whoever asked no longer waits; raises OperationCancelled."""
    running, context = host.context.running, host.context
    with CancelScope() as scope:
        running[wire.id] = scope
        try:
            if new or wire.id not in await context.exchange.acall(ReadCancelled(context.session, host.branch.id)):
                return await _do(host, wire)
        finally:
            del running[wire.id]
    raise OperationCancelled("Whoever asked for the operation no longer waits for it.")


async def _do(host: Host, wire: WireMail) -> Any:
    body = wire.item()
    item = body.get("item") if isinstance(body, dict) else None
    operation = item.get("op") if isinstance(item, dict) else None
    arguments = item.get("args", {}) if isinstance(item, dict) else None
    if not isinstance(operation, str) or operation not in COMMANDS or not isinstance(arguments, dict):
        raise BranchError(f"There is no operation {operation!r}; there are {', '.join(sorted(COMMANDS))}.")
    return await COMMANDS[operation](host, wire, dict(arguments))


def _operation(name: str) -> Command:
    """Return the command that does an operation of a branch."""

    async def perform(host: Host, wire: WireMail, arguments: dict[str, Any]) -> Any:
        return await host.branch.perform(name, _at_home(host, arguments))

    return perform


def _at_home(host: Host, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return arguments with the models, tools and messages that they name, as they are here.

    A tool that the session's owner names is granted to the branch by that, if the worker has it.
    """
    registry, branch = host.context.registry, host.branch
    for name in ("chat_model", "imodel", "parse_model"):
        if isinstance(arguments.get(name), Mapping):
            arguments[name] = find_model(arguments[name], registry, None)
    named = arguments.get("tools")
    for tool in named if isinstance(named, list) else []:
        if isinstance(tool, str) and tool not in branch.tools:
            branch.register_tools(registry.resolve_tool(tool))
    said = arguments.get("instruction")
    if isinstance(said, Mapping) and "lion_class" in (said.get("metadata") or {}):
        arguments["instruction"] = Instruction.from_dict(said, loaded=False)
    return arguments


async def _stream(host: Host, wire: WireMail, arguments: dict[str, Any]) -> None:
    async with ReplyStream(host, wire) as stream, aclosing(host.branch.streamed(_at_home(host, arguments))) as pieces:
        async for piece in pieces:
            stream.say(piece)


async def _receive(host: Host, wire: WireMail, arguments: dict[str, Any]) -> None:
    await host.refresh_in_turn()
    await host.branch.areceive(arguments.pop("sender"), **arguments)


async def _edit(host: Host, wire: WireMail, arguments: dict[str, Any]) -> Any:
    return apply_edit(host.branch.msgs, arguments["name"], arguments["args"])


async def _delete_tools(host: Host, wire: WireMail, arguments: dict[str, Any]) -> bool:
    return host.branch.delete_tools(arguments["tools"])


COMMANDS: Final[Mapping[str, Command]] = {
    **{name: _operation(name) for name in OPERATIONS},
    "delete_tools": _delete_tools,
    "edit": _edit,
    "receive": _receive,
    "stream": _stream,
}
