"""Mail that is addressed to the session itself."""

from __future__ import annotations

from lion_broker.branch.items import decode_item
from lion_broker.branch.journal import Chronicle, Kind, nothing_record, took_record
from lion_broker.branch.refusal import reason_of, warn_rejected
from lion_broker.branch.session_context import SessionContext
from lion_broker.core.ids import IDType
from lion_broker.core.pile_change import PileChange
from lion_broker.core.portable import readable
from lion_broker.mail.exchange import Steps, ask
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.package import PackageCategory
from lion_broker.mail.records import START, Burial, Entry, Record, Rejected
from lion_broker.mail.verbs import Claim, Commit, ReadInbox, Release, Station
from lion_broker.mail.wire import WireMail
from lion_broker.messages import RoledMessage
from lion_broker.models.imodel import iModel
from lion_broker.tools.tool import Tool

__all__ = ["SessionInbox", "commit_steps"]


class SessionInbox:
    """Applies mail for the session's own id.

    Messages join the session's own history, tools and models become those that new branches may name.

    Any process that has the session open may do it; a short lease keeps them apart.
    """

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self.chronicle = Chronicle(context.session, context.session)
        # Whoever changes them here changes a picture, but one that is to be gathered as it is.
        self.chronicle.msgs.observe(_heed)
        self.tools: dict[str, Tool] = {}
        self.models: dict[str, iModel] = {}

    def apply_steps(self) -> Steps[int]:
        """Apply what waits; returns how many mails took effect. Mail of other categories stays."""
        session = self._context.session
        applied, after = 0, START
        while entries := (yield from ask(ReadInbox(session, session, after))):
            after = entries[-1].id
            applied += yield from self._apply_page(entries)
        return applied

    def _apply_page(self, entries: tuple[Entry, ...]) -> Steps[int]:
        taken, records, buried = [], [], []
        session = self._context.session
        for entry in entries:
            if isinstance(entry.mail, Rejected):
                warn_rejected(session, entry.id, entry.mail)
                buried.append(Burial(entry.id, entry.mail.reason, entry.mail.detail, inbox=True))
                continue
            try:
                record = self._apply(entry.mail)
            except Exception as error:
                buried.append(Burial(entry.id, reason_of(error), readable(error), inbox=True))
                continue
            if record is not None:
                taken.append(entry.id)
                records.append(record)
        if not taken and not buried:
            return 0
        context = self._context
        outcome = yield from commit_steps(context.session, context.owner, tuple(records), tuple(taken), tuple(buried))
        # STALE: another process was quicker with the same mail; it is applied either way.
        return len(taken) if outcome in (Outcome.OK, Outcome.ALREADY) else 0

    def _apply(self, mail: WireMail) -> Record | None:
        category, context, header = PackageCategory(mail.header.category), self._context, mail.header
        told = (context.registry, context.objects, header.id, float(header.created))
        if category == PackageCategory.MESSAGE:
            decode_item(category, mail.item(), *told)
            return Record(Kind.MAIL, mail.body, mail.head)
        if category not in (PackageCategory.TOOL, PackageCategory.IMODEL):
            return None
        item, _ = decode_item(category, mail.item(), *told)
        if category == PackageCategory.TOOL:
            self.tools.update({tool.function: tool for tool in item})
        else:
            self.models[item.name] = item
        return took_record(header)


def commit_steps(
    session: str, owner: str, records: tuple[Record, ...], taken: tuple[str, ...], buried: tuple[Burial, ...] = ()
) -> Steps[Outcome]:
    """Write down what became of entries of the session's own inbox, which go with it: all of it, or nothing.

    OK; STALE when one of them is gone, or the history was written to meanwhile; HELD while somebody else does so.
    """
    token = IDType.create()
    claimed = yield from ask(Claim(session, session, token, owner=owner))
    if claimed.outcome != Outcome.OK:
        return claimed.outcome
    answer = yield from ask(
        Commit(
            session=session,
            branch=session,
            token=token,
            cursor=claimed.cursor,
            consumed=claimed.cursor,
            version=claimed.version,
            records=records or (nothing_record(),),
            taken=taken,
            buried=buried,
            handled=len(taken),
        )
    )
    yield from ask(Release((Station(session, session, token),)))
    return answer.outcome


def _heed(change: PileChange[RoledMessage]) -> None:
    """Have messages tell their pile of changes; nothing else is to be done about them."""
