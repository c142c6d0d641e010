"""From the facts of a server to findings, one function a check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lion_broker.broker.server.binary import OLDEST_VERSIONS
from lion_broker.core.numbers import counted

from .facts import ServerFacts
from .finding import Finding, Severity
from .profile import SURVIVES, Profile, profile_of

__all__ = ["server_findings"]

_FULL: Final = 0.9
"""The part of its memory from which on a server is as good as full."""
_FAILING: Final = {
    "aof_last_write": "its append-only file",
    "aof_last_bgrewrite": "a new append-only file",
    "rdb_last_bgsave": "a snapshot",
}
_OLDEST: Final = " or ".join(f"{name} {major}.{minor}" for name, (major, minor, _) in OLDEST_VERSIONS.items())


def server_findings(facts: ServerFacts, replicas: int = 0) -> tuple[Finding, ...]:
    """Return what there is to say about a server, also where all is well; `replicas` as for `profile_of`."""
    return (
        _version(facts),
        *_role(facts),
        _log(facts),
        _sync(facts),
        _eviction(facts),
        _memory(facts),
        *_disk(facts),
        *_replicas(facts, replicas),
        _profile(facts, replicas),
    )


def _version(facts: ServerFacts) -> Finding:
    if facts.version is None:
        return _unknown("version", facts, "which version the server has", "INFO")
    if not facts.version.supported:
        return Finding(
            "version",
            Severity.ERROR,
            f"{facts.version} is too old.",
            f"install {_OLDEST}, or newer",
            refused=True,
        )
    return Finding("version", Severity.OK, f"{facts.version} is recent enough.")


def _role(facts: ServerFacts) -> Iterator[Finding]:
    if facts.replica:
        yield Finding(
            "role", Severity.ERROR, "This server is a replica and takes no mail.", "name its primary as --url"
        )
    if facts.mode != "standalone":
        yield Finding(
            "role",
            Severity.ERROR,
            f"This server runs in {facts.mode} mode, which is not supported yet.",
            "name a standalone server as --url",
        )


def _log(facts: ServerFacts) -> Finding:
    if facts.log is None:
        return _unknown("aof", facts, "whether mail is written to disk", "INFO")
    if not facts.log:
        return Finding(
            "aof",
            Severity.ERROR,
            "The server keeps no append-only file, so a restart loses mail.",
            "CONFIG SET appendonly yes, and `appendonly yes` in its configuration file",
            refused=True,
        )
    return Finding("aof", Severity.OK, "Mail is written to an append-only file.")


def _sync(facts: ServerFacts) -> Finding:
    fix = "CONFIG SET appendfsync always, and `appendfsync always` in its configuration file"
    if facts.sync is None:
        return _unknown("fsync", facts, "how often the file is synced to disk", "CONFIG GET")
    if facts.sync == "no":
        return Finding(
            "fsync",
            Severity.WARNING,
            "The file is synced when the system likes (appendfsync no), so a power cut may lose many seconds.",
            fix,
        )
    if facts.relaxed:
        return Finding(
            "fsync",
            Severity.WARNING,
            "The file is not synced while it is rewritten, so a power cut may lose many seconds.",
            "CONFIG SET no-appendfsync-on-rewrite no, and the same in its configuration file",
        )
    if facts.sync == "everysec":
        text = "The file is synced every second, so a power cut may lose about the last second."
        return Finding("fsync", Severity.INFO, text, f"{fix}, if that is too much")
    return Finding("fsync", Severity.OK, "The file is synced before the server answers.")


def _eviction(facts: ServerFacts) -> Finding:
    if facts.eviction is None:
        return _unknown("eviction", facts, "what the server does when its memory is full", "INFO")
    if facts.eviction != "noeviction":
        return Finding(
            "eviction",
            Severity.ERROR,
            f"The server throws keys away when its memory is full (maxmemory-policy {facts.eviction}).",
            "CONFIG SET maxmemory-policy noeviction, and `maxmemory-policy noeviction` in its configuration file",
            refused=True,
        )
    return Finding("eviction", Severity.OK, "The server throws nothing away when its memory is full.")


def _memory(facts: ServerFacts) -> Finding:
    used, limit = facts.memory / 2**20, facts.memory_limit / 2**20
    if not facts.memory:
        return _unknown("memory", facts, "how full the server is", "INFO")
    if not limit:
        return Finding("memory", Severity.INFO, f"{used:,.1f} MiB are used, and the server has no limit (maxmemory).")
    text = f"{used:,.1f} of {limit:,.1f} MiB are used."
    if used < limit * _FULL:
        return Finding("memory", Severity.OK, text)
    severity = Severity.ERROR if used >= limit else Severity.WARNING
    return Finding("memory", severity, text, "start workers to drain it, remove old sessions, or raise maxmemory")


def _disk(facts: ServerFacts) -> Iterator[Finding]:
    for name in facts.failing:
        severity = Severity.ERROR if name == "aof_last_write" else Severity.WARNING
        yield Finding(
            "disk",
            severity,
            f"The server could not write {_FAILING[name]} when it last tried.",
            "free space on its disk, and see its log",
        )


def _replicas(facts: ServerFacts, replicas: int) -> Iterator[Finding]:
    if "INFO" in facts.denied and replicas:
        yield _unknown("replicas", facts, "how many replicas there are", "INFO")
    elif facts.replicas < replicas:
        yield Finding(
            "replicas",
            Severity.ERROR,
            f"Calls wait for {counted(replicas, 'replica')} (LION_BROKER_REPLICAS); connected: {facts.replicas}.",
            "connect replicas, or lower LION_BROKER_REPLICAS",
        )
    elif replicas:
        yield Finding("replicas", Severity.OK, f"Calls wait for {replicas} of {counted(facts.replicas, 'replica')}.")
    elif facts.replicas:
        yield Finding(
            "replicas",
            Severity.INFO,
            f"Nobody waits for the replicas ({facts.replicas} connected), so they may lack the newest mail.",
            "LION_BROKER_REPLICAS=1 for all programs and workers",
        )


def _profile(facts: ServerFacts, replicas: int) -> Finding:
    profile = profile_of(facts, replicas)
    fixes = {Profile.VOLATILE: "see aof and eviction", Profile.UNVERIFIED: "see aof, fsync and eviction"}
    severity = Severity.WARNING if profile in fixes else Severity.INFO
    text = f"The durability profile is {profile}: {SURVIVES[profile]}."
    return Finding("profile", severity, text, fixes.get(profile, ""))


def _unknown(check: str, facts: ServerFacts, what: str, command: str) -> Finding:
    """Say that something is not known, and why."""
    because = f", because this user may not use {command}" if command in facts.denied else ""
    fix = f"allow the user {command}, or have somebody who may run lion-broker doctor" if because else ""
    return Finding(check, Severity.WARNING, f"It is not known {what}{because}.", fix)
