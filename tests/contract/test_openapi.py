"""The OpenAPI document is valid, and says of the gateway neither more nor less than there is."""

import json
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from lion_broker.__main__ import main
from lion_broker.broker.exchange import RedisExchange
from lion_broker.dashboard import dashboard
from lion_broker.dashboard.gateway import gateway
from lion_broker.dashboard.openapi import openapi_document
from tests.conformance.servers import SECRET

OPERATIONS = ("get", "post")


def served(app: Starlette) -> set[tuple[str, str]]:
    """Every path and method that an application answers, but for the files of its pages."""
    found = set()
    for route in app.routes:
        if isinstance(route, Route):
            found |= {(route.path, method.lower()) for method in route.methods or () if method != "HEAD"}
        elif isinstance(route, Mount) and isinstance(route.app, Starlette):
            found |= served(route.app)
    return found


def told(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Every path and method that the document has."""
    return {(path, method) for path, item in document["paths"].items() for method in item if method in OPERATIONS}


def test_the_document_is_valid() -> None:
    """By the schema of OpenAPI 3.1, with each operation named once, of a dashboard that is mounted somewhere, too."""
    for document in (openapi_document(), openapi_document("/ops/lion", probes=False)):
        validate(json.loads(json.dumps(document)))
    names = [
        item[method]["operationId"] for item in document["paths"].values() for method in OPERATIONS if method in item
    ]
    assert len(names) == len(set(names))
    assert document["servers"] == [{"url": "/ops/lion"}]


def test_it_has_the_routes_that_there_are() -> None:
    """Of the pages alone, and of the gateway with its probes."""
    with RedisExchange("redis://127.0.0.1:1", SECRET) as exchange:
        pages = dashboard(exchange, token="a token of this test")
        assert told(openapi_document(probes=False)) == served(pages)
        assert told(openapi_document()) == served(gateway(pages))


def test_every_reference_leads_somewhere_and_everything_is_referred_to() -> None:
    """No schema, parameter or answer is described that nobody uses."""
    document = openapi_document()
    text = json.dumps(document)
    for kind in ("schemas", "parameters", "responses"):
        for name in document["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, name


def test_the_command_prints_it_or_writes_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The same on stdout and in a file; a place that there is not is an error."""
    assert main(["docs", "openapi", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(openapi_document()))
    file = tmp_path / "openapi.json"
    assert main(["docs", "openapi", "-o", str(file)]) == 0
    assert json.loads(file.read_text())["openapi"] == "3.1.0"
    assert main(["docs", "openapi", "--output", str(tmp_path / "no" / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err
