"""What can be seen of a session: what happens in it, what has happened to its mail, as text, tables and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lion_broker.branch.directory import session_steps
from lion_broker.core.html import ROWS, table_html
from lion_broker.errors import LionError
from lion_broker.insight.flow import flow_steps
from lion_broker.insight.history import MOST
from lion_broker.insight.lanes import lanes_of
from lion_broker.insight.passages import Passages
from lion_broker.insight.tables import HAPPENING_COLUMNS, MAIL_COLUMNS, happening_rows, mail_rows
from lion_broker.insight.tail import Happenings
from lion_broker.insight.timeline import Timeline
from lion_broker.insight.trace import trace_steps
from lion_broker.insight.views import Flow, Happening, Lanes, Trace
from lion_broker.mail.exchange import PAUSE, Steps, ask
from lion_broker.mail.naming import DEFAULT_BRANCH, default_of
from lion_broker.mail.verbs import ReadBranches

from . import views
from .lifecycle import SessionLifecycle
from .tail import MailTail, Tail
from .watch import watch

if TYPE_CHECKING:
    from lion_broker.core.frames import DataFrame

__all__ = ["SessionMonitoring"]

_TIMELINE = 200


class SessionMonitoring(SessionLifecycle):
    """What a session shows; `Session` adds what it does. What local branches have done is stored before it is read."""

    def events(self, after: str | None = None, timeout: float | None = None) -> Tail:
        """Return the live tail of the session, for `for` and `async for`; see `Tail`."""
        return Tail(self.exchange, self.id, after, timeout)

    def happenings(self, after: str | None = None, timeout: float | None = None) -> MailTail:
        """Return the live tail mail by mail: sent, applied, failed, dead, said …; for `for` and `async for`.

        Its `position` resumes it, in another process too, without loss and without doubles; see `MailTail`.
        """
        return MailTail(self.exchange, self.id, after, timeout)

    async def watch(self, timeout: float | None = None, *, until_idle: bool = False) -> None:
        """Show what happens, live: a picture in a terminal, a line each where stdout is none.

        Returns when nothing has happened for `timeout` seconds (None: never), or with `until_idle` when no mail is on
        its way to a branch on workers; or when it is cancelled. Raises BrokerUnavailable.
        """
        await watch(self.exchange, self.id, self.name or self.id, timeout, until_idle=until_idle)

    def trace(self, mail: Any) -> Trace:
        """Return what happened to a mail, given by its id, its beginning, or itself, and to what it led to. Blocks.

        Raises ItemNotFoundError when there is no such mail, or several begin so.
        """
        found: Trace = self._run(self._seen(trace_steps(self.id, _id_of(mail))))
        return found

    async def atrace(self, mail: Any) -> Trace:
        """Trace without blocking the event loop."""
        found: Trace = await self._arun(self._seen(trace_steps(self.id, _id_of(mail))))
        return found

    def flow(self) -> Flow:
        """Return who mails whom, counted by category. Blocks."""
        found: Flow = self._run(self._seen(flow_steps(self.id)))
        return found

    async def aflow(self) -> Flow:
        """Count who mails whom without blocking the event loop."""
        found: Flow = await self._arun(self._seen(flow_steps(self.id)))
        return found

    def mails_df(self) -> DataFrame:
        """Return the mail of the session as a frame, a row each in the order of sending; at most the newest 20,000.

        Columns: `mail sender recipient category state text sent delivered begun applied attempts owner reason
        in_reply_to sender_id recipient_id`; times in UTC, `text` the beginning of what it says. Blocks.
        """
        return _mails_frame(self._run(self._lanes_steps(MOST)))

    async def amails_df(self) -> DataFrame:
        """Return the frame of the mail without blocking the event loop."""
        return _mails_frame(await self._arun(self._lanes_steps(MOST)))

    def events_df(self, after: str | None = None) -> DataFrame:
        """Return what has happened since `after` as a frame, as far as the live tail holds it, mail by mail.

        Columns: `id at kind branch mail category sender recipient text owner error attempt`; times in UTC. Blocks.
        """
        return _happenings_frame(self._run(self._happenings_steps(after)))

    async def aevents_df(self, after: str | None = None) -> DataFrame:
        """Return the frame of what has happened without blocking the event loop."""
        return _happenings_frame(await self._arun(self._happenings_steps(after)))

    def timeline(self, count: int = _TIMELINE) -> Timeline:
        """Return a picture of the newest `count` mails by time, with a lane a branch; `.save("mail.svg")`. Blocks."""
        return Timeline(self._run(self._lanes_steps(count)))

    async def atimeline(self, count: int = _TIMELINE) -> Timeline:
        """Return the picture without blocking the event loop."""
        return Timeline(await self._arun(self._lanes_steps(count)))

    def to_parquet(self, folder: str | Path) -> dict[str, Path]:
        """Write `messages`, `mails` and `events` as Parquet files into a folder, and return their paths by these names.

        What was there of these names is replaced. Blocks. Raises ConfigError without the extra `arrow`.
        """
        messages = self._messages(self._run(views.chosen_steps(self._state, None)))
        return _write(Path(folder), messages, self.mails_df(), self.events_df())

    async def ato_parquet(self, folder: str | Path) -> dict[str, Path]:
        """Write the files; only reading from the exchange does not block the event loop."""
        messages = self._messages(await self._arun(views.chosen_steps(self._state, None)))
        return _write(Path(folder), messages, await self.amails_df(), await self.aevents_df())

    def _messages(self, chosen: Any) -> DataFrame:
        return views.to_df(self._state, chosen, exclude_clone=False, exclude_load=False)

    def _seen(self, steps: Steps[Any]) -> Steps[Any]:
        """Look after what local branches have done has been stored."""
        yield from self._state.flush_steps()
        return (yield from steps)

    def _lanes_steps(self, count: int) -> Steps[Lanes]:
        passages = Passages(self.id)
        yield from self._seen(passages.read_steps())
        return lanes_of(passages, count=count)

    def _happenings_steps(self, after: str | None) -> Steps[list[Happening]]:
        yield from self._state.flush_steps()
        tail, found, before = Happenings(self.id, after), list[Happening](), ""
        while tail.position != before:
            before = tail.position
            found += yield from tail.next_steps()
            yield PAUSE
        return found

    def _repr_html_(self) -> str:
        try:
            record, branches = self._run(self._overview_steps())
        except LionError as error:
            return table_html(f"{self!r}: {error}", (), ())
        default = default_of(record)
        rows = [
            (
                one.seed.name or (DEFAULT_BRANCH if one.id == default else ""),
                one.id,
                one.seed.pool,
                one.owner * one.leased,
                one.waiting + one.inbox,
                one.deferred or "",
                one.paused,
                one.version,
            )
            for one in branches
        ]
        counters = ", ".join(f"{number} {name}" for name, number in record.counters.items() if number)
        columns = ("name", "id", "pool", "hosted by", "waiting", "retrying", "paused", "version")
        return table_html(f"{self!r} {counters}", columns, rows, record.branches - len(rows))

    def _overview_steps(self) -> Steps[Any]:
        record = yield from session_steps(self.id)
        return record, (yield from ask(ReadBranches(self.id, count=ROWS)))


def _id_of(mail: Any) -> str:
    return str(getattr(mail, "id", mail))


def _mails_frame(lanes: Lanes) -> DataFrame:
    from lion_broker.core.frames import table_to_frame

    return table_to_frame(mail_rows(lanes), MAIL_COLUMNS)


def _happenings_frame(found: list[Happening]) -> DataFrame:
    from lion_broker.core.frames import table_to_frame

    return table_to_frame(happening_rows(found), HAPPENING_COLUMNS)


def _write(folder: Path, messages: DataFrame, mails: DataFrame, events: DataFrame) -> dict[str, Path]:
    from lion_broker.core.arrow import frame_to_parquet

    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, frame in (("messages", messages), ("mails", mails), ("events", events)):
        paths[name] = folder / f"{name}.parquet"
        frame_to_parquet(frame, paths[name])
    return paths
