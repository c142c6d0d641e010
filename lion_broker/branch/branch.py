"""A conversation that can send and receive mail, use tools and ask a model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from lion_broker.core.deferred import Deferred
from lion_broker.core.ids import ID
from lion_broker.core.log import LogPile
from lion_broker.errors import BranchClosed, BranchError, BrokerUnavailable, ConfigError, LionError
from lion_broker.mail.exchange import Steps, arun, run
from lion_broker.mail.mail import Mail
from lion_broker.mail.mailbox import Mailbox
from lion_broker.mail.package import Package, PackageCategory
from lion_broker.mail.wire import WireMail
from lion_broker.messages import MessageManager, RoledMessage, System
from lion_broker.messages.copies import Copies
from lion_broker.models.imodel import iModel
from lion_broker.models.manager import iModelManager
from lion_broker.tools.manager import ActionManager
from lion_broker.tools.tool import Tool

from .applying import APPLIED, apply, categories, pending_sender_steps
from .local import LocalBranch
from .operations import OPERATIONS
from .operations.asking import Question, as_model, is_live
from .operations.stream import stream, within
from .timing import AT_ONCE, Timing

if TYPE_CHECKING:
    from lion_broker.models.reply import ModelChunk, ModelReply
    from lion_broker.tools.calling import FunctionCalling

    from .host import Host
    from .ledger import Ledger

__all__ = ["Branch"]

T = TypeVar("T")
_set = object.__setattr__  # past pydantic, which looks every name up: a worker makes a branch for many a turn


class Branch(LocalBranch):
    """A branch that lives in this process: alone, in a session, or for the length of a turn on a worker.

    Alone it needs no server. In a session what it does is kept by the session's exchange with the next mail command,
    operation, `flush` or the end of the session.
    """

    # Not private attributes of pydantic, which take a microsecond to be found, several times a mail.
    __slots__ = ("_acts", "_host", "_left", "_logs", "_mailbox", "_mdls", "_msgs")

    if TYPE_CHECKING:
        _msgs: MessageManager
        _logs: LogPile
        _mailbox: Mailbox
        _acts: ActionManager
        _mdls: iModelManager
        _host: Host | None
        _left: str

    def __init__(
        self,
        *,
        user: Any = None,
        name: str | None = None,
        system: Any = None,
        system_sender: Any = None,
        system_datetime: bool | str | None = None,
        messages: Any = None,
        progress: Any = None,
        tools: Any = None,
        tool_manager: ActionManager | None = None,
        chat_model: iModel | str | None = None,
        parse_model: iModel | str | None = None,
        imodel: iModel | str | None = None,
        **fields: Any,
    ) -> None:
        """Make a branch; everything is optional.

        `system`: a text, a System, or a dict with `content`. `messages`: messages to begin with, `progress` the order
        in which they count. `tools`: functions, Tools or a list; `tool_manager` holds further ones and finds those
        given by name. `chat_model` (`imodel` is the same) answers, `parse_model` repairs. Raises ConfigError when
        `chat_model` and `imodel` are given together, or for an unknown keyword.
        """
        if imodel is not None and chat_model is not None:
            raise ConfigError("imodel and chat_model are two names of one thing; give one of them.")
        if unknown := fields.keys() - Branch.model_fields.keys():
            raise ConfigError(f"Branch does not know {', '.join(sorted(unknown))}; help(Branch) has what it takes.")
        super().__init__(user=user, name=name, **fields)
        for slot, value in (("_host", None), ("_left", ""), ("_logs", LogPile()), ("_mailbox", Mailbox())):
            _set(self, slot, value)
        _set(self, "_acts", tool_manager if tool_manager is not None else ActionManager())
        _set(self, "_mdls", iModelManager(chat=as_model(chat_model or imodel), parse=as_model(parse_model)))
        _set(self, "_msgs", MessageManager(messages=messages, progression=progress))
        if system is not None:
            self.set_system(system, sender=system_sender, system_datetime=system_datetime)
        if tools is not None:
            self.register_tools(tools)

    @property
    def msgs(self) -> MessageManager:
        """The conversation."""
        return self._msgs

    @property
    def logs(self) -> LogPile:
        """The branch's own log; `logs.log("text")` adds to it."""
        return self._logs

    @property
    def mailbox(self) -> Mailbox:
        """Pending mail, in and out."""
        return self._mailbox

    @property
    def acts(self) -> ActionManager:
        """The tools and their calls."""
        return self._acts

    @property
    def mdls(self) -> iModelManager:
        """The models."""
        return self._mdls

    @property
    def tools(self) -> dict[str, Tool]:
        """The tools by name."""
        return self._acts.registry

    @property
    def chat_model(self) -> iModel | None:
        """The model that answers."""
        return self._mdls.chat

    @chat_model.setter
    def chat_model(self, model: iModel | str) -> None:
        self.register_model(as_model(model), "chat")

    @property
    def parse_model(self) -> iModel | None:
        """The model that repairs answers."""
        return self._mdls.parse

    @parse_model.setter
    def parse_model(self, model: iModel | str) -> None:
        self.register_model(as_model(model), "parse")

    def bind(self, host: Host) -> None:
        """Put the branch under the care of a host, which keeps what it does."""
        self._host, self._left = host, ""

    def leave(self, why: str) -> None:
        """Set the branch free for good: it lives on alone, and sending and receiving raise BranchClosed with `why`."""
        self._host, self._left = None, why

    def set_system(self, system: Any, sender: Any = None, system_datetime: bool | str | None = None) -> None:
        """Replace the system message."""
        if not isinstance(system, System):
            system = System.create(
                system_message=system,
                sender=sender or self.user or "system",
                recipient=self.id,
                system_datetime=system_datetime,
            )
        self._msgs.set_system(system)

    def register_tools(self, tools: Any, update: bool = False) -> None:
        """Give the branch tools: functions, Tools, or a list; names are found among the tools it has.

        Raises ValueError for a name that is taken unless `update`, ToolUnknown for an unknown name.
        """
        items = list(tools) if isinstance(tools, (list, tuple, set, frozenset)) else [tools]
        for item in items:
            if isinstance(item, str):
                self._acts.get_tool_schema(item)
                continue
            tool = item if isinstance(item, Tool) else Tool(func_callable=item)
            self._acts.register_tool(tool, update=update)
            if self._host is not None:
                self._host.note_tool(tool)

    def register_model(self, model: iModel | None, slot: str = "chat") -> None:
        """Use a model, as `chat` unless another slot is named."""
        if model is None:
            raise ConfigError("A model is needed, for example iModel(model='offline/extractive').")
        self._mdls.register_imodel(slot, model)
        if self._host is not None:
            self._host.note_model(slot, model)

    def join(self, message: RoledMessage | Deferred[RoledMessage]) -> None:
        """Put a received message into the history; the mail that brought it is its record."""
        if self._host is None:
            self._msgs.messages.include(message.made() if isinstance(message, Deferred) else message)
        else:
            self._msgs.messages.recall((message,))

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
        """Put a mail into the outbox; in a session with automatic delivery it goes out at once (see BaseBranch)."""
        host, wire = self._host, None
        if host is not None and request_source is delay is ttl is None:
            wire = host.put_text(recipient, category, item)
        if wire is None:
            wire = self._run(self._put_steps(recipient, category, item, request_source, Timing.of(delay, ttl)))
        if wire is not None and (host := self._host) is not None:
            if host.sends_at_once:
                host.let_go(wire)
            elif host.is_ahead:
                host.context.send_on(host)

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
        """Send without blocking the event loop; tasks that send from one branch at the same time share calls."""
        host, wire = self._host, None
        if host is not None and request_source is delay is ttl is None:
            wire = host.put_text(recipient, category, item)
        if wire is None:
            wire = await self._arun(self._put_steps(recipient, category, item, request_source, Timing.of(delay, ttl)))
        if wire is not None and (host := self._host) is not None:
            if host.sends_at_once:
                await host.alet_go(wire)
            elif host.is_ahead:
                await host.context.asend_on(host)

    def receive(self, sender: ID.Ref, message: bool = True, tool: bool = True, imodel: bool = True) -> None:
        """Apply the pending mail of one sender (see BaseBranch)."""
        self._run(self.receive_steps([sender], categories(message, tool, imodel)))

    async def areceive(self, sender: ID.Ref, message: bool = True, tool: bool = True, imodel: bool = True) -> None:
        """Receive without blocking the event loop."""
        await self._arun(self.receive_steps([sender], categories(message, tool, imodel)))

    def receive_all(self) -> None:
        """Apply all pending mail that has a meaning of its own."""
        self._run(self.receive_steps())

    async def areceive_all(self) -> None:
        """Receive everything without blocking the event loop."""
        await self._arun(self.receive_steps())

    def receive_steps(
        self, senders: list[Any] | None = None, wanted: frozenset[PackageCategory] = APPLIED, refresh: bool = True
    ) -> Steps[int]:
        """Apply pending mail as a program over the exchange; returns how many mails took effect."""
        self._check_mail()
        if self._host is not None and refresh:
            yield from self._host.refresh_steps()
        chosen = self._mailbox.senders
        if senders is not None:
            chosen = []
            for one in senders:
                chosen.append((yield from pending_sender_steps(self, self._host, one)))
        failed: list[Exception] = []
        applied = 0
        for sender in chosen:
            for mail in self._mailbox.incoming(sender):
                if mail.category in wanted:
                    applied += self._take(mail, failed)
        if self._host is not None:
            yield from self._host.commit_steps()
        if failed:
            raise failed[0]
        return applied

    async def perform(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Do an operation by its name (see Operable); in a session what it recorded is stored at its end."""
        if operation not in OPERATIONS:
            raise BranchError(f"There is no operation {operation!r}; there are {', '.join(sorted(OPERATIONS))}.")
        given = dict(arguments)
        timeout = given.pop("timeout", None)
        try:
            with anyio.fail_after(timeout), self._acting():
                return await OPERATIONS[operation](self, **given)
        finally:
            await self.settle()

    def streamed(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str]:
        """Yield the answer in pieces of text as they come (see Operable.stream)."""
        given = dict(arguments)
        timeout = given.pop("timeout", None)
        return within(timeout, self._speaking(stream(self, **given)))

    async def ask(self, question: Question) -> ModelReply:
        """Have a model answer; every model call of an operation goes through here."""
        invoke = partial(question.model.invoke, question.messages, **question.parameters)
        # The offline model answers the same each time and asks nobody outside: there is nothing to record.
        if self._ledger is None or not is_live(question.model):
            return await invoke()
        return await self._ledger.model(question, invoke)

    async def listen(self, question: Question) -> AsyncGenerator[ModelChunk]:
        """Have a model answer piece by piece; what was recorded of an earlier turn comes in one piece."""
        chunks = question.model.stream(question.messages, **question.parameters)
        if self._ledger is not None:
            chunks = self._ledger.stream(question, chunks)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def act(self, calling: FunctionCalling) -> None:
        """Have a tool called; every tool call of an operation goes through here."""
        await (calling.invoke() if self._ledger is None else self._ledger.tool(calling))

    async def settle(self) -> None:
        """Store what has been done, in a session and outside a turn."""
        if self._host is not None:
            await self._arun(self._host.commit_steps())

    @property
    def _ledger(self) -> Ledger | None:
        return self._host.ledger if self._host is not None and self._host.in_turn else None

    @property
    def registered_models(self) -> Mapping[str, iModel]:
        """The models that may be named here besides the branch's own: those of the session's or worker's registry."""
        return self._host.context.registry.models if self._host is not None else {}

    def clone(self, sender: ID.Ref | None = None) -> Branch:
        """Return a new branch with the same conversation (as clones), tools and models, addressed from `sender`."""
        new = Branch(user=self.user, tools=list(self.tools.values()), metadata={"clone_from": str(self.id)})
        for slot, model in self._mdls.registry.items():
            new._mdls.register_imodel(slot, model)
        new._msgs.begin_with(Copies(self.messages, ID.get_id(sender) if sender is not None else self.id, new.id))
        return new

    async def aclone(self, sender: ID.Ref | None = None) -> Branch:
        """Clone while no other task changes the conversation."""
        async with self.messages:
            return self.clone(sender)

    def _run(self, steps: Steps[T]) -> T:
        return run(None, steps) if self._host is None else self._host.context.run(steps)

    async def _arun(self, steps: Steps[T]) -> T:
        return await (arun(None, steps) if self._host is None else self._host.context.arun(steps))

    def _put_steps(
        self, recipient: Any, category: PackageCategory | str, item: Any, request_source: Any, when: Timing
    ) -> Steps[WireMail | None]:
        """Put a mail into the outbox; alone, where there is no exchange, it is not written as bytes."""
        self._check_mail()
        kind, host = PackageCategory.validate(category), self._host
        package = Package(kind, item, request_source)
        if host is None:
            if when != AT_ONCE:
                raise ConfigError("A branch that is alone sends at once: delay and ttl need a session.")
            self._mailbox.append_out(Mail(sender=self.id, recipient=ID.get_id(recipient), package=package))
            return None
        try:
            to, body = yield from host.address_steps(recipient, kind, item, request_source)
        except BrokerUnavailable as error:
            raise BrokerUnavailable(f"{error} The mail was not taken: send it again.") from error
        mail = Mail.of_valid(package, self.id, to)
        wire = host.sending(mail, body, when)
        self._mailbox.append_out(mail)
        return wire

    def _check_mail(self) -> None:
        if self._left:
            raise BranchClosed(f"The branch {self.name or self.id} takes no part in mail any more: {self._left}.")

    def _take(self, mail: Mail, failed: list[Exception]) -> int:
        """Apply one mail; one that cannot be applied stays pending, or becomes a dead letter where there are such."""
        try:
            apply(self, mail)
        except (LionError, ValueError, TypeError) as error:
            if self._host is None:
                failed.append(error)
                return 0
            self._host.bury_pending(mail, error)
        else:
            if self._host is not None:
                self._host.took(mail)
        self._mailbox.exclude(mail)
        return 1

    def __repr__(self) -> str:
        return f"Branch({self.name or self.id!s}, messages={len(self._msgs)}, {self._mailbox!r})"
