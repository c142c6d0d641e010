"""A branch that lives on workers, or in another process: the same verbs, carried as mail."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Self

from pydantic import PrivateAttr

from lion_broker.branch.base import BaseBranch
from lion_broker.branch.directory import session_steps
from lion_broker.branch.editing import in_pieces
from lion_broker.branch.items import encode_item
from lion_broker.branch.journal import Chronicle
from lion_broker.branch.operations.remote_operation import packed_operation
from lion_broker.branch.session_context import SessionContext
from lion_broker.branch.timing import Timing
from lion_broker.core.ids import ID, IDType
from lion_broker.core.log import LogPile
from lion_broker.errors import BranchOwned, BrokerUnavailable, ItemNotFoundError, NotPortable, OutputInvalid
from lion_broker.mail.exchange import Steps, ask
from lion_broker.mail.mail import Mail
from lion_broker.mail.mailbox import Mailbox
from lion_broker.mail.package import Package, PackageCategory
from lion_broker.mail.records import START, Rejected
from lion_broker.mail.verbs import ReadBranches, ReadInbox, Receive
from lion_broker.mail.wire import MAX_MAIL_BYTES, Header, WireMail
from lion_broker.messages import MessageManager
from lion_broker.telemetry.mail_spans import outgoing

from .command import Commander, Deadline
from .postbox import Postbox
from .settle import move_steps, settle_steps

if TYPE_CHECKING:
    from lion_broker.mail.records import BranchRecord

__all__ = ["RemoteBranch", "RemoteContext", "mailbox_steps"]

_ENVELOPE_BYTES = 1024
"""What a command needs of a mail's size beside the messages that it carries."""


@dataclass(frozen=True, slots=True)
class RemoteContext:
    """What a remote branch needs of its session; `timeout` is in seconds, None for ever."""

    context: SessionContext
    postbox: Postbox
    commander: Commander
    timeout: float | None
    check_open: Callable[[], None]


class RemoteBranch(BaseBranch):
    """A branch on the workers of `pool`, or, without a pool, one that another process hosts.

    Reading looks at what is new in its log; sending posts mail in its name; operations travel as command mail and
    return what the worker answers. A branch of another process can be read and mailed, but operations on it raise
    BranchOwned.
    """

    pool: str = ""
    behaviour: str = ""

    _remote: RemoteContext = PrivateAttr()
    _chronicle: Chronicle | None = PrivateAttr(default=None)

    def __init__(self, remote: RemoteContext, **fields: Any) -> None:
        super().__init__(**fields)
        self._remote = remote

    @property
    def msgs(self) -> MessageManager:
        """The conversation as it stands now; one round trip."""
        self._run(self.chronicle.read_steps())
        return self.chronicle.msgs

    @property
    def logs(self) -> LogPile:
        """The branch's own log as it stands now; one round trip."""
        self._run(self.chronicle.read_steps())
        return self.chronicle.logs

    @property
    def chronicle(self) -> Chronicle:
        """What has been read of its log so far; no round trip."""
        if self._chronicle is None:
            # Of many branches most are never read, and an empty history is larger than all the rest of one.
            self._chronicle = Chronicle(self._remote.context.session, self.id)
            self._chronicle.guard(self._only_read)
        return self._chronicle

    @property
    def version_read(self) -> int:
        """The version up to which its log was read, 0 when it was not."""
        return 0 if self._chronicle is None else self._chronicle.version

    @property
    def tools(self) -> dict[str, dict[str, Any]]:
        """The names of its tools and where each is from."""
        self._run(self.chronicle.read_steps())
        return dict(self.chronicle.tools)

    @property
    def has_tools(self) -> bool:
        """Whether it has any tools; one round trip."""
        return bool(self.tools)

    @property
    def model_names(self) -> dict[str, str]:
        """The models by their use: a registered name, or `provider/model`; one round trip."""
        self._run(self.chronicle.read_steps())
        return {slot: _model_name(row) for slot, row in self.chronicle.models.items()}

    @property
    def mailbox(self) -> Mailbox:
        """A snapshot of the mail that waits for the branch to receive it; one round trip."""
        mailbox: Mailbox = self._run(mailbox_steps(self._remote.context.session, self.id))
        return mailbox

    @property
    def record(self) -> BranchRecord:
        """Where the branch stands: owner, version, what waits; one round trip."""
        record: BranchRecord = self._run(self.record_steps())
        return record

    async def sync(self) -> None:
        """Read what is new without blocking the event loop."""
        await self._arun(self.chronicle.read_steps())

    def send(
        self,
        recipient: ID.Ref,
        category: PackageCategory | str,
        item: Any,
        request_source: Any = None,
        *,
        delay: float | None = None,
        ttl: float | None = None,
    ) -> None:
        """Post a mail in the branch's name (see BaseBranch); it is stored when this returns."""
        self._run(self._send_steps(recipient, category, item, request_source, Timing.of(delay, ttl)))
        if self._remote.postbox.is_ahead:
            self._remote.context.send_on(self._remote.postbox)

    async def asend(
        self,
        recipient: ID.Ref,
        category: PackageCategory | str,
        item: Any,
        request_source: Any = None,
        *,
        delay: float | None = None,
        ttl: float | None = None,
    ) -> None:
        """Send without blocking the event loop."""
        await self._arun(self._send_steps(recipient, category, item, request_source, Timing.of(delay, ttl)))
        if self._remote.postbox.is_ahead:
            await self._remote.context.asend_on(self._remote.postbox)

    def receive(self, sender: ID.Ref, message: bool = True, tool: bool = True, imodel: bool = True) -> None:
        """Have the worker apply the pending mail of one sender; returns when it is done."""
        self._run(self._receive_steps(sender, message, tool, imodel))

    async def areceive(self, sender: ID.Ref, message: bool = True, tool: bool = True, imodel: bool = True) -> None:
        """Receive without blocking the event loop."""
        await self._arun(self._receive_steps(sender, message, tool, imodel))

    def receive_all(self) -> None:
        """Give all pending mail to the branch's worker; returns when it has been handled. Raises RoundTimeout."""
        self._run(self._receive_all_steps())

    async def areceive_all(self) -> None:
        """Receive everything without blocking the event loop."""
        await self._arun(self._receive_all_steps())

    async def perform(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Have a worker do an operation and return what it answers (see Operable)."""
        given, timeout = dict(arguments), self._timeout(arguments)
        given.pop("timeout", None)
        packed = packed_operation(operation, given)
        await self._arun(self._check_placed_steps())
        try:
            answer = await self._remote.commander.do(self.id, operation, packed.arguments, self._deadline(timeout))
        except OutputInvalid as error:
            return packed.failed(error)
        return packed.result(answer)

    async def streamed(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str]:
        """Have a worker ask a model, and yield the answer as it comes (see Operable.stream)."""
        given, timeout = dict(arguments), self._timeout(arguments)
        given.pop("timeout", None)
        packed = packed_operation("stream", given)
        await self._arun(self._check_placed_steps())
        parts = self._remote.commander.stream(self.id, "stream", packed.arguments, self._deadline(timeout))
        async with aclosing(parts):
            async for part in parts:
                yield part

    def command_steps(self, operation: str, arguments: Mapping[str, Any]) -> Steps[Any]:
        """Have a worker do an operation on the branch and return what it answers, as a program over the exchange.

        Raises the worker's error as the same class, RoundTimeout when no answer comes in time (the command is cancelled
        then), BranchOwned for a branch of another process.
        """
        yield from self._check_placed_steps()
        deadline = self._deadline(self._remote.timeout)
        return (yield from self._remote.commander.do_steps(self.id, operation, arguments, deadline))

    def _only_read(self) -> BranchOwned:
        return BranchOwned(
            f"{self.name or self.id} lives elsewhere, and this is a picture of it: a change here would be lost. Use the"
            " branch's own methods (extend, update_message, rollback …), or send it a message."
        )

    def _check_placed_steps(self) -> Steps[None]:
        """Raise BranchOwned for a branch that lives in another process."""
        if not self.pool:
            owner = (yield from self.record_steps()).owner or "nobody at the moment"
            raise BranchOwned(
                f"The branch {self.name or self.id} is hosted by another process ({owner}); operations on it work"
                " there."
            )

    def _timeout(self, arguments: Mapping[str, Any]) -> float | None:
        given = arguments.get("timeout")
        return self._remote.timeout if given is None else given

    def _deadline(self, timeout: float | None) -> Deadline:
        return Deadline(timeout, self.name or self.id, self.pool)

    def delete_tools(self, tools: Any) -> bool:
        """Have the worker take tools away, by name; returns whether all of them were there."""
        return bool(self._run(self.command_steps("delete_tools", {"tools": tools})))

    async def adelete_tools(self, tools: Any) -> bool:
        """Do `delete_tools` without blocking the event loop."""
        return bool(await self._arun(self.command_steps("delete_tools", {"tools": tools})))

    def to_dict(self) -> dict[str, Any]:
        """Return what names the branch and, in a blocking round trip, its messages, as plain JSON values."""
        messages = [message.to_dict() for message in self.messages]
        return super().to_dict() | {"session": str(self._remote.context.session), "messages": messages}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], /) -> NoReturn:
        """Always raises NotPortable: a branch that lives elsewhere is taken up with its session, not made from data."""
        session = str(values.get("session", "the id of its session"))
        raise NotPortable(
            "A RemoteBranch cannot be made from data, because it lives elsewhere: take its session up with"
            f" Session.open({session!r}); session.branches has it then."
        )

    @classmethod
    def _revive(cls, values: dict[str, Any]) -> Self:
        return cls.from_dict(values)

    def _edit_steps(self, name: str, **arguments: Any) -> Steps[Any]:
        return self.command_steps("edit", {"name": name, "args": arguments})

    def _edit(self, steps: Steps[Any]) -> Any:
        return self._run(steps)

    async def _aedit(self, steps: Steps[Any]) -> Any:
        return await self._arun(steps)

    def _pieces(self, messages: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        return in_pieces(messages, MAX_MAIL_BYTES - _ENVELOPE_BYTES)

    def _send_steps(
        self, recipient: Any, category: PackageCategory | str, item: Any, source: Any, when: Timing
    ) -> Steps[None]:
        kind = PackageCategory.validate(category)
        remote = self._remote
        context = remote.context
        place = yield from context.directory.locate_steps(recipient)
        # Whatever goes out in a remote branch's name is read elsewhere: nothing of this process may be referred to.
        body = encode_item(kind, item, source, place.pool, None)
        mail = IDType.create()
        sending = outgoing(context.exchange, context.session, place.id, mail)
        header = Header(context.session, self.id, place.id, kind.value, mail, ttl=when.ttl, **sending.carried)
        wire = WireMail(header, body, delay_ms=when.delay_ms)
        if context.batches.holding:
            remote.postbox.hold(wire)
        else:
            try:
                with sending.posting():
                    yield from remote.postbox.post_steps([wire])
            except BrokerUnavailable as error:
                raise BrokerUnavailable(
                    f"{error} Nobody knows whether the mail was stored: look before you send it again."
                ) from error

    def _receive_steps(self, sender: Any, message: bool, tool: bool, imodel: bool) -> Steps[None]:
        place = yield from self._remote.context.directory.locate_steps(sender)
        flags = {"message": message, "tool": tool, "imodel": imodel}
        yield from self.command_steps("receive", {"sender": str(place.id), **flags})

    def _receive_all_steps(self) -> Steps[None]:
        if not self.pool:
            yield from self.command_steps("receive_all", {})
        session = self._remote.context.session
        targets = yield from move_steps(session, lambda _: Receive(session, (self.id,)))
        yield from settle_steps(self._remote.context.directory, targets, self._remote.timeout)

    def record_steps(self) -> Steps[BranchRecord]:
        """Read where the branch stands, as a program over the exchange; raises ItemNotFoundError."""
        found = yield from ask(ReadBranches(self._remote.context.session, ids=(self.id,)))
        if not found:
            yield from session_steps(self._remote.context.session)
            raise ItemNotFoundError(f"The session has no branch with the id {self.id} any more.")
        return found[0]

    def _run(self, steps: Steps[Any]) -> Any:
        remote = self._remote
        remote.check_open()
        return remote.context.run(steps)

    async def _arun(self, steps: Steps[Any]) -> Any:
        remote = self._remote
        remote.check_open()
        return await remote.context.arun(steps)

    def __repr__(self) -> str:
        return f"RemoteBranch({self.name or self.id!s}, {f'pool={self.pool}' if self.pool else 'hosted elsewhere'})"


def mailbox_steps(session: str, branch: str) -> Steps[Mailbox]:
    """Read the mail that waits for a branch, or for the session itself, to receive it."""
    mailbox, after = Mailbox(), START
    while page := (yield from ask(ReadInbox(session, branch, after))):
        after = page[-1].id
        for entry in page:
            if not isinstance(entry.mail, Rejected):
                mailbox.append_in(_as_data(entry.mail))
    return mailbox


def _as_data(wire: WireMail) -> Mail:
    """A mail as its data says, nothing looked up: tools and models are shown as the references that they travel as."""
    header = wire.header
    item = wire.item()["item"]
    package = Package(PackageCategory(header.category), item, None, IDType(header.id), header.created)
    return Mail(
        id=header.id, created_at=header.created, sender=header.sender, recipient=header.recipient, package=package
    )


def _model_name(row: dict[str, Any]) -> str:
    settings = row.get("settings", {})
    return str(row.get("ref") or f"{settings.get('provider')}/{settings.get('model')}")
