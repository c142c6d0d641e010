"""One typed function a verb: from a verb to the commands that do it, and from the replies to its answer. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from lion_broker.mail import verbs as v
from lion_broker.mail.answers import Promoted, Stepped, Swept, Withdrawn
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import Claimed, Committed, Dispatched, Moved, Posted, Record
from lion_broker.mail.verbs.audit import AUDIT_KEPT

from .archive import restore
from .codec import Sealed, packed_records, signature_of
from .deployment import enrol, order_workers, pause_pool, set_wanted
from .namespace import OpenNamespace, call
from .requests import Argument, Command, Request
from .turn_replies import read_turn_reply

__all__ = ["FUNCTIONS"]


_CANCELLED_MS: Final = 3_600_000
_AS_IT_IS: Final = Sealed(b"", "")
"""Stands for the mail of a dead letter that is not edited."""


def create_session(namespace: OpenNamespace, verb: v.CreateSession) -> Request:
    """`create_session.lua`."""
    fields = {key: value for key, value in verb.fields.items() if key != "delivery"}
    args = (verb.session, verb.fields["delivery"], verb.cap, verb.cap_bytes, *_pairs(fields))
    return Request((call("create_session", [namespace.keys.session(verb.session)], *args),), _outcome)


def update_session(namespace: OpenNamespace, verb: v.UpdateSession) -> Request:
    """`update_session.lua`."""
    return Request((call("update_session", [namespace.keys.session(verb.session)], *_pairs(verb.fields)),), _outcome)


def delete_session(namespace: OpenNamespace, verb: v.DeleteSession) -> Request:
    """`delete_session.lua`."""
    command = call("delete_session", [namespace.keys.session(verb.session)], verb.limit)
    return Request((command,), lambda replies: bool(replies[0]))


def create_branch(namespace: OpenNamespace, verb: v.CreateBranch) -> Request:
    """`create_branch.lua`."""
    seed = verb.seed
    args = (seed.id, seed.name, seed.pool, seed.behaviour, verb.token, verb.owner, verb.lease_ms, verb.copies)
    key = namespace.keys.session(verb.session)
    return Request((call("create_branch", [key], *args, *_pairs(seed.fields), *_records(verb.records)),), _outcome)


def close_branch(namespace: OpenNamespace, verb: v.CloseBranch) -> Request:
    """`close_branch.lua`, as often as mail is left to move."""
    key = namespace.keys.session(verb.session)
    command = call("close_branch", [key], verb.branch, verb.token, int(verb.delete), 500, verb.nonce)
    return Request(
        (command,), lambda replies: Outcome(replies[0][0].decode()), again=lambda replies: bool(replies[0][1])
    )


def progress(namespace: OpenNamespace, verb: v.Progress) -> Request:
    """`progress.lua`."""
    command = call("progress", [namespace.keys.session(verb.session)], *_pairs(verb.targets))
    return Request((command,), lambda replies: tuple(name.decode() for name in replies[0]))


def post(namespace: OpenNamespace, verb: v.Post) -> Request:
    """`post.lua`; the digest tells a repeat from another content under the same number."""
    args: list[Argument] = [len(verb.mails)]
    shown: list[bytes] = []
    # A signature stands for all of its mail, so nothing has to be read through again; without one the mail itself does.
    signs = namespace.codec.signer.signs
    for mail in verb.mails:
        header = mail.header
        sealed = namespace.codec.seal(mail)
        shown.append(signature_of(sealed.mail) if signs else sealed.mail)
        args += (header.sender, header.recipient, int(mail.direct), *sealed, mail.delay_ms)
    digest = hashlib.sha256(b"\n".join(shown)).hexdigest()[:32]
    key = namespace.keys.session(verb.session)
    return Request((call("post", [key], verb.producer, verb.seq, digest, *args),), _posted)


def collect(namespace: OpenNamespace, verb: v.Collect) -> Request:
    """`collect.lua`."""
    args = (verb.limit, *_names(verb.branches))
    return Request((call("collect", [namespace.keys.session(verb.session)], *args),), _moved)


def send(namespace: OpenNamespace, verb: v.Send) -> Request:
    """`send.lua`."""
    args = (verb.limit, int(verb.receive), verb.resume, verb.nonce, *_names(verb.recipients))
    return Request((call("send", [namespace.keys.session(verb.session)], *args),), _moved)


def receive(namespace: OpenNamespace, verb: v.Receive) -> Request:
    """`receive.lua`."""
    args = (verb.limit, verb.nonce, *_names(verb.branches))
    return Request((call("receive", [namespace.keys.session(verb.session)], *args),), _moved)


def claim(namespace: OpenNamespace, verb: v.Claim) -> Request:
    """`claim.lua`."""
    args = (verb.branch, verb.token, verb.entry, verb.pool, verb.owner, verb.lease_ms, verb.batch)

    command = call("claim", [namespace.keys.session(verb.session)], *args)
    return Request((command,), lambda replies: Claimed(*read_turn_reply(namespace.codec, verb, replies)))


def commit(namespace: OpenNamespace, verb: v.Commit) -> Request:
    """`commit.lua`."""
    args: list[Argument] = [verb.branch, verb.token, verb.cursor, verb.consumed, verb.version, verb.lease_ms]
    args += (verb.batch, verb.after, verb.handled, verb.nonce, verb.lane, verb.lane_done, verb.pause, int(verb.strict))
    args += (*_records(verb.records), len(verb.mails))
    for mail in verb.mails:
        args += (mail.header.recipient, int(mail.direct), *namespace.codec.seal(mail), mail.delay_ms)
    args.append(len(verb.replies))
    for reply in verb.replies:
        args += (reply.client, reply.in_reply_to, reply.body)
    args += (len(verb.taken), *verb.taken, len(verb.aside), *verb.aside, len(verb.buried))
    for burial in verb.buried:
        args += (burial.entry, burial.reason, burial.error, burial.detail, burial.attempts, int(burial.inbox))
    args.append(len(verb.deferred))
    for deferral in verb.deferred:
        args += (deferral.entry, deferral.lane, deferral.pause_ms, deferral.attempts)
    command = call("commit", [namespace.keys.session(verb.session)], *args)
    return Request((command,), lambda replies: Committed(*read_turn_reply(namespace.codec, verb, replies)))


def dispatch(namespace: OpenNamespace, verb: v.Dispatch) -> Request:
    """`dispatch.lua`."""
    args: list[Argument] = [verb.branch, verb.token, verb.version, verb.lease_ms, verb.nonce, int(verb.follows)]
    args += (*_records(verb.records), len(verb.mails))
    seal = namespace.codec.seal
    for mail in verb.mails:
        args += (mail.header.recipient, int(mail.direct), *seal(mail), mail.delay_ms)
    return Request((call("dispatch", [namespace.keys.session(verb.session)], *args),), _dispatched)


def step(namespace: OpenNamespace, verb: v.Step) -> Request:
    """`step.lua`."""
    args = (verb.branch, verb.token, verb.name, verb.body)

    def parse(replies: Sequence[Any]) -> Stepped:
        word, body = replies[0]
        return Stepped(Outcome(word.decode()), body)

    return Request((call("step", [namespace.keys.session(verb.session)], *args),), parse)


def say(namespace: OpenNamespace, verb: v.Say) -> Request:
    """`say.lua`."""
    args = (verb.branch, verb.token, verb.client, verb.in_reply_to, verb.body, verb.text, verb.at)
    return Request((call("say", [namespace.keys.session(verb.session)], *args),), _outcome)


def cancel(namespace: OpenNamespace, verb: v.Cancel) -> Request:
    """`cancel.lua`."""
    args = (verb.branch, verb.command, _CANCELLED_MS)
    return Request((call("cancel", [namespace.keys.session(verb.session)], *args),), _outcome)


def renew(namespace: OpenNamespace, verb: v.Renew) -> Request:
    """`renew.lua`, once for each partition."""
    return _by_partition(namespace, verb.stations, "renew", verb.lease_ms, at=verb.at)


def release(namespace: OpenNamespace, verb: v.Release) -> Request:
    """`release.lua`, once for each partition."""
    return _by_partition(namespace, verb.stations, "release")


def sweep(namespace: OpenNamespace, verb: v.Sweep) -> Request:
    """`sweep.lua`, once for each partition."""
    commands = tuple(
        call("sweep", [namespace.keys.ready(verb.pool, partition)], verb.idle_ms, verb.limit)
        for partition in range(namespace.keys.partitions)
    )
    return Request(commands, lambda replies: Swept(*(sum(column) for column in zip(*replies, strict=True))))


def tidy(namespace: OpenNamespace, verb: v.Tidy) -> Request:
    """`tidy.lua`, once for each partition."""
    readies = (namespace.keys.ready(verb.pool, partition) for partition in range(namespace.keys.partitions))
    return Request(tuple(call("tidy", [key], verb.idle_ms, verb.limit) for key in readies), lambda replies: None)


def promote(namespace: OpenNamespace, verb: v.Promote) -> Request:
    """`promote.lua`, once for each partition, or for that of one session."""
    partitions = range(namespace.keys.partitions) if not verb.session else (namespace.keys.partition(verb.session),)
    commands = tuple(call("promote", [namespace.keys.due(partition)], verb.limit) for partition in partitions)

    def parse(replies: Sequence[Any]) -> Promoted:
        waits = [wait for _, _, wait in replies if wait >= 0]
        return Promoted(replies[0][0], sum(seen for _, seen, _ in replies), min(waits) if waits else None)

    return Request(commands, parse)


def pause(namespace: OpenNamespace, verb: v.Pause) -> Request:
    """`pause.lua`."""
    return Request((call("pause", [namespace.keys.session(verb.session)], verb.branch, verb.reason),), _outcome)


def resume(namespace: OpenNamespace, verb: v.Resume) -> Request:
    """`pause.lua` without a reason."""
    return Request((call("pause", [namespace.keys.session(verb.session)], verb.branch, ""),), _outcome)


def exhume(namespace: OpenNamespace, verb: v.Exhume) -> Request:
    """`exhume.lua`."""
    mails = dict(verb.edited)
    sealed = {letter: namespace.codec.seal(mail) for letter, mail in mails.items()}
    return _of_letters(namespace, verb, "send", sealed)


def drop(namespace: OpenNamespace, verb: v.Drop) -> Request:
    """`exhume.lua`, which sends nothing."""
    return _of_letters(namespace, verb, "drop", {})


def withdraw(namespace: OpenNamespace, verb: v.Withdraw) -> Request:
    """`withdraw.lua`."""
    args: list[Argument] = [verb.branch, verb.detail, verb.answer, verb.nonce, int(verb.stop), verb.lease_ms]
    args.append(len(verb.mails))
    for one in verb.mails:
        args += (str(one.where), one.lane, one.place, one.mail, one.client)

    def parse(replies: Sequence[Any]) -> tuple[Withdrawn, ...]:
        words = [text.decode() for text in replies[0]]
        return tuple(Withdrawn(Outcome(word), letter) for word, letter in zip(words[0::2], words[1::2], strict=True))

    return Request((call("withdraw", [namespace.keys.session(verb.session)], *args),), parse)


def reserve(namespace: OpenNamespace, verb: v.Reserve) -> Request:
    """`reserve.lua`."""
    command = _of_budget(namespace, verb, "reserve", verb.title, verb.who, verb.calls)
    return Request((command,), lambda replies: int(replies[0]))


def settle(namespace: OpenNamespace, verb: v.Settle) -> Request:
    """`settle.lua`."""
    return Request((_of_budget(namespace, verb, "settle"),), lambda replies: None)


def write_audit(namespace: OpenNamespace, verb: v.WriteAudit) -> Request:
    """`audit.lua`."""
    args = (AUDIT_KEPT, verb.who, verb.what, verb.target, verb.detail, verb.nonce)
    return Request((call("audit", [namespace.keys.audit()], *args),), lambda replies: str(replies[0].decode()))


FUNCTIONS: Final[Mapping[type[v.Verb[Any]], Callable[[OpenNamespace, Any], Request]]] = {
    v.CreateSession: create_session,
    v.UpdateSession: update_session,
    v.DeleteSession: delete_session,
    v.CreateBranch: create_branch,
    v.CloseBranch: close_branch,
    v.Progress: progress,
    v.Post: post,
    v.Collect: collect,
    v.Send: send,
    v.Receive: receive,
    v.Claim: claim,
    v.Commit: commit,
    v.Dispatch: dispatch,
    v.Step: step,
    v.Say: say,
    v.Cancel: cancel,
    v.Renew: renew,
    v.Release: release,
    v.Sweep: sweep,
    v.Promote: promote,
    v.Pause: pause,
    v.Resume: resume,
    v.Exhume: exhume,
    v.Drop: drop,
    v.Withdraw: withdraw,
    v.Reserve: reserve,
    v.Settle: settle,
    v.WriteAudit: write_audit,
    v.Enrol: enrol,
    v.OrderWorkers: order_workers,
    v.SetWanted: set_wanted,
    v.PausePool: pause_pool,
    v.ResumePool: pause_pool,
    v.Tidy: tidy,
    v.Restore: restore,
}


def _of_letters(namespace: OpenNamespace, verb: v.Exhume | v.Drop, what: str, sealed: Mapping[str, Sealed]) -> Request:
    parts: list[Argument] = [part for letter in verb.letters for part in (letter, *sealed.get(letter, _AS_IT_IS))]
    command = call("exhume", [namespace.keys.session(verb.session)], what, len(verb.letters), *parts)
    return Request((command,), lambda replies: tuple(Outcome(word.decode()) for word in replies[0]))


def _of_budget(namespace: OpenNamespace, verb: v.Reserve | v.Settle, function: str, *more: Argument) -> Command:
    args = (verb.requests, verb.tokens, verb.limit_requests, verb.limit_tokens, verb.interval_ms)
    return call(function, [namespace.keys.limit(verb.budget)], *args, *more)


def _by_partition(
    namespace: OpenNamespace, stations: Sequence[v.Station], function: str, *args: Argument, at: Sequence[str] = ()
) -> Request:
    places: dict[int, list[int]] = {}
    for place, station in enumerate(stations):
        places.setdefault(namespace.keys.partition(station.session), []).append(place)
    commands = tuple(
        call(
            function,
            [namespace.keys.branch(stations[place].session, stations[place].branch) for place in group],
            *args,
            *(stations[place].token for place in group),
            *(at[place] for place in group if at),
        )
        for group in places.values()
    )

    def parse(replies: Sequence[Any]) -> tuple[Outcome, ...]:
        words = {
            place: Outcome(word.decode())
            for group, reply in zip(places.values(), replies, strict=True)
            for place, word in zip(group, reply, strict=True)
        }
        return tuple(words[place] for place in range(len(stations)))

    return Request(commands, parse)


def _pairs(fields: Mapping[str, str]) -> Iterable[Argument]:
    return (len(fields), *(text for pair in fields.items() for text in pair))


def _names(names: Sequence[str] | None) -> Iterable[Argument]:
    return (-1,) if names is None else (len(names), *names)


def _records(records: Sequence[Record]) -> Iterable[Argument]:
    values = packed_records(records)
    args: list[Argument] = [len(values)]
    for value in values:
        args += value
    return args


def _outcome(replies: Sequence[Any]) -> Outcome:
    return Outcome(replies[0].decode())


def _posted(replies: Sequence[Any]) -> Posted:
    word, *branch = replies[0]
    return Posted(Outcome(word.decode()), branch[0].decode() if branch else "")


_OUTCOMES: Final = {outcome.value.encode(): outcome for outcome in Outcome}
"""The words of answers: what an Enum does to find one takes as long as the rest of a small answer."""


def _dispatched(replies: Sequence[Any]) -> Dispatched:
    word, version, *branch = replies[0]
    return Dispatched(_OUTCOMES[word], version, branch[0].decode() if branch else "")


def _moved(replies: Sequence[Any]) -> Moved:
    if isinstance(replies[0][0], bytes):
        return Moved(0, outcome=Outcome(replies[0][0].decode()))
    count, dead, more, *rest = replies[0]
    resume = rest.pop(0).decode() if rest else ""
    names = [text.decode() for text in rest]
    targets = dict(zip(names[0::2], names[1::2], strict=True))
    return Moved(count, dead, bool(more), resume, targets)
