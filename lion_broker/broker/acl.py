"""Who may do what on a server: the ACL rules of each role, and whether a server's users have them.

What a role needs is the commands that the package sends, and those that its functions call, which the server checks
against the same user. `tests/contract/test_access_rules.py` compares these tables with both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from lion_broker.config import Settings
from lion_broker.errors import ConfigError

from .checkup.facts import is_denied
from .checkup.finding import Finding, Severity
from .connection import translate
from .keys import Keys
from .raw_connection import RawConnection, raw_connection
from .requests import Command

__all__ = ["COMMANDS", "Role", "Rules", "check_access", "rules_of"]

_KEY: Final = "KEY"
"""Stands for a key of the namespace in the examples below."""


class Role(StrEnum):
    """What a process is to the server."""

    CLIENT = "client"
    WORKER = "worker"
    DASHBOARD = "dashboard"
    ADMIN = "admin"

    @property
    def text(self) -> str:
        """What processes of this role do."""
        return _TEXTS[self]


_TEXTS: Final = {
    Role.CLIENT: "programs that open sessions, and whoever retries, pauses or removes by hand",
    Role.WORKER: "workers and sweepers",
    Role.DASHBOARD: "those who only look: the dashboard, status, tail, exports (its buttons need the role client)",
    Role.ADMIN: "whoever runs init, upgrades and the doctor",
}

_ROAD: Final[Mapping[str, Command]] = {
    "ping": (),
    "select": ("0",),
    "hello": (),
    "info": (),
    "config|get": ("GET", "append*"),
    "time": (),
    "fcall": ("no_function", "1", _KEY),
}
_READS: Final[Mapping[str, Command]] = {
    "exists": (_KEY,),
    "get": (_KEY,),
    "hexists": (_KEY, "f"),
    "hget": (_KEY, "f"),
    "hgetall": (_KEY,),
    "hkeys": (_KEY,),
    "hlen": (_KEY,),
    "hmget": (_KEY, "f"),
    "pttl": (_KEY,),
    "scard": (_KEY,),
    "smembers": (_KEY,),
    "srandmember": (_KEY,),
    "strlen": (_KEY,),
    "type": (_KEY,),
    "xinfo|consumers": ("CONSUMERS", _KEY, "workers"),
    "xinfo|groups": ("GROUPS", _KEY),
    "xinfo|stream": ("STREAM", _KEY),
    "xlen": (_KEY,),
    "xpending": (_KEY, "workers"),
    "xrange": (_KEY, "-", "+"),
    "xread": ("STREAMS", _KEY, "0"),
    "xrevrange": (_KEY, "+", "-"),
    "zcard": (_KEY,),
    "zcount": (_KEY, "-inf", "+inf"),
    "zrange": (_KEY, "0", "-1"),
    "zrangebyscore": (_KEY, "-inf", "+inf"),
    "zrevrangebyscore": (_KEY, "+inf", "-inf"),
    "zscore": (_KEY, "m"),
}
_WRITES: Final[Mapping[str, Command]] = {
    "copy": (_KEY, f"{_KEY}:copied"),
    "hdel": (_KEY, "f"),
    "hincrby": (_KEY, "f", "1"),
    "hset": (_KEY, "f", "v"),
    "hsetnx": (_KEY, "f", "v"),
    "persist": (_KEY,),
    "pexpire": (_KEY, "1"),
    "rename": (_KEY, f"{_KEY}:renamed"),
    "sadd": (_KEY, "m"),
    "set": (_KEY, "v"),
    "srem": (_KEY, "m"),
    "unlink": (_KEY,),
    "wait": ("0", "1"),
    "xack": (_KEY, "workers", "0-1"),
    "xadd": (_KEY, "*", "f", "v"),
    "xdel": (_KEY, "0-1"),
    "xgroup|create": ("CREATE", _KEY, "workers", "0"),
    "xgroup|delconsumer": ("DELCONSUMER", _KEY, "workers", "c"),
    "xtrim": (_KEY, "MINID", "0"),
    "zadd": (_KEY, "1", "m"),
    "zrem": (_KEY, "m"),
}
_HOSTS: Final[Mapping[str, Command]] = {
    "xclaim": (_KEY, "workers", "c", "0", "0-1"),
    "xreadgroup": ("GROUP", "workers", "c", "STREAMS", _KEY, ">"),
}
_LIBRARY: Final[Mapping[str, Command]] = {
    "function|load": ("LOAD", ""),
    "function|list": ("LIST",),
    "function|delete": ("DELETE", "no_library"),
}

COMMANDS: Final[Mapping[Role, Mapping[str, Command]]] = MappingProxyType(
    {
        Role.CLIENT: {**_ROAD, **_READS, **_WRITES},
        Role.WORKER: {**_ROAD, **_READS, **_WRITES, **_HOSTS},
        Role.DASHBOARD: {**_ROAD, **_READS},
        Role.ADMIN: {**_ROAD, **_READS, **_WRITES, **_HOSTS, **_LIBRARY},
    }
)
"""What each role may do, with an example of each command's arguments."""

_FORBIDDEN: Final[tuple[Command, ...]] = (
    ("FLUSHALL",),
    ("CONFIG", "SET", "appendonly", "no"),
    ("KEYS", "*"),
    ("EVAL", "return 1", "0"),
    ("ACL", "LIST"),
    ("SHUTDOWN",),
    ("HGETALL", "somebody-else's"),
    ("HSET", "somebody-else's", "f", "v"),
)
"""What no role may do."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one role in one namespace; `user` is who has them."""

    role: Role
    user: str
    namespace: str

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules as the server takes them, without a password."""
        allowed = (f"+{name}" for name in COMMANDS[self.role])
        rules = ("reset", "on", f"~lion:{{{self.namespace}:*", "resetchannels", "-@all", *allowed)
        return (*rules, f"(+hsetnx ~{Keys(self.namespace).meta()})") if self.role is Role.DASHBOARD else rules

    def line(self) -> str:
        """The command for redis-cli or valkey-cli; PASSWORD is to be replaced."""
        words = (f"'{one}'" if set(one) & set("~(>*|{") else one for one in (">PASSWORD", *self.rules[2:]))
        return f"ACL SETUSER {self.user} reset on {' '.join(words)}"


def rules_of(namespace: str, role: Role, user: str | None = None) -> Rules:
    """Return the rules of a role; the user is `lion-<role>` unless another is named. Raises ConfigError for no name."""
    name = f"lion-{role}" if user is None else user
    if not name.isascii() or not name.isprintable() or not name or set(name) & set(" '\""):
        raise ConfigError(f"A user cannot be called {name!r:.80}; use letters, digits, - and _.")
    return Rules(role, name, namespace)


def check_access(settings: Settings, wanted: Sequence[Rules]) -> tuple[Finding, ...]:
    """Ask the server whether users may do what their roles need, and nothing that they must not.

    The user of the settings' URL must be allowed `ACL DRYRUN`. Nothing is changed. Blocks. Raises ConfigError,
    BrokerError, BrokerUnavailable.
    """
    with raw_connection(settings) as connection:
        return tuple(_finding(connection, one) for one in wanted)


def _finding(connection: RawConnection, wanted: Rules) -> Finding:
    needed = tuple(_example(name, args, wanted.namespace) for name, args in COMMANDS[wanted.role].items())
    forbidden = _FORBIDDEN if wanted.role is Role.ADMIN else (*_FORBIDDEN, ("FUNCTION", "LOAD", ""))
    replies = connection.ask(*(("ACL", "DRYRUN", wanted.user, *words) for words in (*needed, *forbidden)))
    return _judged(connection.url, wanted, needed, forbidden, replies)


def _judged(
    url: str, wanted: Rules, needed: Sequence[Command], forbidden: Sequence[Command], replies: Sequence[Any]
) -> Finding:
    """What the answers to dry runs say about a user."""
    fix = f"lion-broker acl {wanted.role} --user {wanted.user} --namespace {wanted.namespace} prints the command"
    failed = next((reply for reply in replies if isinstance(reply, Exception)), None)
    if failed is not None and is_denied(failed):
        raise translate(failed, url) from failed
    if failed is not None:
        text = f"There is no user {wanted.user} ({str(failed).rstrip('.')})."
        return Finding(wanted.role, Severity.ERROR, text, fix)
    words = [*needed, *forbidden]
    allowed = [one for one, reply in zip(words, replies, strict=True) if reply == b"OK"]
    lacks = [_named(one) for one in needed if one not in allowed]
    exceeds = [_named(one) for one in forbidden if one in allowed]
    if lacks:
        return Finding(wanted.role, Severity.ERROR, f"{wanted.user} may not: {', '.join(lacks)}.", fix)
    if exceeds:
        return Finding(
            wanted.role, Severity.WARNING, f"{wanted.user} may more than it needs: {', '.join(exceeds)}.", fix
        )
    return Finding(wanted.role, Severity.OK, f"{wanted.user} may do what it needs, and no more of what was tried.")


def _example(name: str, args: Command, namespace: str) -> Command:
    """A command of the tables as it would be sent."""
    key = f"{Keys(namespace).root(0)}acl"
    return (name.partition("|")[0], *(str(word).replace(_KEY, key, 1) for word in args))


def _named(command: Command) -> str:
    """A command as a person reads it."""
    words = 2 if command[0] in ("CONFIG", "FUNCTION", "ACL") else 1
    return " ".join(map(str, command[:words]))
