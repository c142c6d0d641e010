"""Signatures: one key a session, rotation, and not one byte may change."""

import hmac
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lion_broker.broker.signing import MIN_SECRET_BYTES, Signer
from lion_broker.errors import ConfigError, SignatureInvalid

OLD, NEW, OTHER = (secrets.token_bytes(32) for _ in range(3))
HEAD, BODY = b'{"v":1}', b'{"item":"hello"}'


def test_what_was_signed_is_verified() -> None:
    """Also by another signer with the same secret."""
    Signer(NEW).verify("s", HEAD, BODY, Signer(NEW).sign("s", HEAD, BODY))


@given(st.binary(max_size=100), st.binary(max_size=100), st.data())
def test_not_one_byte_may_change(head: bytes, body: bytes, data: st.DataObject) -> None:
    """Neither of the header, nor of the body, nor of the signature itself."""
    signer = Signer(NEW)
    parts = [head, body, signer.sign("s", head, body)]
    place = data.draw(st.sampled_from([place for place, part in enumerate(parts) if part]))
    at = data.draw(st.integers(0, len(parts[place]) - 1))
    flipped = parts[place][at] ^ data.draw(st.integers(1, 255))
    parts[place] = parts[place][:at] + bytes([flipped]) + parts[place][at + 1 :]
    with pytest.raises(SignatureInvalid):
        signer.verify("s", *parts)


@given(st.binary(min_size=16, max_size=200), st.text(max_size=20), st.binary(max_size=300), st.binary(max_size=3000))
def test_it_is_the_hmac_of_the_standard_library(secret: bytes, session: str, head: bytes, body: bytes) -> None:
    """Whatever the lengths of the secret, the session's name and the mail."""
    key = hmac.digest(secret, f"lion-broker/1/mail/default/{session}".encode(), "sha256")
    signature = Signer(secret).sign(session, head, body)
    assert signature.partition(b":")[2] == hmac.digest(key, head + b"\n" + body, "sha256")


@given(st.binary(max_size=40))
def test_no_other_bytes_are_a_signature(signature: bytes) -> None:
    """Whatever somebody puts there."""
    with pytest.raises(SignatureInvalid):
        Signer(NEW).verify("s", HEAD, BODY, signature)


def test_nothing_can_be_moved_between_header_and_body() -> None:
    """The border between the two is signed as well."""
    signer = Signer(NEW)
    signature = signer.sign("s", b"ab", b"cd")
    for head, body in ((b"a", b"bcd"), (b"abc", b"d"), (b"", b"abcd"), (b"abcd", b"")):
        with pytest.raises(SignatureInvalid):
            signer.verify("s", head, body, signature)


def test_a_mail_of_another_session_is_refused() -> None:
    """Every session has a key of its own, and so has every namespace."""
    signature = Signer(NEW).sign("s", HEAD, BODY)
    with pytest.raises(SignatureInvalid, match="does not fit"):
        Signer(NEW).verify("another", HEAD, BODY, signature)
    with pytest.raises(SignatureInvalid, match="does not fit"):
        Signer(NEW, namespace="another").verify("s", HEAD, BODY, signature)


def test_a_secret_is_rotated() -> None:
    """Old mail is accepted as long as the old secret is known; new mail is signed with the new one."""
    old_mail = Signer(OLD).sign("s", HEAD, BODY)
    both = Signer(NEW, OLD)
    both.verify("s", HEAD, BODY, old_mail)
    new_mail = both.sign("s", HEAD, BODY)
    Signer(NEW).verify("s", HEAD, BODY, new_mail)
    for signer, mail in ((Signer(NEW), old_mail), (Signer(OLD), new_mail), (Signer(OTHER), new_mail)):
        with pytest.raises(SignatureInvalid, match="unknown key"):
            signer.verify("s", HEAD, BODY, mail)


def test_an_unsigned_mail_is_refused_by_who_has_a_secret() -> None:
    """An insecure program beside a secure one is noticed."""
    unsigned = Signer().sign("s", HEAD, BODY)
    with pytest.raises(SignatureInvalid, match="unsigned"):
        Signer(NEW).verify("s", HEAD, BODY, unsigned)


def test_without_a_secret_nothing_is_checked() -> None:
    """Only where that was asked for."""
    signer = Signer()
    assert not signer.signs
    signer.verify("s", HEAD, BODY, b"whatever")


@pytest.mark.parametrize("secret", [b"", b"x" * (MIN_SECRET_BYTES - 1)])
def test_a_short_secret_is_refused(secret: bytes) -> None:
    """Also as the previous one; the error says how long it must be, and not what it is."""
    with pytest.raises(ConfigError, match=r"at least 16.*keygen"):
        Signer(secret)
    with pytest.raises(ConfigError):
        Signer(NEW, secret)


def test_secrets_are_never_shown() -> None:
    """Neither in a repr nor in an error."""
    signer = Signer(b"a very secret secret")
    assert "secret" not in repr(signer)
    with pytest.raises(SignatureInvalid) as caught:
        signer.verify("s", HEAD, BODY, b"00000000:xyz")
    assert "secret" not in str(caught.value)


def test_sessions_that_went_are_forgotten() -> None:
    """The memory of a worker does not grow with the sessions whose mail it has seen, and all of it stays valid."""
    signer = Signer(b"a" * 32)
    first = signer.sign("0", b"head", b"body")
    for session in range(5000):
        signer.sign(str(session), b"head", b"body")
    assert len(signer._states) <= 1024
    signer.verify("0", b"head", b"body", first)
