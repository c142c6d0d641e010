"""Entries that no verb has written: bytes of every kind, signed and unsigned, and what is to become of each."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lion_broker.broker.codec import packed
from lion_broker.broker.signing import Signer
from lion_broker.core.ids import IDType
from lion_broker.mail.wire import Header, encode_json
from lion_broker.messages import Instruction

__all__ = ["Forge", "HostileEntry"]

Fields = list[bytes]


@dataclass(frozen=True)
class HostileEntry:
    """Fields for an XADD, and the reasons one of which the dead letter must give; none: it may do no harm."""

    name: str
    fields: Fields
    reasons: frozenset[str]
    id: str = "*"


class Forge:
    """Makes hostile mail for one branch of a session, with the key of the namespace and with others."""

    def __init__(self, secret: bytes, namespace: str, session: str, sender: str, recipient: str) -> None:
        self._signer = Signer(secret, namespace=namespace)
        self._stranger = Signer(secrets.token_bytes(32), namespace=namespace)
        self._session, self._sender, self._recipient = session, sender, recipient

    def header(self, **changes: Any) -> Header:
        """A header as it should be, with changes."""
        header = Header(self._session, self._sender, self._recipient, "message", id=str(IDType.create()))
        return header._replace(**changes)

    def sealed(self, head: bytes, body: bytes, session: str | None = None) -> Fields:
        """An entry with a signature that fits."""
        signature = self._signer.sign(session or self._session, head, body)
        return [b"m", packed(head, body, signature)]

    def good(self, text: str = "hello") -> Fields:
        """An entry with which nothing is wrong."""
        return self.sealed(self.header().encode(), self._body(text))

    @staticmethod
    def _body(text: str) -> bytes:
        return encode_json({"item": Instruction.create(instruction=text).to_dict()}, "item")

    def unsigned(self) -> list[HostileEntry]:
        """Entries by somebody who has no key."""
        head, body = self.header().encode(), self._body("forged")
        stranger = self._stranger.sign(self._session, head, body)
        key = self._signer.sign(self._session, head, body).partition(b":")[0]
        odd: Mapping[str, Fields] = {
            "random fields": [b"x", b"y"],
            "an empty field": [b"", b""],
            "binary fields": [bytes(range(256)), bytes(range(256))],
            "a field too many": [b"m", packed(head, body, stranger), b"y", b"z"],
            "nothing": [b"m", b""],
            "no body": [b"m", packed(head, b"", stranger)[:-1]],
            "a signature without an end": [b"m", b"\xff" + stranger],
            "another order": [b"x", b"", b"m", packed(head, body, stranger)],
            "the same field again": [b"m", packed(head, body, stranger)] * 3,
            "a name of a mebibyte": [b"m" * (1 << 20), b"x"],
            "a thousand fields": [part for n in range(1000) for part in (b"%d" % n, b"x")],
        }
        bad: Mapping[str, bytes] = {
            "no signature": b"",
            "unsigned": b"unsigned",
            "a stranger's": stranger,
            "an old key": b"0123abcd:" + b"x" * 32,
            "no digest": key + b":",
            "a short digest": key + b":x",
            "binary": bytes(range(255)),
            "as long as it can be": b"s" * 255,
        }
        entries = [HostileEntry(name, fields, frozenset({"malformed"})) for name, fields in odd.items()]
        for name, signature in bad.items():
            reasons = frozenset({"bad_signature"})
            entries.append(HostileEntry(f"signature: {name}", [b"m", packed(head, body, signature)], reasons))
        large = [b"m", packed(head, b"x" * (8 << 20), stranger)]
        return [*entries, HostileEntry("a body of 8 MiB", large, frozenset({"too_large"}))]

    def signed(self) -> list[HostileEntry]:
        """Entries by somebody who has the key: another version, or a program gone mad."""
        head, body = self.header().encode(), self._body("odd")
        parts = json.loads(head)
        heads: Mapping[str, bytes] = {
            "nothing": b"",
            "no JSON": b"{",
            "a list": b"[]",
            "a number": b"5",
            "invalid UTF-8": head.replace(b"message", b"\xff\xfe"),
            "depth 10,000": b"[" * 10_000 + b"]" * 10_000,
            "NaN": head.replace(b'"seq":0', b'"seq":NaN'),
            "a key twice": head[:-1] + b',"seq":1}',
            "another version": json.dumps({**parts, "v": 99}).encode(),
            "no version": json.dumps({name: value for name, value in parts.items() if name != "v"}).encode(),
            "an unknown category": json.dumps({**parts, "category": "rm -rf"}).encode(),
            "an unknown name": json.dumps({**parts, "admin": True}).encode(),
            "a negative number": json.dumps({**parts, "seq": -1}).encode(),
            "a number of 400 digits": json.dumps({**parts, "created": 10**400}).encode(),
            "a sender of a kibibyte": json.dumps({**parts, "sender": "x" * 1024}).encode(),
            "no recipient": json.dumps({**parts, "recipient": ""}).encode(),
        }
        bodies: Mapping[str, bytes] = {
            "nothing": b"",
            "no JSON": b"{",
            "depth 10,000": b'{"item":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
            "NaN": b'{"item":NaN}',
            "a key twice": b'{"item":1,"item":2}',
            "invalid UTF-8": b'{"item":"\xff"}',
            "half a character": b'{"item":"\\ud800"}',
            "a list": b"[]",
            "no item": b"{}",
            "an item that is a number": b'{"item":5}',
            "an unknown class": b'{"item":{"metadata":{"lion_class":"os.system"},"content":{}}}',
            "contents that are none": b'{"item":{"metadata":{"lion_class":"Instruction"},"content":5}}',
        }
        malformed, unusable = frozenset({"malformed"}), frozenset({"malformed", "not_applied"})
        entries = [HostileEntry(f"header: {name}", self.sealed(raw, body), malformed) for name, raw in heads.items()]
        entries += [HostileEntry(f"body: {name}", self.sealed(head, raw), unusable) for name, raw in bodies.items()]
        return entries + self._misused(body) + self._blobs(head, body)

    def _blobs(self, head: bytes, body: bytes) -> list[HostileEntry]:
        """Entries that say that their body is beside them."""
        digest = "0" * 64
        names = self.header(blob=digest).encode()
        gone, malformed = frozenset({"lost_blob"}), frozenset({"malformed"})
        at = f"{digest}:5".encode()
        return [
            HostileEntry("blob: unnamed by the header", [*self.sealed(head, body), b"x", at], malformed),
            HostileEntry("blob: unnamed by the entry", self.sealed(names, b""), malformed),
            HostileEntry("blob: and a body", [*self.sealed(names, body), b"x", at], malformed),
            HostileEntry("blob: that is not there", [*self.sealed(names, b""), b"x", at], gone),
            HostileEntry("blob: of a size that is none", [*self.sealed(names, b""), b"x", b"0" * 64 + b":x"], gone),
            HostileEntry("blob: that is a path", [*self.sealed(head, body), b"x", b"../../etc/passwd:5"], malformed),
        ]

    def _misused(self, body: bytes) -> list[HostileEntry]:
        other = str(IDType.create())
        elsewhere = self.header(recipient=other).encode()
        foreign = self.header(session=other).encode()
        tool = self.header(category="tool").encode()
        model = self.header(category="imodel").encode()
        return [
            HostileEntry("of another branch", self.sealed(elsewhere, body), frozenset({"misdirected"})),
            HostileEntry("of another session", self.sealed(foreign, body), frozenset({"misdirected"})),
            HostileEntry(
                "signed for another session",
                self.sealed(self.header().encode(), body, other),
                frozenset({"bad_signature"}),
            ),
            HostileEntry(
                "a tool that is code", self.sealed(tool, b'{"item":[{"ref":"os.system"}]}'), frozenset({"unknown_tool"})
            ),
            HostileEntry(
                "a tool that is none", self.sealed(tool, b'{"item":5}'), frozenset({"malformed", "not_applied"})
            ),
            HostileEntry(
                "a model with a URL",
                self.sealed(model, b'{"item":{"provider":"openai","model":"x","base_url":"http://evil.example/"}}'),
                frozenset({"malformed", "not_applied", "unknown_model"}),
            ),
        ]
