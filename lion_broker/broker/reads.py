"""The verbs that only look, as plain reads: commands and how to read their replies. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from lion_broker.mail import verbs as v
from lion_broker.mail.checks import is_id
from lion_broker.mail.records import (
    LAST,
    OVER,
    START,
    AuditEntry,
    BranchRecord,
    BranchSeed,
    DeadLetter,
    LogRecord,
    Occurrence,
    ReadyEntry,
    Record,
    Reply,
    SessionRecord,
    Stamp,
    gap,
    is_after,
    place_of,
)
from lion_broker.mail.waiting import STOPPED, Waiting
from lion_broker.mail.wire import WireMail

from .codec import unpacked_records
from .deployment_reads import OVERLOOK
from .namespace import OpenNamespace, call
from .requests import Command, Request
from .turn_replies import read_ready_entry

__all__ = ["GROUP", "READS", "create_group"]

GROUP: Final = "workers"
_AHEAD: Final = ":ahead"
"""How a reader is called whose entries wait in line: the functions know by it that it claims first."""
_COUNTERS: Final = ("posted", "applied", "redelivered", "dead", "inflight", "delayed")
_TIP: Final = "$"
_BARE_FIELDS: Final = 2
_STAMPED_FIELDS: Final = 4
"""What an entry of a log has: its kind and record, and the first of a version its stamp."""
_MS_DIGITS: Final = 16
"""More than a time in ms has."""


def read_session(namespace: OpenNamespace, verb: v.ReadSession) -> Request:
    """Fields and counters of a session."""
    key = namespace.keys.session(verb.session)

    def parse(replies: Sequence[Any]) -> SessionRecord | None:
        stored = _texts(replies[0])
        if not stored:
            return None
        fields = {name[2:]: value for name, value in stored.items() if name.startswith("f:")}
        counters = {name: int(stored.get(name, 0)) for name in _COUNTERS}
        caps = (int(stored.get(name, 0)) for name in ("cap", "cap_bytes"))
        return SessionRecord(verb.session, {**fields, "delivery": stored["delivery"]}, counters, replies[1], *caps)

    return Request((("HGETALL", key), ("ZCOUNT", f"{key}:branches", "(0", "+inf")), parse)


def list_sessions(namespace: OpenNamespace, verb: v.ListSessions) -> Request:
    """Ids of all sessions, oldest first."""
    commands = tuple(
        ("ZRANGE", namespace.keys.sessions(partition), 0, -1, "WITHSCORES")
        for partition in range(namespace.keys.partitions)
    )

    def parse(replies: Sequence[Any]) -> tuple[str, ...]:
        scored = [(float(reply[i + 1]), reply[i].decode()) for reply in replies for i in range(0, len(reply), 2)]
        return tuple(session for _, session in sorted(scored))

    return Request(commands, parse)


def read_branches(namespace: OpenNamespace, verb: v.ReadBranches) -> Request:
    """Where branches stand, with the server's own view of their leases."""
    named: tuple[str | int, ...] = (-1,) if verb.ids is None else (len(verb.ids), *verb.ids)
    command = call("read_branches", [namespace.keys.session(verb.session)], verb.start, verb.count, *named)

    def parse(replies: Sequence[Any]) -> tuple[BranchRecord, ...]:
        now, *rows = replies[0]
        return tuple(_branch(now, *row) for row in rows)

    return Request((command,), parse)


def read_log(namespace: OpenNamespace, verb: v.ReadLog) -> Request:
    """Records of a branch's log."""
    after = f"{verb.version}-{verb.place}" if verb.version else START
    command = ("XRANGE", namespace.keys.log(verb.session, verb.branch), *_following(after), "COUNT", verb.count)

    def parse(replies: Sequence[Any]) -> tuple[LogRecord, ...]:
        rows = [row for entry in replies[0][:1] for row in _log_records(entry)]
        if verb.version:
            # The first entry may begin with what has been read: it is named by its last record.
            rows = [row for row in rows if (row.version, row.place) > (verb.version, verb.place)]
        for entry in replies[0][1:]:
            rows += _log_records(entry)
        return tuple(rows)

    return Request((command,), parse)


def read_inbox(namespace: OpenNamespace, verb: v.ReadInbox) -> Request:
    """What waits in a branch's inbox."""
    key = namespace.keys.inbox(verb.session, verb.branch)
    command = ("XRANGE", key, *_following(verb.after), "COUNT", verb.count)
    return Request(
        (command,),
        lambda replies: tuple(namespace.codec.open(entry, verb.session, verb.branch) for entry in replies[0]),
    )


def read_waiting(namespace: OpenNamespace, verb: v.ReadWaiting) -> Request:
    """`read_waiting.lua`."""
    args = (verb.branch, str(verb.where), verb.lane, verb.after, verb.count)
    command = call("read_waiting", [namespace.keys.session(verb.session)], *args)

    def parse(replies: Sequence[Any]) -> tuple[Waiting, ...]:
        return tuple(_waiting(namespace, verb.session, row) for row in replies[0])

    return Request((command,), parse)


def read_dead(namespace: OpenNamespace, verb: v.ReadDead) -> Request:
    """Dead letters of a session."""
    command = ("XRANGE", namespace.keys.dead(verb.session), *_following(verb.after), "COUNT", verb.count)

    def parse(replies: Sequence[Any]) -> tuple[DeadLetter, ...]:
        return tuple(_dead_letter(namespace, verb.session, entry) for entry in replies[0])

    return Request((command,), parse)


def read_events(namespace: OpenNamespace, verb: v.ReadEvents) -> Request:
    """The live tail of a session."""
    key = namespace.keys.events(verb.session)
    if verb.after == _TIP:
        return Request((("XREVRANGE", key, "+", "-", "COUNT", 1),), _tip)
    # One after the other: as many occurrences as are kept do not come between the two.
    first = (call("events_kept", [key]),) if verb.gaps and verb.after != START else ()
    block = ("BLOCK", verb.wait_ms) if verb.wait_ms > 0 else ()
    command: Command = ("XREAD", "COUNT", verb.count, *block, "STREAMS", key, verb.after)

    def parse(replies: Sequence[Any]) -> tuple[Occurrence, ...]:
        found = tuple(_occurrence(entry) for _, entries in replies[-1] or () for entry in entries)
        oldest, gone = replies[0] if first else (b"", 0)
        if found and gone > 0 and is_after(oldest.decode(), verb.after):
            return (gap(verb.after, oldest.decode()), *found)
        return found

    return Request((*first, command), parse, wait_ms=verb.wait_ms)


def await_reply(namespace: OpenNamespace, verb: v.AwaitReply) -> Request:
    """Answers to a client's commands; what it has read goes, but for the last, which holds the place."""
    key = namespace.keys.reply(verb.session, verb.client)
    block = ("BLOCK", verb.wait_ms) if verb.wait_ms > 0 else ()
    command: Command = ("XREAD", *block, "STREAMS", key, verb.after)
    trim: tuple[Command, ...] = (("XTRIM", key, "MINID", verb.after),) if verb.after != START else ()

    def parse(replies: Sequence[Any]) -> tuple[Reply, ...]:
        rows = [(entry[0].decode(), _flat(entry[1])) for _, entries in replies[-1] or () for entry in entries]
        # A row without these was not written by a verb.
        return tuple(
            Reply(verb.client, row["mail"].decode("utf-8", "replace"), row["d"], place)
            for place, row in rows
            if "mail" in row and "d" in row
        )

    return Request((*trim, command), parse, wait_ms=verb.wait_ms)


def drop_replies(namespace: OpenNamespace, verb: v.DropReplies) -> Request:
    """What clients were told and read, or will not read; it would go by itself after a while."""
    keys = [namespace.keys.reply(verb.session, client) for client in verb.clients]
    return Request((("UNLINK", *keys),) if keys else (), lambda replies: None)


def read_cancelled(namespace: OpenNamespace, verb: v.ReadCancelled) -> Request:
    """Commands that nobody waits for."""
    command: Command = ("SMEMBERS", namespace.keys.cancelled(verb.session, verb.branch))
    return Request((command,), lambda replies: frozenset(name.decode("utf-8", "replace") for name in replies[0]))


def read_ready(namespace: OpenNamespace, verb: v.ReadReady) -> Request:
    """Branches of a pool that have work, each given to one reader."""
    ahead = verb.seats is not None and verb.seats < verb.count * namespace.keys.partitions
    partitions = range(namespace.keys.partitions)
    overflows = [namespace.keys.overflow(verb.pool, partition).encode() for partition in partitions if verb.overflow]
    # What comes first gets the seats that are free.
    keys = (*(namespace.keys.ready(verb.pool, partition) for partition in partitions), *overflows)
    block = ("BLOCK", verb.wait_ms) if verb.wait_ms > 0 else ()
    command = (
        "XREADGROUP",
        "GROUP",
        GROUP,
        f"{verb.owner}{_AHEAD}" if ahead else verb.owner,
        "COUNT",
        verb.count,
        *block,
        "STREAMS",
        *keys,
        *(">" for _ in keys),
    )

    def parse(replies: Sequence[Any]) -> tuple[ReadyEntry, ...]:
        found = []
        for stream, entries in replies[0] or ():
            over = OVER if stream in overflows else ""
            for entry_id, fields in entries:
                named = dict(zip(fields[0::2], fields[1::2], strict=True))
                session = named.get(b"s", b"").decode("utf-8", "replace")
                branch = named.get(b"b", b"").decode("utf-8", "replace")
                # What names no branch was not written by a verb; the sweeper drops it.
                if is_id(session) and is_id(branch):
                    given = (
                        None if ahead or over else read_ready_entry(namespace.codec, entry_id, fields, session, branch)
                    )
                    found.append(ReadyEntry(over + entry_id.decode(), session, branch, given))
        return tuple(found)

    return Request((command,), parse, wait_ms=verb.wait_ms)


def read_audit(namespace: OpenNamespace, verb: v.ReadAudit) -> Request:
    """What people have done, newest first."""
    last = f"({verb.before}" if verb.before else "+"
    command: Command = ("XREVRANGE", namespace.keys.audit(), last, "-", "COUNT", verb.count)
    return Request((command,), lambda replies: tuple(map(_audit_entry, replies[0])))


def create_group(namespace: OpenNamespace, pool: str) -> tuple[Command, ...]:
    """`open_pool.lua`, once for each partition: the pool's group of workers, from the first entry on."""
    return tuple(
        call("open_pool", [namespace.keys.ready(pool, partition)]) for partition in range(namespace.keys.partitions)
    )


READS: Final[Mapping[type[v.Verb[Any]], Callable[[OpenNamespace, Any], Request]]] = {
    v.ReadSession: read_session,
    v.ListSessions: list_sessions,
    v.ReadBranches: read_branches,
    v.ReadLog: read_log,
    v.ReadInbox: read_inbox,
    v.ReadWaiting: read_waiting,
    v.ReadDead: read_dead,
    v.ReadEvents: read_events,
    v.AwaitReply: await_reply,
    v.DropReplies: drop_replies,
    v.ReadCancelled: read_cancelled,
    v.ReadReady: read_ready,
    v.ReadAudit: read_audit,
    **OVERLOOK,
}


def _following(entry: str) -> tuple[str, str]:
    """The bounds of what comes after an entry; of the last one that there can be the server knows no successor."""
    return (f"({entry}", "+") if entry != LAST else ("+", "-")


def _flat(fields: Sequence[bytes]) -> dict[str, bytes]:
    pairs = zip(fields[0::2], fields[1::2], strict=True)
    return {name.decode("utf-8", "replace"): value for name, value in pairs}


def _texts(fields: Sequence[bytes]) -> dict[str, str]:
    return {name: value.decode("utf-8", "replace") for name, value in _flat(fields).items()}


def _branch(now: int, raw: Sequence[bytes], waiting: int, inbox: int, outbox: int, delayed: int) -> BranchRecord:
    stored = _texts(raw)
    fields = {name[2:]: value for name, value in stored.items() if name.startswith("x:")}
    token = stored.get("token", "")
    at, at_since = _at(stored.get("at", ""), token)
    return BranchRecord(
        BranchSeed(stored["id"], stored["name"], stored["pool"], stored["behaviour"], fields),
        state=stored["state"],
        owner=stored.get("owner", ""),
        leased=float(stored.get("lease", 0)) > now and "token" in stored,
        cursor=stored["cursor"],
        version=int(stored["version"]),
        waiting=waiting,
        inbox=inbox,
        outbox=outbox,
        deferred=int(stored.get("deferred", 0)),
        delayed=delayed,
        paused=stored.get("paused", ""),
        copies=stored.get("copy_of", ""),
        handed=stored.get("handed", START),
        tries=int(stored.get("tries", 0)),
        tried_by=tuple(stored.get("tried_by", "").split("\n")) if stored.get("tried_by") else (),
        lane=stored.get("lane", ""),
        at=at,
        at_since=at_since,
        stopped=token.endswith(STOPPED),
    )


def _at(said: str, token: str) -> tuple[str, int]:
    """What the bearer of a token said it is at, and since when; nothing of what another one has said."""
    told, _, since = said.rpartition(" ")
    at = told.removesuffix(f" {token}")
    if at in ("", told) or not since.isdecimal() or len(since) >= _MS_DIGITS:
        return "", 0
    return at, int(since)


def _log_records(entry: Sequence[Any]) -> list[LogRecord]:
    """The records of an entry; a single one of no kind where no verb has written it."""
    id_of_last, stored = entry
    version, last = map(int, id_of_last.split(b"-"))
    stamped = len(stored) == _STAMPED_FIELDS and stored[2] == b"t"
    plain = (stamped or len(stored) == _BARE_FIELDS) and stored[0] == b"r"
    records = unpacked_records(stored[1]) if plain else []
    if not 0 < len(records) <= last:
        return [LogRecord(version, last, Record("", b""))]
    first = last - len(records) + 1
    found = [LogRecord(version, place, record) for place, record in enumerate(records, first)]
    if stamped:
        found[0] = LogRecord(version, first, records[0], _stamp(stored[3]))
    return found


def _stamp(raw: bytes) -> Stamp | None:
    """When and by whom a commit was made; None for what no verb has written."""
    first, *owners = raw.decode("utf-8", "replace").split("\n")
    at, _, consumed = first.partition(" ")
    if not at.isdecimal() or len(at) >= _MS_DIGITS:
        return None
    return Stamp(int(at), tuple(filter(None, owners)), consumed)


def _waiting(namespace: OpenNamespace, session: str, row: Sequence[Any]) -> Waiting:
    place, lane, due, attempts, recipient, sealed, blob, straight = row
    mail = namespace.codec.open_mail(sealed, session, recipient.decode("utf-8", "replace"), blob or None)
    return Waiting(place.decode(), mail, lane.decode("utf-8", "replace"), due, attempts, straight == 1)


def _dead_letter(namespace: OpenNamespace, session: str, entry: Sequence[Any]) -> DeadLetter:
    raw = {"reason": b"unknown", **_flat(entry[1])}

    def text(name: str) -> str:
        return raw.get(name, b"").decode("utf-8", "replace")

    attempts, branch = text("attempts"), text("branch")
    mail = namespace.codec.open_mail(raw.get("m", b""), session, branch, raw.get("x"))
    return DeadLetter(
        id=entry[0].decode(),
        reason=text("reason"),
        detail=text("detail"),
        branch=branch,
        attempts=int(attempts) if attempts.isdecimal() and len(attempts) < 16 else 0,
        owners=tuple(text("owners").splitlines()),
        error=text("error"),
        mail=mail if isinstance(mail, WireMail) else None,
    )


_TURN: Final = ("branch", "version", "cursor", "handled", "sent", "deferred", "owner")
"""What is told of a turn, in the order of its one value; an owner may have spaces in its name."""


def _occurrence(entry: Sequence[Any]) -> Occurrence:
    fields = _texts(entry[1])
    told = fields.get("turn", "").split(" ", len(_TURN) - 1)
    if len(told) == len(_TURN):
        return Occurrence(entry[0].decode(), "turn", dict(zip(_TURN, told, strict=True)))
    return Occurrence(entry[0].decode(), fields.pop("k", "unknown"), fields)


def _audit_entry(entry: Sequence[Any]) -> AuditEntry:
    found, entry_id = _texts(entry[1]), entry[0].decode()
    who, what, target, detail = (found.get(name, "") for name in ("who", "what", "target", "detail"))
    return AuditEntry(entry_id, who, what, target, detail, place_of(entry_id)[0] / 1000)


def _tip(replies: Sequence[Any]) -> tuple[Occurrence, ...]:
    newest = replies[0][0][0].decode() if replies[0] else "0-0"
    return (Occurrence(newest, "tip", {}),)
