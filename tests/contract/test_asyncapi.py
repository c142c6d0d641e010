"""The AsyncAPI document is valid, and says of mail what the package itself reads and writes."""

import gzip
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lion_broker import Branch, Node, Session
from lion_broker.__main__ import main
from lion_broker.broker.asyncapi import asyncapi_document, header_schema
from lion_broker.broker.keys import Keys
from lion_broker.errors import MailMalformed
from lion_broker.mail.package import PackageCategory
from lion_broker.mail.verbs import ReadInbox
from lion_broker.mail.wire import Header, WireMail, decode_with_care, encode_json
from tests.conformance.servers import KEYS

SCHEMA = Path(__file__).with_name("asyncapi-3.0.0.json.gz")
"""The published schema: npm @asyncapi/specs 6.11.1, schemas/3.0.0-without-$id.json, Apache-2.0."""


def resolved(document: dict[str, Any], path: str) -> Any:
    """What a reference within a document names."""
    place: Any = document
    for step in path.removeprefix("#/").split("/"):
        place = place[step]
    return place


def references(value: Any) -> list[str]:
    """All references in a document."""
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [path for one in value.values() for path in references(one)]
    return [path for one in value for path in references(one)] if isinstance(value, list) else []


def test_the_document_is_valid() -> None:
    """By the schema that AsyncAPI publishes, and every reference leads somewhere."""
    document = json.loads(json.dumps(asyncapi_document("shop")))
    jsonschema.validate(document, json.loads(gzip.decompress(SCHEMA.read_bytes())))
    for path in references(document):
        assert resolved(document, path)


def test_the_command_prints_it_or_writes_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The same on stdout and in a file; a place that there is not is an error."""
    assert main(["docs", "asyncapi", "--namespace", "shop", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(asyncapi_document("shop")))
    file = tmp_path / "asyncapi.json"
    assert main(["docs", "asyncapi", "--output", str(file)]) == 0
    assert json.loads(file.read_text())["asyncapi"] == "3.0.0"
    assert main(["docs", "asyncapi", "--output", str(tmp_path / "no" / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_addresses_are_the_keys_of_the_server() -> None:
    """With its parameters put in, each address is a key of the key table."""
    for name, channel in asyncapi_document("shop")["channels"].items():
        values = {"hashTag": channel["parameters"]["hashTag"]["default"], "session": "s-1", "branch": "b-1"}
        key = channel["address"].format(**values)
        assert KEYS.fullmatch(key)
        assert key == f"{Keys('shop').branch('s-1', 'b-1')}:{name}"


GOOD = json.loads(Header("s-1", "b-1", "b-2", "message").encode())


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"v": 2},
        {"category": "nonsense"},
        {"category": "command", "reply_to": "c-1", "ttl": 2.5},
        {"blob": "a" * 64},
        {"blob": "A" * 64},
        {"seq": -1},
        {"seq": 2**53},
        {"created": -1.0},
        {"created": "now"},
        {"sender": ""},
        {"sender": "x" * 513},
        {"in_reply_to": "m-1", "traceparent": "00-0-0-00"},
        {"extra": 1},
        {"id": None},
    ],
)
def test_headers_are_taken_or_refused_alike(changed: dict[str, Any]) -> None:
    """The schema and the reader of headers agree; None here means that the field is missing."""
    header = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    try:
        decode_with_care(json.dumps(header).encode())
        taken = True
    except MailMalformed:
        taken = False
    assert jsonschema.Draft202012Validator(header_schema()).is_valid(header) is taken


def test_mail_that_is_sent_is_as_the_document_says() -> None:
    """Of every category that a branch sends, and a command."""

    def shout(text: str) -> str:
        """Say it loudly."""
        return text.upper()

    items: dict[str, Any] = {
        "message": "hello",
        "tool": shout,
        "imodel": "offline/extractive",
        "node": Node(content="n"),
        "node_list": [Node(content="n")],
        "node_id": Node(content="n"),
        "start": {"a": 1},
        "end": None,
        "condition": "c",
        "signal": 1,
    }
    with Session(exchange="memory://", delivery="auto") as session:
        ada: Branch = session.new_branch(name="ada")
        ben = session.new_branch(name="ben")
        for category, item in items.items():
            ada.send(ben, category, item, request_source=ada)
        entries = session.exchange.call(ReadInbox(session.id, ben.id))
    mails = [entry.mail for entry in entries if isinstance(entry.mail, WireMail)]
    command = {"item": {"op": "chat", "args": {"instruction": "hello"}}}
    mails.append(WireMail(Header("s-1", "s-1", "b-1", "command", reply_to="c-1"), encode_json(command, "command")))
    assert {mail.header.category for mail in mails} == set(PackageCategory)
    messages = asyncapi_document()["components"]["messages"]
    for mail in mails:
        jsonschema.validate(mail.item(), messages[mail.header.category]["payload"])
        jsonschema.validate(json.loads(mail.head), header_schema())
