"""From the facts of a namespace, of its keys and of the function library to findings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lion_broker.broker.library import PROTOCOL
from lion_broker.broker.signing import UNSIGNED
from lion_broker.core.numbers import counted

from .finding import Finding, Severity
from .profile import Profile, is_worse

__all__ = [
    "Keyring",
    "LibraryFacts",
    "NamespaceFacts",
    "key_findings",
    "library_findings",
    "namespace_findings",
]


@dataclass(frozen=True, slots=True)
class LibraryFacts:
    """What is known of the functions of this version on a server; None is what could not be seen.

    `name` is what they are called, `intact` whether the server has the text that this version would load. `others` are
    libraries of other versions. The last three are what this user may do.
    """

    name: str
    loaded: bool | None
    intact: bool | None
    others: tuple[str, ...]
    may_load: bool
    may_call: bool
    may_write: bool


@dataclass(frozen=True, slots=True)
class NamespaceFacts:
    """What a namespace says about itself; without a protocol there is none yet.

    `keys` are the ids of the keys that have signed in it, the newest last, `profile` the last that was verified.
    """

    name: str
    protocol: int | None
    partitions: int
    keys: tuple[str, ...]
    profile: str


@dataclass(frozen=True, slots=True)
class Keyring:
    """The ids of the keys that this program has: the one that signs, and all that it accepts.

    `insecure` says that LION_BROKER_INSECURE is set, `embedded` that the key is the data directory's.
    """

    signing: str
    accepted: tuple[str, ...]
    insecure: bool
    embedded: bool


def library_findings(facts: LibraryFacts) -> Iterator[Finding]:
    """Yield what there is to say about the function library, and what this user may do with it."""
    if not facts.may_call:
        text = f"This user may not call functions on the keys of the namespace, so {_NOBODY_WORKS}."
        yield Finding("library", Severity.ERROR, text, "allow the user +fcall and the keys ~lion:*")
    if facts.may_call and not facts.may_write:
        text = f"This user may call functions, but not write what they write, so {_NOBODY_WORKS}."
        yield Finding("library", Severity.ERROR, text, "allow the user +@read +@write +@stream +@hash and their like")
    if facts.loaded and facts.intact is False:
        text = f"The functions {facts.name} were changed on the server: they are not those of this version."
        yield Finding("library", Severity.ERROR, text, f"FUNCTION DELETE {facts.name}; they are loaded again when used")
    elif facts.loaded:
        yield Finding("library", Severity.OK, f"The functions of this version are loaded ({facts.name}).")
    elif facts.loaded is None and not facts.may_load:
        text = "This user may neither see nor load functions, so somebody else must have loaded them."
        fix = "allow the user +function|list, or run lion-broker doctor as a user who may"
        yield Finding("library", Severity.WARNING, text, fix)
    elif facts.loaded is None:
        yield Finding(
            "library", Severity.INFO, "This user may not see functions, and may load them when they are used."
        )
    elif facts.may_load:
        yield Finding("library", Severity.INFO, "The functions of this version are not loaded yet; the first use does.")
    else:
        text = "The functions of this version are not loaded, and this user may not load them."
        fix = "use the server once as a user who may (lion-broker session ls), or allow this one +function|load"
        yield Finding("library", Severity.ERROR, text, fix)
    if facts.others:
        text = f"The server has functions of other versions: {', '.join(facts.others)}."
        yield Finding("library", Severity.INFO, text, "FUNCTION DELETE each, when no program of its version is left")


def namespace_findings(facts: NamespaceFacts, wanted: int, profile: Profile) -> Iterator[Finding]:
    """Yield what there is to say about a namespace; `wanted` partitions are set here, `profile` is the server's now."""
    if facts.protocol is None:
        parts = counted(wanted, "partition")
        text = f"The namespace {facts.name} does not exist yet; its first program makes it, with {parts}."
        yield Finding("namespace", Severity.INFO, text)
        return
    if facts.protocol != PROTOCOL:
        text = f"The namespace {facts.name} speaks protocol {facts.protocol}, and this version {PROTOCOL}."
        fix = (
            "another LION_BROKER_NAMESPACE, or the version of lion-broker that made it;"
            " `session export` of that version and `session import` of this one take its sessions along"
        )
        yield Finding("namespace", Severity.ERROR, text, fix)
        return
    text = (
        f"The namespace {facts.name} speaks protocol {facts.protocol} and has {counted(facts.partitions, 'partition')}."
    )
    yield Finding("namespace", Severity.OK, text)
    if wanted not in (1, facts.partitions):
        text = f"LION_BROKER_PARTITIONS={wanted} is not used, for the number was fixed when the namespace was made."
        yield Finding("namespace", Severity.INFO, text, "another LION_BROKER_NAMESPACE, if it matters")
    if facts.profile in set(Profile) and profile != Profile.UNVERIFIED and is_worse(profile, facts.profile):
        text = f"The profile was {facts.profile} when a program last verified it, and is {profile} now."
        yield Finding("namespace", Severity.WARNING, text, "see what has changed in the server's settings")


def key_findings(facts: NamespaceFacts, keyring: Keyring) -> Iterator[Finding]:
    """Yield how the keys of this program and those of a namespace go together."""
    if keyring.insecure and keyring.signing != UNSIGNED:
        text = "LION_BROKER_INSECURE is set beside a secret, so an unsigned namespace would be signed from now on."
        yield Finding("keys", Severity.WARNING, text, "unset LION_BROKER_INSECURE")
    newest = facts.keys[-1] if facts.keys else ""
    if not newest:
        yield from _new_namespace(keyring)
    elif newest not in keyring.accepted:
        yield _foreign(newest, keyring)
    elif newest == UNSIGNED:
        text = "Mail in this namespace is not signed, so whoever reaches the server can forge it."
        yield Finding("keys", Severity.WARNING, text, "LION_BROKER_SECRET for all programs, in a namespace of its own")
    elif keyring.signing == newest:
        yield Finding("keys", Severity.OK, f"Mail is signed with the key {newest}, which this program has.")
        yield from _rotation(newest, keyring)
    elif keyring.signing in facts.keys:
        text = f"This program signs with the key {keyring.signing}, and others with the newer one {newest}."
        fix = "the newer one as LION_BROKER_SECRET, this one as LION_BROKER_SECRET_PREVIOUS"
        yield Finding("keys", Severity.INFO, text, fix)
    else:
        text = f"This program has the newest key {newest}, and will sign with a newer one, {keyring.signing}."
        yield Finding("keys", Severity.INFO, text, "see that all other programs accept it already")


_NOBODY_WORKS = "no program works"


def _new_namespace(keyring: Keyring) -> Iterator[Finding]:
    if keyring.signing == UNSIGNED:
        text = "Mail would not be signed, so whoever reaches the server could forge it."
        yield Finding(
            "keys", Severity.WARNING, text, "LION_BROKER_SECRET for all programs; lion-broker keygen makes one"
        )
    else:
        text = f"No key has signed here yet; the first program's will be remembered (this one has {keyring.signing})."
        yield Finding("keys", Severity.OK, text)


def _rotation(newest: str, keyring: Keyring) -> Iterator[Finding]:
    previous = [one for one in keyring.accepted if one != newest]
    if previous:
        text = f"Mail signed with {', '.join(previous)} is accepted as well."
        fix = "take LION_BROKER_SECRET_PREVIOUS away when no mail is left that it signed"
        yield Finding("keys", Severity.INFO, text, fix)


def _foreign(newest: str, keyring: Keyring) -> Finding:
    if newest == UNSIGNED:
        text = (
            f"Mail in this namespace is not signed, and this program has a key ({keyring.signing}), so it is refused."
        )
        return Finding(
            "keys", Severity.ERROR, text, "another LION_BROKER_NAMESPACE, or docs/server.md on beginning to sign"
        )
    has = "none" if keyring.signing == UNSIGNED else ", ".join(keyring.accepted)
    text = f"Mail is signed with the key {newest}, which this program does not have (it has: {has}), so it is refused."
    if keyring.embedded:
        return Finding("keys", Severity.ERROR, text, "put the file `secret` of the data directory back")
    return Finding("keys", Severity.ERROR, text, "LION_BROKER_SECRET, the same for all programs")
