"""What a server says about itself: the commands that ask, and how to read the replies. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import NoPermissionError, ResponseError

from lion_broker.broker.requests import Command
from lion_broker.broker.server.binary import ServerVersion

__all__ = ["QUESTIONS", "ServerFacts", "is_denied", "read_facts"]

QUESTIONS: Final[tuple[Command, ...]] = (
    ("INFO",),
    ("CONFIG", "GET", "*append*"),
    ("CONFIG", "GET", "maxmemory*"),
    ("TIME",),
)
"""One round trip. INFO tells most, but not how often the log is synced; a user may be denied either."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What is known of a server; None is what it did not tell.

    `relaxed` says that the log is not synced while it is rewritten. `failing` names what the server could not write to
    its disk at last. `time` is in seconds by the server's clock. `denied` are the commands that this user may not use.
    """

    version: ServerVersion | None = None
    mode: str = "standalone"
    replica: bool = False
    replicas: int = 0
    log: bool | None = None
    sync: str | None = None
    relaxed: bool = False
    eviction: str | None = None
    memory: int = 0
    memory_limit: int = 0
    failing: tuple[str, ...] = ()
    time: float | None = None
    denied: tuple[str, ...] = ()


def read_facts(replies: Sequence[Any]) -> ServerFacts:
    """Return what the replies to `QUESTIONS` say; raises the server's error when one is no refusal."""
    for reply in replies:
        if isinstance(reply, Exception) and not is_denied(reply):
            raise reply
    said = _said(replies[0])
    settings = {**_settings(replies[1]), **_settings(replies[2])}
    # A server that reads its log back after a restart says that it keeps none, until it has read it.
    told = said.get("aof_enabled") if said.get("loading") != "1" else None
    logs = told or {"yes": "1", "no": "0"}.get(settings.get("appendonly", ""))
    writes = {name: f"{name}_status" for name in ("aof_last_write", "aof_last_bgrewrite", "rdb_last_bgsave")}
    return ServerFacts(
        version=_version(said),
        mode=said.get("redis_mode") or said.get("server_mode") or "standalone",
        replica=said.get("role") == "slave",
        replicas=sum(_is_online(value) for name, value in said.items() if name[:5] == "slave" and name[5:].isdigit()),
        log=None if logs is None else logs == "1",
        sync=settings.get("appendfsync"),
        relaxed=settings.get("no-appendfsync-on-rewrite") == "yes",
        eviction=settings.get("maxmemory-policy") or said.get("maxmemory_policy"),
        memory=int(said.get("used_memory", 0)),
        memory_limit=int(said.get("maxmemory") or settings.get("maxmemory") or 0),
        failing=tuple(name for name, status in writes.items() if said.get(status, "ok") != "ok"),
        time=None if isinstance(replies[3], Exception) else int(replies[3][0]) + int(replies[3][1]) / 1e6,
        denied=tuple(
            name for name, reply in (("INFO", replies[0]), ("CONFIG GET", replies[1])) if isinstance(reply, Exception)
        ),
    )


def is_denied(reply: object) -> bool:
    """Whether a reply says that this user may not use a command, or that the server hides it."""
    if isinstance(reply, NoPermissionError):
        return True
    return isinstance(reply, ResponseError) and "unknown command" in str(reply).lower()


def _said(reply: Any) -> Mapping[str, str]:
    if not isinstance(reply, bytes):
        return {}
    lines = (line.partition(":") for line in reply.decode("utf-8", "replace").splitlines())
    return {name: value for name, mark, value in lines if mark}


def _settings(reply: Any) -> Mapping[str, str]:
    if isinstance(reply, Exception):
        return {}
    texts = [text.decode("utf-8", "replace") for text in reply]
    return dict(zip(texts[0::2], texts[1::2], strict=True))


def _version(said: Mapping[str, str]) -> ServerVersion | None:
    # Valkey calls itself Redis 7.2.4 as well, for the sake of old clients.
    for name in ("Valkey", "Redis"):
        parts = said.get(f"{name.lower()}_version", "").split(".")
        if len(parts) >= 3 and all(part.isdigit() for part in parts[:3]):
            return ServerVersion(name, (int(parts[0]), int(parts[1]), int(parts[2])))
    return None


def _is_online(replica: str) -> bool:
    return "state=online" in replica.split(",")
