"""What people have done, as (nonce, entry), oldest first."""

from __future__ import annotations

from itertools import islice

from lion_broker.mail import verbs as v
from lion_broker.mail.records import AuditEntry, is_after
from lion_broker.mail.verbs.audit import AUDIT_KEPT

from .store import Store

__all__ = ["read_audit", "write_audit"]

_LOOKED_AT = 100


def write_audit(store: Store, verb: v.WriteAudit) -> str:
    """A new entry, unless it is one of the newest already."""
    for nonce, entry in store.audit[-_LOOKED_AT:]:
        if nonce == verb.nonce:
            return entry.id
    place = store.new_id()
    made = AuditEntry(place, verb.who, verb.what, verb.target, verb.detail, int(place.partition("-")[0]) / 1000)
    store.audit.append((verb.nonce, made))
    del store.audit[:-AUDIT_KEPT]
    return made.id


def read_audit(store: Store, verb: v.ReadAudit) -> tuple[AuditEntry, ...]:
    """A page of entries, newest first."""
    entries = (entry for _, entry in reversed(store.audit))
    before = (entry for entry in entries if not verb.before or is_after(verb.before, entry.id))
    return tuple(islice(before, verb.count))
