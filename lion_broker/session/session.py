"""The leader of many branches: creates them, commands rounds of mail, and gathers what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import PrivateAttr

from lion_broker.branch.batch import Batch
from lion_broker.branch.directory import session_steps
from lion_broker.branch.registry import Registry
from lion_broker.core.ids import ID, IDType
from lion_broker.core.pile import MISSING, Pile
from lion_broker.mail.exchange import Exchange
from lion_broker.mail.mailbox import Mailbox
from lion_broker.mail.records import DeadLetter
from lion_broker.mail.wire import Header
from lion_broker.messages import RoledMessage

from . import branches as acts
from . import views
from .dead_letters import Retried, drop_steps, edit_steps, letter_steps, lineage_steps, retry_steps
from .mail import SessionMailManager
from .mail_control import SessionMailControl
from .remote import mailbox_steps
from .rounds import collect_steps, gather_steps, round_steps, send_steps
from .settle import idle_steps
from .state import Limits, SessionState

if TYPE_CHECKING:
    from lion_broker.core.frames import DataFrame

__all__ = ["Session"]


class Session(SessionMailControl):
    """Branches that exchange mail, kept by an exchange, wherever the branches live.

    The methods without an `a` in front block for a round trip or two, in a plain script as well as inside a running
    event loop; their twins with the `a` do not. A session is a context manager; leaving it commits and closes, and
    the session stays in the store until `delete`.
    """

    _mail_manager: SessionMailManager | None = PrivateAttr(default=None)

    def __init__(
        self,
        *,
        user: Any = None,
        name: str | None = None,
        metadata: dict[str, Any] | None = None,
        exchange: Exchange | str | None = None,
        pool: str | None = None,
        delivery: str = "manual",
        registry: Registry | None = None,
        timeout: float | None = 60.0,
        mailbox_limit: int | None = None,
        mailbox_bytes: int | None = None,
        opened: SessionState | None = None,
        **fields: Any,
    ) -> None:
        """Make a session with a first branch, its default.

        `exchange` is an Exchange or a URL (see `connect`); left out, LION_BROKER_URL, else the embedded server.
        `delivery` is "manual" (mail moves when the session commands it) or "auto" (at once). `pool` is where new
        branches live unless they say otherwise: None is this process. `registry` finds tools and models that are
        named by text. `timeout` is how many seconds rounds and remote operations may take. `mailbox_limit` is how many
        mails, `mailbox_bytes` how many bytes of them may wait for one branch before `send` raises MailboxFull; what
        branches send in turns may fill twice as much. Raises ConfigError, BrokerUnavailable, ServerNotFound.
        """
        # `opened` is for `open`, and left out of the reference, as all is that only the package has.
        super().__init__(**{"user": user, "name": name, "metadata": metadata or {}, **fields})
        if opened is not None:
            self._take(opened, pool)
        else:
            limits = Limits(mailbox_limit, mailbox_bytes)
            self._begin(exchange, pool, delivery, registry, timeout, limits)

    @property
    def default_branch(self) -> Any:
        """The branch that stands for the session, a Branch or a RemoteBranch; None when the last one was removed."""
        return self._default

    @property
    def mail_transfer(self) -> Exchange:
        """What carries the mail: LionAGI's name for `exchange`."""
        return self._state.exchange

    @property
    def mail_manager(self) -> SessionMailManager:
        """The mail verbs by branch; `async with session.mail_manager.sources:` keeps other tasks out."""
        if self._mail_manager is None:
            self._mail_manager = SessionMailManager(self)
        return self._mail_manager

    @property
    def messages(self) -> Pile[RoledMessage]:
        """Messages that were mailed to the session itself; one round trip."""
        self._run(self._state.inbox.chronicle.read_steps())
        return self._state.inbox.chronicle.msgs.messages

    @property
    def mailbox(self) -> Mailbox:
        """A snapshot of the mail that waits for the session itself; one round trip."""
        mailbox: Mailbox = self._run(mailbox_steps(self.id, self.id))
        return mailbox

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """Mail that could not be delivered or applied, oldest first, each with its reason; a round trip a thousand."""
        letters: list[DeadLetter] = self._run(letter_steps(self._state))
        return letters

    def new_branch(
        self,
        system: Any = None,
        system_sender: Any = None,
        system_datetime: bool | str | None = None,
        user: Any = None,
        name: str | None = None,
        imodel: Any = None,
        messages: Any = None,
        progress: Any = None,
        tool_manager: Any = None,
        tools: Any = None,
        **config: Any,
    ) -> Any:
        """Create a branch: a Branch of this process, or with `pool=` a RemoteBranch on the workers of that pool.

        `imodel` (or `chat_model`) answers, `parse_model` repairs; for a remote branch both go by registered name or
        as "provider/model", tools by registered name. `behaviour=` names what a remote branch does with its mail,
        `metadata=` travels with it. It becomes the default branch if there is none. Blocks for a round trip. Raises
        ConfigError for what does not fit together, NotPortable for a function that would have to travel, ToolUnknown.
        """
        config.update(system=system, system_sender=system_sender, system_datetime=system_datetime, user=user, name=name)
        config.update(imodel=imodel, messages=messages, progress=progress, tool_manager=tool_manager, tools=tools)
        return self._run(acts.new_steps(self, config))

    async def anew_branch(self, **config: Any) -> Any:
        """Create a branch without blocking the event loop; see `new_branch`."""
        return await self._arun(acts.new_steps(self, config))

    def include_branches(self, branches: Any) -> None:
        """Make branches that were created alone part of this session; those that are already stay."""
        self._run(acts.include_steps(self, branches))

    def get_branch(self, ref: Any = None, default: Any = MISSING) -> Any:
        """Return a branch by id, name or object, also one that another process has created since; None is the default.

        For an unknown one `default` is returned when it is given, else ItemNotFoundError raised. Blocks when the branch
        is not known here yet. ValueError when several branches have the name.
        """
        return self._run(acts.get_steps(self, ref, default))

    async def aget_branch(self, ref: Any = None, default: Any = MISSING) -> Any:
        """Get a branch without blocking the event loop."""
        return await self._arun(acts.get_steps(self, ref, default))

    def split(self, branch: ID.Ref) -> Any:
        """Return a new branch that begins with clones of a branch's messages, and with its tools and models. Blocks."""
        return self._run(acts.split_steps(self, branch))

    async def asplit(self, branch: ID.Ref) -> Any:
        """Split without blocking the event loop."""
        return await self._arun(acts.split_steps(self, branch))

    def merge(self, into: ID.Ref, from_: ID.Ref, delete: bool = False) -> Any:
        """Give a branch of this process the messages, tools and models of another; returns the first. Blocks.

        Messages are united in order of creation without doubles. With `delete` the other branch is removed.
        """
        return self._run(acts.merge_steps(self, into, from_, delete))

    async def amerge(self, into: ID.Ref, from_: ID.Ref, delete: bool = False) -> Any:
        """Merge without blocking the event loop."""
        return await self._arun(acts.merge_steps(self, into, from_, delete))

    def remove_branch(self, branch: ID.Ref, delete: bool = False) -> None:
        """Remove a branch: what waits for it becomes dead letters, later mail to it is refused. Blocks.

        Mail that it has sent still goes out. With `delete` its history goes too. Raises ItemNotFoundError, BranchOwned.
        """
        self._run(acts.remove_steps(self, branch, delete))

    async def aremove_branch(self, branch: ID.Ref, delete: bool = False) -> None:
        """Remove a branch without blocking the event loop."""
        await self._arun(acts.remove_steps(self, branch, delete))

    def delete_branch(self, branch: ID.Ref) -> bool:
        """Remove a branch with its history, as `remove_branch(branch, delete=True)`, and return True. Blocks.

        Raises ValueError for the default branch: another one is to be the default first.
        """
        return bool(self._run(acts.delete_steps(self, branch)))

    async def adelete_branch(self, branch: ID.Ref) -> bool:
        """Delete a branch without blocking the event loop."""
        return bool(await self._arun(acts.delete_steps(self, branch)))

    def change_default_branch(self, branch: ID.Ref) -> None:
        """Make a branch the default one. Raises ItemNotFoundError, which is a ValueError. Blocks."""
        self._run(acts.default_steps(self, branch))

    async def achange_default_branch(self, branch: ID.Ref) -> None:
        """Change the default branch without blocking the event loop."""
        await self._arun(acts.default_steps(self, branch))

    def send(self, to_: ID.RefSeq | None = None) -> None:
        """Deliver outgoing mail to the given branches (None: to all), collected or still in an outbox. Blocks.

        Mail of one sender to one recipient keeps its order; mail to a removed branch becomes a dead letter. Raises
        ItemNotFoundError, a ValueError, for an unknown branch before anything moves.
        """
        self._run(send_steps(self._state, to_))

    async def asend(self, to_: ID.RefSeq | None = None) -> None:
        """Deliver without blocking the event loop."""
        await self._arun(send_steps(self._state, to_))

    def collect(self, from_: ID.RefSeq | None = None) -> None:
        """Take mail from the outboxes of branches (None: of all) into the exchange, and apply their inboxes. Blocks.

        A message joins the history, a tool or model is registered; what cannot be applied becomes a dead letter, and
        other categories stay pending. Returns when branches on workers have handled theirs. Raises RoundTimeout when
        they have not within the session's `timeout`, and ItemNotFoundError for an unknown branch before anything moves.
        """
        self._run(collect_steps(self._state, from_, self._state.timeout))

    async def acollect(self, from_: ID.RefSeq | None = None) -> None:
        """Collect without blocking the event loop."""
        await self._arun(collect_steps(self._state, from_, self._state.timeout))

    def collect_send_all(self, receive_all: bool = False) -> None:
        """Collect from all branches, send to all, and with `receive_all` have all apply it.

        Blocks. Raises RoundTimeout when workers have not settled within the session's `timeout`.
        """
        self._run(round_steps(self._state, receive_all, self._state.timeout))

    async def acollect_send_all(self, receive_all: bool = False) -> None:
        """Do the whole round without blocking the event loop, and with no other task changing the branches."""
        async with self.branches:
            await self._arun(round_steps(self._state, receive_all, self._state.timeout))

    def take_outgoing(self, branches: tuple[IDType, ...] | None) -> None:
        """Take mail from outboxes (None: of all branches) into the exchange; unlike `collect`, apply none. Blocks."""
        self._run(gather_steps(self._state, branches))

    def batch(self) -> Batch:
        """Post the mail that is sent inside the block in pieces of 50, and what is left at its end.

        For `with` and `async with`. The end waits until all of it is stored. It raises the error of the first mail that
        was refused, such as MailboxFull, or BrokerUnavailable when no server answers; the mail is kept then. Inside,
        `send` blocks while several pieces have no answer yet. After an error inside, what was sent before it is posted
        all the same. Mail of other tasks and threads is not held back.
        """
        return Batch(self._state.context.batches, self._run, self._arun, self._state.end_batch_steps)

    def concat_messages(
        self, branches: ID.RefSeq | None = None, exclude_clone: bool = False, exclude_load: bool = False
    ) -> Pile[RoledMessage]:
        """Return the messages of branches (None: of all, and of the session itself) in order of creation, none twice.

        `exclude_clone` leaves out copies and received messages, `exclude_load` those read from a file. Raises
        ItemNotFoundError, a ValueError.
        """
        chosen = self._run(views.chosen_steps(self._state, branches))
        return views.concat(self._state, chosen, exclude_clone, exclude_load)

    def to_df(
        self, branches: ID.RefSeq | None = None, exclude_clone: bool = False, exclude_load: bool = False
    ) -> DataFrame:
        """Return the messages that `concat_messages` returns as a pandas frame.

        Columns: `role content sender recipient created_at id branch`; times in UTC.
        """
        chosen = self._run(views.chosen_steps(self._state, branches))
        return views.to_df(self._state, chosen, exclude_clone, exclude_load)

    def lineage(self, letter: DeadLetter) -> list[Header]:
        """Return the headers of the mails that led to a dead letter, the nearest first. Blocks, and reads logs."""
        found: list[Header] = self._run(lineage_steps(self._state, letter))
        return found

    def retry_dead_letters(self, letters: Any = None) -> Retried:
        """Send dead letters again (None: all, oldest first), given as themselves or by id.

        The same mails are tried afresh. `count` of what is returned says how many are on their way, `left` why others
        stay. Blocks for a round trip a hundred.
        """
        done: Retried = self._run(retry_steps(self._state, letters))
        return done

    async def aretry_dead_letters(self, letters: Any = None) -> Retried:
        """Send dead letters again without blocking the event loop."""
        done: Retried = await self._arun(retry_steps(self._state, letters))
        return done

    def edit_dead_letter(self, letter: DeadLetter | str, item: Any) -> None:
        """Send another item instead of what a dead letter holds, from the same sender to the same branch. Blocks.

        The mail has a new id and names the old one as its cause. Raises ItemNotFoundError for a letter or branch that
        is not there, BranchClosed, MailboxFull, NotPortable, and MailMalformed for a letter that is no mail.
        """
        self._run(edit_steps(self._state, letter, item))

    async def aedit_dead_letter(self, letter: DeadLetter | str, item: Any) -> None:
        """Edit a dead letter without blocking the event loop."""
        await self._arun(edit_steps(self._state, letter, item))

    def drop_dead_letters(self, letters: Any = None) -> Retried:
        """Remove dead letters (None: all) for good; returns how many were removed, and which were not there. Blocks."""
        done: Retried = self._run(drop_steps(self._state, letters))
        return done

    async def adrop_dead_letters(self, letters: Any = None) -> Retried:
        """Drop dead letters without blocking the event loop."""
        done: Retried = await self._arun(drop_steps(self._state, letters))
        return done

    def pause(self, branch: ID.Ref, reason: str = "paused by the session") -> bool:
        """Have a branch on workers take no more turns; mail to it waits, and a turn that is going on ends first.

        Returns False when it is paused already, for the reason that it has. Blocks. Raises ItemNotFoundError,
        BranchClosed, ConfigError for a branch of this process.
        """
        return bool(self._run(acts.pause_steps(self, branch, reason)))

    async def apause(self, branch: ID.Ref, reason: str = "paused by the session") -> bool:
        """Pause without blocking the event loop."""
        return bool(await self._arun(acts.pause_steps(self, branch, reason)))

    def resume(self, branch: ID.Ref) -> bool:
        """Let a paused branch take turns again; mail that has failed before is tried afresh. Blocks.

        Returns False when it was not paused.
        """
        return bool(self._run(acts.resume_steps(self, branch)))

    async def aresume(self, branch: ID.Ref) -> bool:
        """Resume without blocking the event loop."""
        return bool(await self._arun(acts.resume_steps(self, branch)))

    def wait_idle(self, timeout: float | None = 60.0) -> None:
        """Wait until no mail is on its way to a branch on workers. Blocks; RoundTimeout after `timeout` seconds."""
        self.flush()
        self._run(idle_steps(self.id, timeout))

    async def await_idle(self, timeout: float | None = 60.0) -> None:
        """Wait without blocking the event loop."""
        await self.aflush()
        await self._arun(idle_steps(self.id, timeout))

    def counters(self) -> dict[str, int]:
        """Return the numbers of mails by `posted applied redelivered dead inflight delayed`. Blocks.

        Since the beginning: posted, applied, redelivered (handed out again). Now: dead letters; in flight, which is in
        mailboxes and not yet committed, or to be tried again; delayed.
        """
        return dict(self._run(session_steps(self.id)).counters)

    def locate(self, ref: Any) -> IDType:
        """Return the id of a branch of this session, named by id, name or object. Raises ItemNotFoundError."""
        chosen: tuple[IDType, ...] = self._run(self._state.chosen_steps(ref))
        return chosen[0]
