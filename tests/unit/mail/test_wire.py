"""The wire format: strict JSON both ways, and a header that knows its fields."""

import json
import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lion_broker.errors import MailMalformed, MailTooLarge, NotPortable
from lion_broker.mail.strict_json import MAX_DEPTH, read_json
from lion_broker.mail.wire import (
    BLOB_BYTES,
    MAX_BODY_BYTES,
    MAX_MAIL_BYTES,
    WIRE_VERSION,
    Header,
    WireMail,
    decode_header,
    decode_with_care,
    encode_json,
)
from tests.naming import stable

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
names = st.text(st.sampled_from("abc-_.09"), min_size=1, max_size=20)
traces = st.text(st.sampled_from("0af-"), min_size=55, max_size=55) | st.text(
    st.sampled_from('0f-"\\, '), min_size=54, max_size=56
)
headers = st.builds(
    Header,
    session=names,
    sender=names,
    recipient=names,
    category=st.sampled_from(["message", "signal", "command"]),
    id=names,
    created=st.floats(0, 1e12),
    seq=st.integers(0, 2**53 - 1),
    ttl=st.none() | st.floats(0, 1e9),
    traceparent=st.none() | names | traces,
    reply_to=st.none() | names,
    in_reply_to=st.none() | names,
    blob=st.none(),
    tracestate=st.none() | names,
    baggage=st.none() | names,
)

GOOD = {
    "v": 1,
    "id": "i",
    "session": "s",
    "sender": "a",
    "recipient": "b",
    "category": "message",
    "created": 1,
    "seq": 0,
}


@given(values)
def test_json_comes_back_as_it_was(value: Any) -> None:
    """Whatever plain JSON values hold, down to the sign of zero."""
    assert json.dumps(read_json(encode_json(value, "value"), "value")) == json.dumps(value)


@given(headers)
def test_a_header_comes_back_as_it_was(header: Header) -> None:
    """Fields that are not set are left out and come back as None."""
    assert decode_header(header.encode()) == header


@given(headers, st.data())
def test_a_glance_sees_what_a_careful_look_does(header: Header, data: st.DataObject) -> None:
    """Also where a byte of the header was changed: both read the same, or both refuse."""
    raw = bytearray(header.encode())
    if data.draw(st.booleans()):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0x20, 0x7E))

    def read(how: Callable[[bytes], Header]) -> Header | None:
        try:
            return how(bytes(raw))
        except MailMalformed:
            return None

    assert read(decode_header) == read(decode_with_care)


def test_mails_of_one_trace_share_the_text_of_it() -> None:
    """A batch of them has it once, whatever else they say; a header of another trace in between has its own."""
    known, other = (f"00-{digit * 32}-{digit * 16}-01" for digit in "ab")
    said = (known, known, other, None, other)
    raws = [Header("s", "a", "b", "message", traceparent=one, in_reply_to="m").encode() for one in said]
    found = [decode_header(raw).traceparent for raw in raws]
    assert tuple(found) == said
    assert found[0] is found[1]
    assert found[2] is found[4]


@given(values)
def test_other_spellings_of_the_same_json_are_fine(value: Any) -> None:
    """Blanks and escapes of another program's JSON writer do not matter."""
    raw = json.dumps(value, indent=1).encode()
    assert json.dumps(read_json(raw, "value")) == json.dumps(value)


@given(st.binary(max_size=64))
def test_bytes_are_json_or_refused(raw: bytes) -> None:
    """Nothing but MailMalformed ever comes out of bad bytes."""
    try:
        value = read_json(raw, "value")
    except MailMalformed:
        return
    assert read_json(encode_json(value, "value"), "value") == value


BAD_JSON = {
    "nothing": b"",
    "half": b'{"a":',
    "two": b"1 2",
    "a key twice": b'{"a":1,"a":2}',
    "a key twice with the same value": b'{"a":1,"a":1}',
    "a key twice deep inside": b'[{"x":{"a":1,"b":2,"a":3}}]',
    "NaN": b'{"a":NaN}',
    "Infinity": b"[-Infinity]",
    "a number beyond all": b"[1e400]",
    "invalid UTF-8": b'"\xff\xfe"',
    "cut UTF-8": b'"\xc3"',
    "overlong UTF-8": b'"\xc0\xaf"',
    "half a character": b'"\\ud83d"',
    "half a character as bytes": b'"\xed\xa0\xbd"',
    "a bare line feed in a text": b'"\n"',
    "single quotes": b"{'a':1}",
    "a comment": b"[1] // one",
    "a comma too many": b"[1,]",
    "nested too deep": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    "nested very deep": b"[" * 10_000 + b"]" * 10_000,
    "objects nested very deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "only opening": b"[" * 100_000,
    "too large": b'"' + b"x" * MAX_MAIL_BYTES + b'"',
}


@pytest.mark.parametrize("what", BAD_JSON)
def test_what_is_no_strict_json_is_refused(what: str) -> None:
    """Each with an error that names the part of the mail."""
    with pytest.raises(MailMalformed, match="body"):
        read_json(BAD_JSON[what], "body")


def test_the_deepest_that_is_allowed() -> None:
    """Thirty-two levels are read and written; brackets inside texts do not count."""
    raw = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert encode_json(read_json(raw, "body"), "body") == raw
    assert read_json(b'"' + b"[{" * 100 + b'\\"[[["', "body") == "[{" * 100 + '"[[['


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        [float("inf")],
        {"a": float("-inf")},
        "half a \ud83d",
        {"\udc00": 1},
        object(),
        json.loads("[" * 40 + "]" * 40),
    ],
    ids=stable,
)
def test_what_json_cannot_hold_is_not_written(value: Any) -> None:
    """The error names what cannot travel."""
    with pytest.raises(NotPortable, match="The item"):
        encode_json(value, "The item")


@pytest.mark.parametrize(
    ("value", "instead"),
    [
        (float("nan"), "NaN and Infinity are no JSON numbers. Send None, or a text, in their place."),
        (json.loads("[" * 40 + "]" * 40), "deeper than 32 levels. Send it flatter, or as a text (json.dumps)"),
        ("half a \ud83d", "Send text.encode('utf-8', 'replace').decode()."),
        (object(), "Use text, numbers, lists, dicts, dataclasses or pydantic models instead."),
    ],
    ids=stable,
)
def test_what_is_sent_instead_is_said(value: Any, instead: str) -> None:
    """One sentence says what is wrong, another what to do; and that does travel."""
    with pytest.raises(NotPortable, match=rf"^The item cannot travel: .*{re.escape(instead)}"):
        encode_json(value, "The item")
    for one in (
        None,
        "NaN",
        json.dumps(json.loads("[" * 40 + "]" * 40)),
        "half a \ud83d".encode("utf-8", "replace").decode(),
    ):
        assert read_json(encode_json(one, "The item"), "item") == one


def test_a_circle_is_not_written() -> None:
    """A list that holds itself has no end."""
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(NotPortable):
        encode_json(circle, "The item")


def test_too_much_is_not_written() -> None:
    """The error says how much it is, how much may travel, and what to do."""
    with pytest.raises(MailTooLarge, match=r"9,000,002 bytes; at most 8,388,608 are accepted\. Send a reference"):
        encode_json("x" * 9_000_000, "The item")


def test_header_and_body_count_together() -> None:
    """A body that fits alone may be too large with its header."""
    body = encode_json("x" * (MAX_BODY_BYTES - 10), "item")
    with pytest.raises(MailTooLarge, match="from a to b"):
        WireMail(Header("s", "a", "b", "message"), body)


@pytest.mark.parametrize("version", [0, WIRE_VERSION + 1, "1", 1.5, True, None, [1]], ids=repr)
def test_another_version_is_refused(version: Any) -> None:
    """A program reads its own version of the protocol only."""
    with pytest.raises(MailMalformed, match="version"):
        decode_header(json.dumps({**GOOD, "v": version}).encode())


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_field_is_refused(name: str) -> None:
    """Every required field is required."""
    header = {key: value for key, value in GOOD.items() if key != name}
    with pytest.raises(MailMalformed):
        decode_header(json.dumps(header).encode())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("unknown", 1),
        ("", ""),
        ("id", ""),
        ("id", 7),
        ("session", None),
        ("sender", ["a"]),
        ("recipient", "x" * 513),
        ("category", "nonsense"),
        ("category", "MESSAGE"),
        ("created", "now"),
        ("created", -1),
        ("created", True),
        ("seq", -1),
        ("seq", 1.5),
        ("seq", 2**53),
        ("seq", False),
        ("ttl", "soon"),
        ("reply_to", ""),
        ("traceparent", {}),
    ],
)
def test_a_field_of_another_shape_is_refused(name: str, value: Any) -> None:
    """Unknown fields, wrong types, empty and endless texts."""
    with pytest.raises(MailMalformed):
        decode_header(json.dumps({**GOOD, name: value}).encode())


@pytest.mark.parametrize("raw", [b"[]", b"1", b'"header"', b"null", b"{}"])
def test_a_header_is_an_object(raw: bytes) -> None:
    """Other JSON is no header."""
    with pytest.raises(MailMalformed):
        decode_header(raw)


@pytest.mark.parametrize("more", [0, 1])
def test_a_large_body_is_named_by_its_digest(more: int) -> None:
    """From a byte over the limit on it travels beside the header, which names it."""
    body = encode_json("x" * (BLOB_BYTES - 2 + more), "item")
    mail = WireMail(Header("s", "a", "b", "message"), body)
    digest = sha256(body).hexdigest() if more else None
    assert (mail.header.blob, decode_header(mail.head).blob, mail.body) == (digest, digest, body)


@pytest.mark.parametrize("odd", ["", "x" * 64, "A" * 64, "0" * 63, 5, None])
def test_what_is_no_digest_is_refused(odd: Any) -> None:
    """Sixty-four hexadecimal digits, nothing else: it becomes part of a key."""
    with pytest.raises(MailMalformed, match="blob"):
        decode_header(json.dumps({**GOOD, "blob": odd}).encode())
