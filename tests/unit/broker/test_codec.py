"""The codec: sealed mail comes back, and hostile bytes are rejected with a reason instead of an exception."""

import json
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lion_broker.broker.codec import ENTRY_BYTES, Codec, packed, packed_records, unpacked, unpacked_records
from lion_broker.broker.signing import Signer
from lion_broker.mail.records import Entry, Record, Rejected
from lion_broker.mail.wire import MAX_MAIL_BYTES, Header, WireMail, encode_json

SIGNED, UNSIGNED = Codec(Signer(b"a secret of the codec tests")), Codec(Signer())
MAIL = WireMail(Header("s", "ada", "ben", "signal"), encode_json({"item": 1}, "item"))


def fields(head: bytes, body: bytes, signature: bytes) -> list[bytes]:
    """The fields of an entry."""
    return [b"m", packed(head, body, signature)]


def opened(head: bytes, body: bytes, codec: Codec = SIGNED) -> WireMail | Rejected:
    """What is made of a header and a body that are signed as they are."""
    return codec.open_fields(fields(head, body, codec.signer.sign("s", head, body)), "s", "ben")


def rejected(found: WireMail | Rejected) -> str:
    """The reason of a rejection."""
    assert isinstance(found, Rejected)
    assert found.detail
    return found.reason


@pytest.mark.parametrize("codec", [SIGNED, UNSIGNED], ids=["signed", "unsigned"])
def test_a_mail_comes_back(codec: Codec) -> None:
    """Byte for byte."""
    entry = codec.open((b"7-1", [b"m", codec.seal(MAIL).mail]), "s", "ben")
    assert entry == Entry("7-1", MAIL)


def test_a_mail_for_somebody_else_is_rejected() -> None:
    """A mail that was copied into another mailbox or session has no effect there."""
    sealed = [b"m", SIGNED.seal(MAIL).mail]
    assert rejected(SIGNED.open_fields(sealed, "s", "carl")) == "misdirected"
    assert rejected(SIGNED.open_fields(sealed, "another", "ben")) == "bad_signature"
    assert rejected(UNSIGNED.open_fields([b"m", UNSIGNED.seal(MAIL).mail], "another", "ben")) == "misdirected"


def test_reasons() -> None:
    """Each way to be wrong has its word."""
    head, body, signature = unpacked(SIGNED.seal(MAIL).mail) or (b"", b"", b"")
    assert rejected(SIGNED.open_fields(fields(head, body + b" ", signature), "s", "ben")) == "bad_signature"
    assert rejected(SIGNED.open_fields(fields(head, body, b""), "s", "ben")) == "bad_signature"
    assert rejected(opened(head, b"x" * MAX_MAIL_BYTES)) == "too_large"
    assert rejected(opened(head, b'{"item":NaN}')) == "malformed"
    assert rejected(opened(head, b'{"item":' + b"[" * 10_000)) == "malformed"
    assert rejected(opened(b"{}", body)) == "malformed"
    assert rejected(opened(head.replace(b'"v":1', b'"v":2'), body)) == "malformed"
    assert rejected(opened(head.replace(b"signal", b"gossip"), body)) == "malformed"


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [b"m"],
        [b"m", b""],
        [b"m", b"\x01"],
        [b"m", b"\x01\n"],
        [b"m", b"\x02si{}[]"],
        [b"x", b"1", b"m", b"2"],
        [b"m", b"1", b"x", b"2", b"y", b"4"],
        [b"\xff", b"\xff"],
    ],
    ids=str,
)
def test_other_fields_are_no_mail(wrong: list[bytes]) -> None:
    """Missing, further or swapped fields, values that end too soon, and names that are no text."""
    assert rejected(SIGNED.open_fields(wrong, "s", "ben")) == "malformed"


def test_what_is_kept_of_it_is_short() -> None:
    """A dead letter shows the beginning of each field, for a person to look at."""
    found = SIGNED.open_fields(fields(b"x" * 5000, b"y", b"z"), "s", "ben")
    assert isinstance(found, Rejected)
    assert {name: len(value) for name, value in found.fields.items()} == {"h": 1024, "b": 1, "s": 1}


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_random_fields_never_raise(entry: list[bytes]) -> None:
    """Whatever is in an entry, it is a mail or it is rejected."""
    for codec in (SIGNED, UNSIGNED):
        assert isinstance(codec.open((b"1-1", entry), "s", "ben").mail, Rejected)


@given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=80))
def test_random_contents_never_raise(head: bytes, body: bytes, signature: bytes) -> None:
    """The right fields with anything in them, signed or not."""
    assert isinstance(SIGNED.open_fields(fields(head, body, signature), "s", "ben"), Rejected)
    assert isinstance(opened(head, body, UNSIGNED), Rejected)
    assert isinstance(opened(head, body, SIGNED), Rejected)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*json.loads(MAIL.head), "other"]), anything), anything)
def test_headers_with_wrong_values_never_raise(changes: dict[str, object], item: object) -> None:
    """A header of the right kind whose values are anything."""
    head = json.dumps({**json.loads(MAIL.head), **changes}).encode()
    body = json.dumps({"item": item}).encode()
    found = opened(head, body, UNSIGNED)
    assert isinstance(found, (WireMail, Rejected))
    if isinstance(found, WireMail):
        assert (found.header.session, found.header.recipient) == ("s", "ben")


kinds = st.sampled_from(["note", "", "two words", "a\nb", "5 5 5", "\xfc"])
bodies = st.binary(max_size=300) | st.integers(0, 20_000).map(bytes)


@given(st.lists(st.builds(Record, kinds, bodies, st.binary(max_size=300)), max_size=70))
def test_records_come_back(records: list[Record]) -> None:
    """Whatever they say, in order, also where they look like lengths; as many as were said to be in each value."""
    values = packed_records(records)
    found = [unpacked_records(value) for _, value in values]
    assert [len(some) for some in found] == [count for count, _ in values]
    assert list(chain(*found)) == records


def test_records_are_kept_together_as_far_as_they_fit() -> None:
    """What is large goes alone, and small ones only so many at a time."""
    small, large = Record("note", b"x" * 1300), Record("note", b"x" * 2 * ENTRY_BYTES)
    assert [count for count, _ in packed_records([small] * 13)] == [6, 6, 1]
    assert [count for count, _ in packed_records([small, large, large, small, small])] == [1, 1, 1, 2]
    assert [count for count, _ in packed_records([Record("note", b"")] * 70)] == [32, 32, 6]
    assert packed_records([]) == []


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"\n", b"x", b"{}\n", b"0 0 0", b"0 0\n", b" \n", b"0 0 0 0\n", b"4 0 1\nnote", b"4 0 0\nnotes"),
        *(b"-4 0 0\nnote", b"4 0 0\r\nnote", b"+4 0 0\nnote", b"0 " * 600 + b"\n", b"9" * 5000 + b" 0 0\nnote"),
        b"4 1 -1\nnote",
        "\u0664 0 0\nnote".encode(),
    ],
)
def test_records_that_no_verb_has_written(value: bytes) -> None:
    """There are none in another form."""
    assert unpacked_records(value) == []
