"""The branches of a session that live in this process: their leases, their commits, their pending mail."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import groupby
from operator import itemgetter

from lion_broker.branch.branch import Branch
from lion_broker.branch.contents import equip, first_records
from lion_broker.branch.directory import Place, gone
from lion_broker.branch.host import Host
from lion_broker.branch.journal import copy_record
from lion_broker.branch.session_context import SessionContext
from lion_broker.broker.leases import LeaseKeeper
from lion_broker.core.ids import IDType
from lion_broker.core.numbers import counted
from lion_broker.core.portable import to_portable
from lion_broker.errors import BrokerError
from lion_broker.mail.exchange import Steps, ask, together
from lion_broker.mail.mail import Mail
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import BranchRecord, BranchSeed
from lion_broker.mail.verbs import Claim, CreateBranch, Station

__all__ = ["LocalBranches"]

_CLOSED = "its session is closed here, so no mail goes out or comes in; take it up with Session.open(id)"


class LocalBranches:
    """Hosts branches in this process as a worker would: lease, log, commit.

    `manual` says that mail waits in outboxes until the session collects or sends it.
    """

    def __init__(self, context: SessionContext, *, manual: bool) -> None:
        self.context = context
        self.hosts: dict[IDType, Host] = {}
        self._manual = manual
        self._keeper = LeaseKeeper(context.exchange, context.lease_ms)

    def add_steps(self, branch: Branch, copied_from: Branch | None = None) -> Steps[None]:
        """Create a branch in the exchange and host it. `copied_from` is the branch that it was split off."""
        token = str(IDType.create())
        records = first_records(branch, copied_from is None)
        if copied_from is not None:
            version = self.hosts[copied_from.id].version
            records = (copy_record(copied_from.id, version, self.context.session), *records)
        outcome = yield from ask(
            CreateBranch(
                session=self.context.session,
                seed=BranchSeed(branch.id, branch.name or "", fields=_fields(branch)),
                records=records,
                token=token,
                owner=self.context.owner,
                copies=copied_from.id if copied_from is not None else "",
                lease_ms=self.context.lease_ms,
            )
        )
        if outcome == Outcome.UNKNOWN:
            raise gone(self.context.session)
        if outcome == Outcome.DUPLICATE:
            # The first answer was lost and this is the repeat, unless somebody uses the same id.
            claimed = yield from ask(Claim(self.context.session, branch.id, token, owner=self.context.owner))
            if claimed.outcome != Outcome.OK:
                raise BrokerError(f"A branch with the id {branch.id} exists already and is hosted elsewhere.")
        yield from self._host_steps(branch, token, version=1 if records else 0)

    def take_over_steps(self, record: BranchRecord) -> Steps[Branch | None]:
        """Host a branch whose process is gone; None while somebody else hosts it."""
        token = str(IDType.create())
        session = self.context.session
        claimed = yield from ask(
            Claim(session, record.id, token, owner=self.context.owner, lease_ms=self.context.lease_ms)
        )
        if claimed.outcome != Outcome.OK:
            return None
        branch = Branch(id=record.id, name=record.seed.name or None, user=record.seed.fields.get("user"))
        host = yield from self._host_steps(branch, token, version=claimed.version, is_stored=True)
        host.cursor, host.version = claimed.cursor, claimed.version
        return branch

    def flush_steps(self) -> Steps[None]:
        """Commit what the branches have done since the last time; several in one round trip."""
        yield from together([host.commit_steps() for host in self.hosts.values() if host.dirty])

    def receive_steps(self, ids: Collection[IDType] | None = None) -> Steps[int]:
        """Apply the pending mail of branches (None: of all); returns how many mails took effect."""
        chosen = [host.branch for branch_id, host in self.hosts.items() if ids is None or branch_id in ids]
        counts = yield from together([branch.receive_steps() for branch in chosen])
        return sum(counts)

    def refresh_steps(self, ids: Iterable[str]) -> Steps[None]:
        """Read newly delivered mail of branches into their mailboxes."""
        yield from together([self.hosts[IDType(one)].refresh_steps() for one in ids if one in self.hosts])

    def outgoing(
        self, senders: Collection[IDType] | None = None, recipients: Collection[IDType] | None = None
    ) -> list[tuple[Branch, Mail]]:
        """Return what the exchange holds of the outboxes: mail of branches to branches (None: of or to all).

        Mail that has not been committed is not there yet, and stays when the rest has gone.
        """
        found = []
        for branch_id, host in self.hosts.items():
            if senders is None or branch_id in senders:
                waiting = host.uncommitted_mails()
                found += [
                    (host.branch, mail)
                    for mail in host.branch.mailbox.outgoing()
                    if mail.id not in waiting and (recipients is None or mail.recipient in recipients)
                ]
        return found

    @staticmethod
    def let_go(mails: Iterable[tuple[Branch, Mail]]) -> None:
        """Take note that mail has left the outboxes."""
        for branch, group in groupby(mails, itemgetter(0)):
            branch.mailbox.let_go(mail for _, mail in group)

    def token_of(self, branch: str) -> str:
        """The token of a branch that is hosted here, else an empty text."""
        host = self.hosts.get(IDType(branch))
        return host.token if host else ""

    def leave(self, branch: IDType, why: str) -> None:
        """Stop hosting a branch; the object lives on alone, but for its mail, which `why` refuses."""
        host = self.hosts.pop(branch, None)
        if host is not None:
            self._keeper.remove(host.station())
            host.branch.leave(why)
            host.branch.msgs.observe(None)
            host.branch.logs.observe(None)

    def close(self, *, release: bool = True) -> None:
        """Hand the branches back and stop renewing their leases."""
        try:
            if release:
                self._keeper.release_all()
        finally:
            self._keeper.close()
            for branch in list(self.hosts):
                self.leave(branch, _CLOSED)

    def _host_steps(self, branch: Branch, token: str, *, version: int, is_stored: bool = False) -> Steps[Host]:
        host = Host(branch, self.context, token=token)
        host.version = version
        host.keeps_outbox = self._manual
        host.attach()
        if is_stored:
            equip(branch, (yield from host.load_steps()), self.context.registry)
        for mail in branch.mailbox.outgoing():
            # Mail that the branch had in its outbox before it joined the session is addressed again.
            package = mail.package
            _, body = yield from host.address_steps(
                mail.recipient, package.category, package.item, package.request_source
            )
            host.sending(mail, body)
        self.hosts[branch.id] = host
        self.context.directory.know(Place(branch.id, branch.name or ""))
        self._keeper.add(Station(self.context.session, branch.id, token))
        return host

    def __repr__(self) -> str:
        return f"LocalBranches({counted(len(self.hosts), 'branch')})"


def _fields(branch: Branch) -> dict[str, str]:
    return {"user": str(to_portable(branch.user, what="The user of the branch"))} if branch.user is not None else {}
