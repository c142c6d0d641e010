"""What can be said of a verb without asking anybody; every exchange calls `check` before anything else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple

from lion_broker.errors import ConfigError

from . import verbs as v
from .records import OVER, START, place_of
from .waiting import WaitsAt
from .wire import WireMail

__all__ = ["DELIVERIES", "check", "is_entry", "is_id"]

DELIVERIES: Final = ("manual", "auto")

# A colon in the id of a session or branch would let one key of a server be read as another's.
_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_ENTRY: Final = re.compile(r"(0|[1-9][0-9]{0,19})-(0|[1-9][0-9]{0,19})")
_SHORT: Final = len("0-") + 19
_HALF_CHARACTER: Final = re.compile(r"[\ud800-\udfff]")


_NO_USUAL: Final = object()
"""Stands for a default where a field has none that holds."""


class _Rule(NamedTuple):
    holds: Callable[[Any], bool]
    needed: str


def check(verb: v.Verb[Any], /) -> None:
    """Raise ConfigError (a ValueError) when no exchange could do the verb, whatever it holds."""
    kind: Any = type(verb)
    rules, values_of, extra = _rules_of(kind)
    for value, (usual, holds, name, needed) in zip(values_of(verb), rules, strict=False):
        if value is not usual and not holds(value):
            shown = repr(value)
            shown = shown if len(shown) <= 80 else shown[:77] + "..."
            raise ConfigError(f"{kind.__name__}.{name} cannot be {shown}: {needed}.")
    if extra is not None:
        extra(verb)


class _Rules(NamedTuple):
    """The rules for a verb's fields, what reads the values that they are for, and what else is looked at.

    A rule begins with the field's default, where that holds: most fields have it.
    """

    rules: tuple[tuple[object, Callable[[Any], bool], str, str], ...]
    values_of: Callable[[Any], tuple[Any, ...]]
    extra: Callable[[Any], None] | None


@cache
def _rules_of(kind: type) -> _Rules:
    own = _OWN_RULES.get(kind, {})
    found = [(field, rule) for field in fields(kind) if (rule := own.get(field.name) or _RULES.get(field.name))]
    rules = tuple((_usual(field.default, rule), rule.holds, field.name, rule.needed) for field, rule in found)
    # With one name alone it would be the value; a verb has no tuple of them then.
    names = [field.name for field, _ in found]
    values_of = attrgetter(*names, "__class__") if names else lambda verb: ()
    return _Rules(rules, values_of, _EXTRA.get(kind))


def _usual(default: object, rule: _Rule) -> object:
    return default if default is not MISSING and rule.holds(default) else _NO_USUAL


def is_id(value: Any) -> bool:
    """Whether a value may be the id of a session or branch."""
    return isinstance(value, str) and _fits_id(value)


# The same few ids and names come with every verb.
@lru_cache(maxsize=1024)
def _fits_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _fits_name(value)


@lru_cache(maxsize=256)
def _fits_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def is_entry(value: Any) -> bool:
    """Whether a value may be the id of an entry of a stream."""
    if value == START:
        return True
    found = _ENTRY.fullmatch(value) if isinstance(value, str) else None
    # A number of nineteen digits always fits into 64 bits.
    return found is not None and (len(value) <= _SHORT or all(int(part) < 2**64 for part in found.groups()))


def _is_mark(value: Any) -> bool:
    """Whether a value may be the name of a ready entry."""
    return isinstance(value, str) and is_entry(value.removeprefix(OVER))


def _are_entries(values: Iterable[Any]) -> bool:
    return all(map(is_entry, values))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and (value.isascii() or _HALF_CHARACTER.search(value) is None)


def _are_texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(_is_text(text) for pair in value.items() for text in pair)


def _from(least: int) -> _Rule:
    needed = f"a whole number from {least} to 2**53 is needed"
    return _Rule(lambda value: type(value) is int and least <= value <= 2**53, needed)


_AN_ID: Final = _Rule(is_id, "an id of 1 to 128 letters, digits, '_', '.' or '-' is needed")
_A_NAME: Final = _Rule(_is_name, "a name of 1 to 128 letters, digits, '_', '.', ':' or '-' is needed")
_A_NAME_OR_NONE: Final = _Rule(lambda value: value == "" or _is_name(value), f"{_A_NAME.needed}, or none")
_AN_ENTRY: Final = _Rule(is_entry, "an entry id like '0-0' is needed")
_ENTRIES: Final = _Rule(_are_entries, "entry ids like '0-0' are needed")
_SOME_IDS: Final = _Rule(lambda value: value is None or all(map(is_id, value)), f"for each, {_AN_ID.needed}")
_TEXT: Final = _Rule(_is_text, "a text is needed")
_SOME_TEXT: Final = _Rule(lambda value: _is_text(value) and value != "", "a text that is not empty is needed")
_TEXTS: Final = _Rule(_are_texts, "texts by their names are needed")

_NAMES: Final = _Rule(lambda value: all(map(_is_name, value)), f"for each, {_A_NAME.needed}")

_RULES: Final[Mapping[str, _Rule]] = {
    "session": _AN_ID,
    "branch": _AN_ID,
    "branches": _SOME_IDS,
    "recipients": _SOME_IDS,
    "ids": _SOME_IDS,
    "pool": _A_NAME,
    "client": _A_NAME,
    "clients": _NAMES,
    "producer": _A_NAME,
    "budget": _A_NAME,
    "token": _SOME_TEXT,
    "nonce": _TEXT,
    "owner": _TEXT,
    "fields": _TEXTS,
    "cap": _from(0),
    "cap_bytes": _from(0),
    "letters": _Rule(lambda value: bool(value) and _are_entries(value), "entry ids like '1-0' are needed"),
    "lane": _Rule(lambda value: value == "" or is_id(value), f"{_AN_ID.needed}, or none"),
    "lane_done": _AN_ENTRY,
    "pause": _TEXT,
    "reason": _SOME_TEXT,
    "seq": _from(1),
    "part": _from(1),
    "limit": _from(1),
    "count": _from(1),
    "start": _from(0),
    "place": _from(0),
    "version": _from(0),
    "handled": _from(0),
    "lease_ms": _from(1),
    "keep_ms": _from(1),
    "idle_ms": _from(0),
    "wait_ms": _from(0),
    "cursor": _AN_ENTRY,
    "consumed": _AN_ENTRY,
    "after": _AN_ENTRY,
    "entry": _AN_ENTRY,
    "taken": _ENTRIES,
    "aside": _ENTRIES,
    "targets": _Rule(
        lambda targets: all(map(is_id, targets)) and _are_entries(targets.values()),
        "branch ids and entry ids are needed",
    ),
    "command": _AN_ID,
    "in_reply_to": _A_NAME,
    "records": _Rule(bool, "at least one record is needed, or the log would have a gap"),
    "mails": _Rule(bool, "at least one mail is needed"),
}
_SEED_RULES: Final[Mapping[str, _Rule]] = {
    "id": _AN_ID,
    "name": _TEXT,
    "pool": _A_NAME_OR_NONE,
    "behaviour": _TEXT,
    "fields": _TEXTS,
}
_LIMITS: Final[Mapping[str, _Rule]] = {
    "limit_requests": _from(-1),
    "limit_tokens": _from(-1),
    "interval_ms": _from(1),
}
_SHORT_TEXT: Final = _Rule(
    lambda value: _is_text(value) and len(value) <= 1000, "a text of up to 1,000 characters is needed"
)
_LONGEST_OWNER: Final = 512
_OWNER_NEEDED: Final = f"a text of 1 to {_LONGEST_OWNER} characters is needed"
_ANYTHING: Final = _Rule(lambda value: True, "")
_OWN_RULES: Final[Mapping[type[v.Verb[Any]], Mapping[str, _Rule]]] = {
    v.CreateBranch: {
        "token": _TEXT,
        "records": _ANYTHING,
        "copies": _Rule(lambda value: value == "" or is_id(value), _AN_ID.needed),
    },
    v.CloseBranch: {"token": _TEXT, "nonce": _TEXT},
    v.Claim: {
        "entry": _Rule(lambda value: value == "" or _is_mark(value), f"{_AN_ENTRY.needed}, or none"),
        "pool": _A_NAME_OR_NONE,
        "batch": _from(1),
    },
    v.Commit: {"mails": _ANYTHING, "batch": _from(0)},
    v.Dispatch: {"mails": _ANYTHING, "nonce": _SOME_TEXT},
    v.Step: {"name": _A_NAME},
    v.Say: {
        "text": _Rule(
            lambda value: _is_text(value) and len(value) <= 4000, "a text of up to 4,000 characters is needed"
        ),
        "at": _from(0),
    },
    v.Promote: {"session": _Rule(lambda value: value == "" or is_id(value), f"{_AN_ID.needed}, or none")},
    v.Reserve: {
        "requests": _from(0),
        "tokens": _from(0),
        "title": _SHORT_TEXT,
        "who": _SHORT_TEXT,
        "calls": _from(1),
        **_LIMITS,
    },
    v.Settle: {"requests": _from(-(2**53)), "tokens": _from(-(2**53)), **_LIMITS},
    v.WriteAudit: {"who": _SOME_TEXT, "what": _SOME_TEXT, "target": _TEXT, "detail": _TEXT, "nonce": _SOME_TEXT},
    v.ReadAudit: {"before": _Rule(lambda value: value == "" or is_entry(value), f"{_AN_ENTRY.needed}, or none")},
    v.OrderWorkers: {"owners": _Rule(lambda owners: all(map(_is_owner, owners)), f"for each, {_OWNER_NEEDED}")},
    v.SetWanted: {"wanted": _Rule(lambda value: value is None or _from(0).holds(value), f"{_from(0).needed}, or None")},
    v.Restore: {"mails": _ANYTHING},
    v.Withdraw: {"detail": _TEXT},
    v.ReadReady: {
        "owner": _SOME_TEXT,
        "seats": _Rule(lambda value: value is None or _from(0).holds(value), f"{_from(0).needed}, or None"),
    },
    v.ReadWaiting: {"where": _Rule(lambda value: value in set(WaitsAt), f"one of {', '.join(WaitsAt)} is needed")},
    v.ReadEvents: {"after": _Rule(lambda value: value == "$" or is_entry(value), f"{_AN_ENTRY.needed}, or '$'")},
}


def _is_owner(value: Any) -> bool:
    return _is_text(value) and 0 < len(value) <= _LONGEST_OWNER


def _check_report(verb: v.Enrol) -> None:
    if not _is_owner(verb.report.owner):
        raise ConfigError(f"A worker cannot be enrolled as {verb.report.owner!r}: {_OWNER_NEEDED}.")
    if not _is_name(verb.report.pool):
        raise ConfigError(f"A worker cannot be enrolled for the pool {verb.report.pool!r}: {_A_NAME.needed}.")


def _check_delivery(verb: v.CreateSession | v.UpdateSession) -> None:
    delivery = verb.fields.get("delivery", "" if isinstance(verb, v.CreateSession) else DELIVERIES[0])
    if delivery not in DELIVERIES:
        raise ConfigError(f"The session's field delivery cannot be {delivery!r}: {' or '.join(DELIVERIES)} is needed.")


def _check_seed(verb: v.CreateBranch) -> None:
    for name, rule in _SEED_RULES.items():
        value = getattr(verb.seed, name)
        if not rule.holds(value):
            raise ConfigError(f"A branch's {name} cannot be {value!r}: {rule.needed}.")


def _check_closing(verb: v.CloseBranch) -> None:
    if verb.branch == verb.session:
        raise ConfigError(f"The place of session {verb.session} itself cannot be closed; delete the session instead.")


def _check_entry_of_pool(verb: v.Claim) -> None:
    if verb.entry and not verb.pool:
        raise ConfigError("A claim with a ready entry needs the pool that the entry was read for.")


def _check_mails(session: str, mails: Iterable[WireMail], *looked_at: str) -> None:
    # Many mails, few branches: each name is looked at once.
    known: set[Any] = {*looked_at}
    for mail in mails:
        header = mail.header
        if header.session != session:
            raise ConfigError(f"Mail {mail.id} is of session {header.session}, not of session {session}.")
        for end in (header.sender, header.recipient):
            if end not in known:
                if not is_id(end):
                    raise ConfigError(f"Mail {mail.id} cannot be from or to {end!r}: {_AN_ID.needed}.")
                known.add(end)


def _check_post(verb: v.Post) -> None:
    _check_mails(verb.session, verb.mails)


def _check_exhume(verb: v.Exhume) -> None:
    _check_mails(verb.session, [mail for _, mail in verb.edited])
    if odd := {letter for letter, _ in verb.edited} - set(verb.letters):
        raise ConfigError(f"Exhume edits letters that it does not send: {', '.join(sorted(odd))}.")


def _check_withdraw(verb: v.Withdraw) -> None:
    for one in verb.mails:
        if not (_is_text(one.mail) and one.mail and is_entry(one.place) and one.where in set(WaitsAt)):
            raise ConfigError(f"Withdraw needs a mail's id, where it waits and its place there, not {one!r:.200}.")
        if not (one.lane == "" or is_id(one.lane)) or not (one.client == "" or _is_name(one.client)):
            raise ConfigError(f"Withdraw needs a lane and a client by their ids, or none, not {one!r:.200}.")


def _check_restore(verb: v.Restore) -> None:
    if verb.where not in set(WaitsAt):
        raise ConfigError(f"Restore.where cannot be {verb.where!r}: one of {', '.join(WaitsAt)} is needed.")
    _check_mails(verb.session, verb.carried)
    places = [(row.version, row.place) for row in verb.rows]
    if places != sorted(set(places)) or (places and min(map(min, places)) < 1):
        raise ConfigError("Restore.rows needs versions and places from 1 on, in order.")
    letters = [letter.id for letter in verb.dead]
    if not _are_entries(letters) or START in letters or letters != sorted(set(letters), key=place_of):
        raise ConfigError(f"Restore.dead needs letters in order: {_ENTRIES.needed}.")


def _check_deferred(verb: v.Commit) -> None:
    for deferral in verb.deferred:
        if not (is_entry(deferral.entry) and is_id(deferral.lane)):
            raise ConfigError(f"Commit.deferred needs an entry and a lane by an id, not {deferral}.")
        if deferral.pause_ms < 0 or deferral.attempts < 0:
            raise ConfigError(f"Commit.deferred needs numbers from 0 on, not {deferral}.")
    if verb.lane and (len(verb.deferred) > 1 or verb.consumed != verb.cursor):
        raise ConfigError("A turn of a lane defers at most its head, and leaves the mailbox's cursor where it is.")


def _check_outgoing(verb: v.Commit | v.Dispatch) -> None:
    _check_mails(verb.session, verb.mails, verb.branch)
    for mail in verb.mails:
        if mail.header.sender != verb.branch:
            raise ConfigError(f"Mail {mail.id} of a turn of {verb.branch} cannot be sent by {mail.header.sender}.")


def _check_commit(verb: v.Commit) -> None:
    if not (verb.mails or verb.buried or verb.deferred or verb.taken or verb.aside or verb.replies or verb.lane):
        return
    _check_outgoing(verb)
    _check_deferred(verb)
    if not _are_entries([burial.entry for burial in verb.buried]):
        raise ConfigError(f"Commit.buried names an entry that is none: {_ENTRIES.needed}.")
    inbox = [*verb.taken, *(burial.entry for burial in verb.buried if burial.inbox)]
    mailbox = [*verb.aside, *(burial.entry for burial in verb.buried if not burial.inbox)]
    mailbox += (deferral.entry for deferral in verb.deferred)
    if len(set(inbox)) < len(inbox) or len(set(mailbox)) < len(mailbox):
        raise ConfigError("An entry is named twice among taken, aside, buried and deferred.")
    for reply in verb.replies:
        if not _is_name(reply.client):
            raise ConfigError(f"A reply cannot go to {reply.client!r}: {_A_NAME.needed}.")


def _check_stations(verb: v.Renew | v.Release) -> None:
    for station in verb.stations:
        if not (is_id(station.session) and is_id(station.branch) and station.token):
            raise ConfigError(f"{type(verb).__name__} needs two ids and a token for each branch, not {station}.")
    if (
        isinstance(verb, v.Renew)
        and verb.at
        and not (len(verb.at) == len(verb.stations) and all(map(_is_text, verb.at)))
    ):
        raise ConfigError(f"Renew.at needs the id of a mail, or none, for each branch, not {verb.at!r:.200}.")


_EXTRA: Final[Mapping[type[v.Verb[Any]], Callable[[Any], None]]] = {
    v.CreateSession: _check_delivery,
    v.UpdateSession: _check_delivery,
    v.CreateBranch: _check_seed,
    v.CloseBranch: _check_closing,
    v.Claim: _check_entry_of_pool,
    v.Post: _check_post,
    v.Commit: _check_commit,
    v.Dispatch: _check_outgoing,
    v.Exhume: _check_exhume,
    v.Withdraw: _check_withdraw,
    v.Renew: _check_stations,
    v.Release: _check_stations,
    v.Enrol: _check_report,
    v.Restore: _check_restore,
}
