"""Who may write mail: HMAC-SHA256 (RFC 2104) over its exact bytes, with a key derived for its session.

The hash states after the two padded keys are kept, as section 4 of the RFC proposes: a call of `hmac.digest` costs
twice as much for a mail of a kilobyte.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError, SignatureInvalid

__all__ = ["MIN_SECRET_BYTES", "UNSIGNED", "Signer", "foreign_key"]

MIN_SECRET_BYTES: Final = 16
_BLOCK: Final = 64
"""Bytes of a block of SHA-256."""
_SESSIONS_KEPT: Final = 256
"""Sessions whose hash states are kept, about a kibibyte each that Python does not count; then they are made again."""
UNSIGNED: Final = "unsigned"
"""What stands for the id of a key where there is none."""
_UNSIGNED: Final = UNSIGNED.encode()


class Signer:
    """Signs and verifies mails with keys derived from a master secret.

    The first secret signs; mails signed with any of them are accepted, so that a secret can be rotated. Without a
    secret nothing is signed and nothing verified: only for servers that nobody else reaches. The secrets are never
    shown.
    """

    def __init__(self, *secrets: bytes, namespace: str = "default") -> None:
        short = [secret for secret in secrets if len(secret) < MIN_SECRET_BYTES]
        if short:
            raise ConfigError(
                f"The signing secret has {counted(len(short[0]), 'byte')}; at least {MIN_SECRET_BYTES} are needed."
                " Make one with `lion-broker keygen`."
            )
        self._masters = {self._key_id(secret): secret for secret in reversed(secrets)}
        self._current = self._key_id(secrets[0]) if secrets else _UNSIGNED
        self._namespace = namespace
        self._states: dict[tuple[bytes, str], tuple[Any, Any]] = {}

    @property
    def signs(self) -> bool:
        """Whether mails are signed at all."""
        return bool(self._masters)

    @property
    def key_id(self) -> str:
        """The id of the key that signs: a short hash of the secret, or `UNSIGNED`."""
        return self._current.decode()

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of all keys whose mail is accepted, or `UNSIGNED`."""
        return tuple(key_id.decode() for key_id in self._masters) or (UNSIGNED,)

    def sign(self, session: str, head: bytes, body: bytes) -> bytes:
        """Return `<key id>:<digest>` for a mail of a session."""
        if not self._masters:
            return _UNSIGNED
        return self._current + b":" + self._digest(self._current, session, head, body)

    def verify(self, session: str, head: bytes, body: bytes, signature: bytes) -> None:
        """Raise SignatureInvalid unless `signature` is that of this mail in this session, by a key that is known."""
        if not self._masters:
            return
        key_id, _, digest = signature.partition(b":")
        if key_id not in self._masters:
            shown = key_id[:16].decode("ascii", "replace") or "none"
            raise SignatureInvalid(f"The mail is signed with an unknown key ({shown}).")
        if not hmac.compare_digest(digest, self._digest(key_id, session, head, body)):
            raise SignatureInvalid("The signature does not fit the mail.")

    def _digest(self, key_id: bytes, session: str, head: bytes, body: bytes) -> bytes:
        states = self._states.get((key_id, session))
        if states is None:
            purpose = f"lion-broker/1/mail/{self._namespace}/{session}".encode()
            states = _keyed(hmac.digest(self._masters[key_id], purpose, "sha256"))
            if len(self._states) >= _SESSIONS_KEPT:
                # One that is at work all the time is soon there again.
                del self._states[next(iter(self._states))]
            self._states[key_id, session] = states
        inner, outer = states[0].copy(), states[1].copy()
        # A header is one line of JSON, so the line feed keeps the two parts apart.
        inner.update(head + b"\n" + body)
        outer.update(inner.digest())
        digest: bytes = outer.digest()
        return digest

    @staticmethod
    def _key_id(secret: bytes) -> bytes:
        return hashlib.sha256(b"lion-broker/1/key-id/" + secret).hexdigest()[:8].encode()

    def __repr__(self) -> str:
        return f"Signer({'unsigned' if not self._masters else self._current.decode()})"


def _keyed(key: bytes) -> tuple[Any, Any]:
    """The states of the inner and the outer hash after a key that is no longer than a block."""
    padded = key.ljust(_BLOCK, b"\0")
    return (
        hashlib.sha256(bytes(byte ^ 0x36 for byte in padded)),
        hashlib.sha256(bytes(byte ^ 0x5C for byte in padded)),
    )


def foreign_key(newest: str, signer: Signer, where: str, advice: str) -> str:
    """Return what to say, and what to do, when the newest key of a namespace is none that a program has."""
    if newest == UNSIGNED:
        return (
            f"Mail in {where} is not signed, so this program, which has a key, would take none of it. Use another"
            " namespace, or, when no mail waits there any more, begin to sign: start one program with"
            " LION_BROKER_INSECURE=1 beside its secret."
        )
    ours = ", ".join(signer.key_ids) if signer.signs else "none"
    return (
        f"Mail in {where} is signed with the key {newest}, which this program does not have (it has: {ours})."
        f" Nothing was touched. {advice}"
    )
