"""The doctor: asks a server and its surroundings for facts, and has findings made of them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from redis.exceptions import AuthenticationError, RedisError

from lion_broker.broker.connect import data_secret, embedded_directory, locate, remote_secrets, socket_url
from lion_broker.broker.connection import SyncClient, without_secrets
from lion_broker.broker.embedded import attach
from lion_broker.broker.keys import Keys
from lion_broker.broker.library import library
from lion_broker.broker.requests import Command
from lion_broker.broker.signing import Signer
from lion_broker.config import Settings
from lion_broker.errors import ConfigError, LionError

from .environment import DirectoryFacts, clock_finding, directory_findings, file_findings, url_findings
from .facts import QUESTIONS, is_denied, read_facts
from .finding import Finding, Severity
from .namespace import (
    Keyring,
    LibraryFacts,
    NamespaceFacts,
    key_findings,
    library_findings,
    namespace_findings,
)
from .pauses import Announce, pauses
from .profile import SURVIVES, Profile, profile_of
from .server import server_findings

__all__ = ["examine"]

_SECONDS: Final = 2.0
"""What a server may take beyond the patience of the settings."""
_PARTITIONS: Final = 1024


def examine(settings: Settings, repair: Announce | None = None) -> tuple[Finding, ...]:
    """Look at all that a session or worker with these settings would meet.

    Starts the embedded server if it is the one. With `repair` it puts right what can be put right without harm, which
    is the number of paused branches, and tells `repair` before it does; else it writes nothing on a server. Blocks.
    Raises ConfigError for a URL that is none.
    """
    url, scheme = locate(None, settings)
    if scheme == "memory":
        text = f"memory:// is no server: {SURVIVES[Profile.MEMORY]}, and workers cannot reach it."
        return (Finding("profile", Severity.INFO, text, "leave LION_BROKER_URL out for the embedded server"),)
    return tuple(_embedded(url, settings, repair) if scheme == "embedded" else _remote(url, settings, repair))


def _embedded(url: str, settings: Settings, repair: Announce | None) -> Iterator[Finding]:
    with ExitStack() as use:
        try:
            server = use.enter_context(attach(embedded_directory(url), environ=settings.environ)).server
            signer = Signer(data_secret(server.directory), namespace=settings.namespace)
        except LionError as error:
            text, *rest = str(error).splitlines()
            yield Finding("server", Severity.ERROR, text, " ".join(client.strip() for client in rest))
            return
        keyring = Keyring(signer.key_id, signer.key_ids, insecure=False, embedded=True)
        shown = f"embedded://{server.directory}"
        yield from map(_for_embedded, _server(socket_url(server.socket), shown, settings, keyring, repair))
        yield from directory_findings(_directory(server.directory))


def _for_embedded(finding: Finding) -> Finding:
    """Return a finding with a fix that fits a server whose settings are the package's."""
    if not finding.fix.startswith("CONFIG SET"):
        return finding
    fix = "lion-broker server stop; it starts again with its own settings"
    return replace(finding, fix=fix if finding.severity.is_bad else "a server of your own, if that is too much")


def _remote(url: str, settings: Settings, repair: Announce | None) -> Iterator[Finding]:
    keyring = None
    try:
        signer = Signer(*remote_secrets(url, settings), namespace=settings.namespace)
        keyring = Keyring(signer.key_id, signer.key_ids, insecure=settings.insecure, embedded=False)
    except ConfigError as error:
        text = "There is no secret (LION_BROKER_SECRET), so programs refuse this server."
        text = text if settings.secret is None else f"{str(error).partition('. ')[0]}."
        fix = "LION_BROKER_SECRET, the same for all programs; lion-broker keygen makes one"
        yield Finding("keys", Severity.ERROR, text, fix)
    yield from url_findings(url)
    yield from file_findings(settings.secret_files)
    yield from _server(url, without_secrets(url), settings, keyring, repair)


def _server(
    url: str, shown: str, settings: Settings, keyring: Keyring | None, repair: Announce | None
) -> Iterator[Finding]:
    try:
        replies = _ask(url, settings)
        facts = read_facts(replies[: len(QUESTIONS)])
    except AuthenticationError as error:
        text = f"The server at {shown} refuses this user ({_reason(error)})."
        yield Finding("server", Severity.ERROR, text, "correct user and password in LION_BROKER_URL")
        return
    except (RedisError, OSError) as error:
        text = f"No server answers at {shown} ({_reason(error)})."
        fix = "start the server, or correct LION_BROKER_URL (rediss:// is for servers that speak TLS)"
        yield Finding("server", Severity.ERROR, text, fix)
        return
    yield Finding("server", Severity.OK, f"A server answers at {shown}.")
    yield from server_findings(facts, settings.replicas)
    if settings.unsafe_server:
        text = "LION_BROKER_UNSAFE_SERVER is set, so programs use a server also when it may lose mail."
        yield Finding("settings", Severity.WARNING, text, "unset LION_BROKER_UNSAFE_SERVER")
    if facts.time is not None:
        yield clock_finding(facts.time, time.time())
    library_replies, named = replies[len(QUESTIONS) : -1], replies[-1]
    yield from library_findings(_library(library_replies))
    if isinstance(named, Exception):
        text = f"The namespace {settings.namespace} cannot be read ({_reason(named)})."
        yield Finding("namespace", Severity.ERROR, text, "allow the user +hmget and the keys ~lion:*")
        return
    namespace = _namespace(settings.namespace, named)
    yield from namespace_findings(namespace, settings.partitions, profile_of(facts, settings.replicas))
    if keyring is not None:
        yield from key_findings(namespace, keyring)
    if namespace.protocol is not None:
        yield from _pauses(url, settings, Keys(settings.namespace, min(namespace.partitions, _PARTITIONS)), repair)


def _pauses(url: str, settings: Settings, keys: Keys, repair: Announce | None) -> Iterator[Finding]:
    """Yield what is paused, and where another number is counted; what cannot be read is said elsewhere."""
    with closing(SyncClient(url, settings.patience + _SECONDS)) as client, suppress(RedisError, OSError):
        yield from pauses(partial(client.call, seconds=settings.patience + _SECONDS), keys, repair)


def _ask(url: str, settings: Settings) -> list[Any]:
    keys, ours = Keys(settings.namespace), library().name
    commands: tuple[Command, ...] = (
        *QUESTIONS,
        ("FUNCTION", "LIST", "LIBRARYNAME", "lion_broker_*"),
        ("FUNCTION", "LIST", "LIBRARYNAME", ours, "WITHCODE"),
        # What follows does nothing, and tells whether it might: rights are looked at before anything else.
        ("FUNCTION", "LOAD", ""),
        ("FCALL", "lion_broker_doctor", 1, keys.meta()),
        ("XADD", f"{keys.root(0)}doctor", "NOMKSTREAM", "*", "doctor", ""),
        ("HMGET", keys.meta(), "protocol", "partitions", "keys", "profile"),
    )
    return _call(url, settings, commands)


def _call(url: str, settings: Settings, commands: Sequence[Command]) -> list[Any]:
    seconds = settings.patience + _SECONDS
    client = SyncClient(url, seconds)
    try:
        return client.call(commands, seconds)
    finally:
        client.close()


def _library(replies: Sequence[Any]) -> LibraryFacts:
    listed, ours, load, call, write = replies
    expected = library()
    names = None if isinstance(listed, Exception) else [_pairs(one)["library_name"].decode() for one in listed]
    code = _pairs(ours[0])["library_code"] if isinstance(ours, list) and ours else None
    return LibraryFacts(
        name=expected.name,
        loaded=None if names is None else expected.name in names,
        intact=None if code is None else code == expected.source.encode(),
        others=tuple(sorted(name for name in names or () if name != expected.name)),
        may_load=not is_denied(load),
        may_call=not is_denied(call),
        may_write=not is_denied(write),
    )


def _namespace(name: str, reply: Sequence[bytes | None]) -> NamespaceFacts:
    protocol, partitions, keys, profile = ("" if part is None else part.decode("utf-8", "replace") for part in reply)
    number = int(protocol) if protocol.isdigit() else None
    return NamespaceFacts(name, number, int(partitions or 1), tuple(keys.split()), profile)


def _directory(path: Path) -> DirectoryFacts:
    secret, log = path / "secret", path / "appendonlydir"
    return DirectoryFacts(
        path=path,
        mode=path.stat().st_mode,
        secret_mode=secret.stat().st_mode if secret.exists() else None,
        size=sum(part.stat().st_size for part in log.glob("*")),
        free=shutil.disk_usage(path).free,
    )


def _pairs(flat: Sequence[Any]) -> dict[str, Any]:
    return {name.decode(): value for name, value in zip(flat[0::2], flat[1::2], strict=True)}


def _reason(error: BaseException) -> str:
    return str(error).rstrip(". \r\n") or type(error).__name__
