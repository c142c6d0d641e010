"""Who may come in: a token once, then a signed cookie; and for whom a change is meant.

The cookie holds no secret: a name, a moment and a random number, signed with a key that only who has the token can
know. Several gateways with the same token take each other's cookies, and a new token ends them all.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from typing import Final

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError

__all__ = ["COOKIE", "Gate", "Visitor", "host_name", "is_loopback"]

COOKIE: Final = "lion_broker_dashboard"
VALID_SECONDS: Final = 12 * 3600
_SHORTEST: Final = 16
_LONGEST_NAME: Final = 40
_LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST: Final = re.compile(r"\[([0-9a-f:.]{2,45})\](?::[0-9]{1,5})?|([a-z0-9._-]{1,253})(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks: by the name that they gave themselves, and from where. `ambient` says that a browser let them in.

    What a browser sends by itself, a cookie or the address of the machine, any page can have it send: then a change
    needs `proof`, which only our own pages know.
    """

    name: str
    address: str
    proof: str = ""
    ambient: bool = True

    @property
    def who(self) -> str:
        """The visitor in an entry of the audit."""
        return f"{self.name} ({self.address})" if self.name else self.address


class Gate:
    """Knows the token, if there is one, and which hosts the dashboard is called by."""

    def __init__(self, token: str | None, hosts: frozenset[str] = frozenset()) -> None:
        """Raises ConfigError for a token that could be guessed."""
        if token is not None and len(token) < _SHORTEST:
            raise ConfigError(
                f"The dashboard's token has {counted(len(token), 'character')}; at least {_SHORTEST} are needed."
                " `lion-broker keygen` makes one."
            )
        self.has_token = token is not None
        secret = (token or secrets.token_hex(32)).encode()
        self._digest = sha256(secret).digest()
        self._key = hmac.digest(secret, b"lion-broker dashboard session", "sha256")
        self._hosts = frozenset(name.lower() for name in hosts)

    def knows(self, token: str) -> bool:
        """Whether that is the token; takes as long whatever it is."""
        return self.has_token and hmac.compare_digest(sha256(token.encode("utf-8", "replace")).digest(), self._digest)

    def is_called(self, host: str) -> bool:
        """Whether a request's Host is one of ours, and no name that somebody has pointed at this machine."""
        name = host_name(host)
        if name is None:
            return False
        return name in self._hosts or name in _LOCAL_NAMES or (self.has_token and _is_address(name))

    def admit(self, name: str, address: str) -> tuple[Visitor, str]:
        """Let a visitor in; returns them with their cookie."""
        told = f"{int(time.time())}.{secrets.token_urlsafe(12)}.{_packed(name.strip()[:_LONGEST_NAME])}"
        cookie = f"{told}.{self._sign('cookie', told)}"
        return Visitor(name.strip()[:_LONGEST_NAME], address, self._sign("proof", told)), cookie

    def recall(self, cookie: str, address: str) -> Visitor | None:
        """Return the visitor that a cookie stands for; None for one that is none, or too old."""
        told, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(self._sign("cookie", told), signature.encode("ascii", "replace").decode()):
            return None
        begun, _, name = told.split(".")
        if not 0 <= time.time() - int(begun) <= VALID_SECONDS:
            return None
        return Visitor(_unpacked(name), address, self._sign("proof", told))

    def is_proven(self, visitor: Visitor, proof: str) -> bool:
        """Whether a change comes from a page of ours that this visitor has seen."""
        return not visitor.ambient or hmac.compare_digest(visitor.proof, proof.encode("ascii", "replace").decode())

    def _sign(self, purpose: str, told: str) -> str:
        return hmac.digest(self._key, f"{purpose}:{told}".encode("utf-8", "replace"), "sha256").hex()


def host_name(host: str) -> str | None:
    """Return the name in a Host header, without its port; None for what is none."""
    found = _HOST.fullmatch(host.lower())
    return (found[1] or found[2]) if found else None


def is_loopback(address: str) -> bool:
    """Whether an address is of this machine only."""
    if address.lower() == "localhost":
        return True
    return _is_address(address) and ip_address(address).is_loopback


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _packed(name: str) -> str:
    return urlsafe_b64encode(name.encode("utf-8", "replace")).decode().rstrip("=")


def _unpacked(text: str) -> str:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "replace")
