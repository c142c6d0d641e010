"""Who may write mail: HMAC-SHA256 (RFC 2104) over its exact bytes, with a key derived for its session."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from lion_broker.errors import ConfigError, SignatureInvalid

__all__ = ["MIN_SECRET_BYTES", "UNSIGNED", "Signer"]

MIN_SECRET_BYTES: Final = 16
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
                f"The signing secret has {len(short[0])} bytes; at least {MIN_SECRET_BYTES} are needed."
                " Make one with `lion-broker keygen`."
            )
        self._masters = {self._key_id(secret): secret for secret in reversed(secrets)}
        self._current = self._key_id(secrets[0]) if secrets else _UNSIGNED
        self._namespace = namespace
        self._session_keys: dict[tuple[bytes, str], bytes] = {}

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
        key = self._session_keys.get((key_id, session))
        if key is None:
            purpose = f"lion-broker/1/mail/{self._namespace}/{session}".encode()
            key = hmac.digest(self._masters[key_id], purpose, "sha256")
            self._session_keys[key_id, session] = key
        # A header is one line of JSON, so the line feed keeps the two parts apart.
        return hmac.digest(key, head + b"\n" + body, "sha256")

    @staticmethod
    def _key_id(secret: bytes) -> bytes:
        return hashlib.sha256(b"lion-broker/1/key-id/" + secret).hexdigest()[:8].encode()

    def __repr__(self) -> str:
        return f"Signer({'unsigned' if not self._masters else self._current.decode()})"
