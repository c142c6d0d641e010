"""A key is seen by its server, and by nobody else."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from lion_broker import LionError, ModelNotConfigured, iModel
from lion_broker.testing import Answer, FakeModelServer
from tests.integration.models.asking import KEY, USER, ask
from tests.integration.models.conftest import MakeModel

pytestmark = pytest.mark.anyio

PARTS = [KEY[start : start + 8] for start in range(len(KEY) - 7)]
SAID = f"Incorrect key {KEY}, which begins with {KEY[:12]}."


@pytest.fixture
def seen(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Everything that a user may see of a test; at its end no part of the key must be in it."""
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    yield texts
    texts.append(caplog.text)
    whole = "\n".join(texts)
    assert texts != [""]
    assert [part for part in PARTS if part in whole] == []


def told(error: BaseException | None) -> Iterator[str]:
    """What an error and those behind it say, in every way."""
    while error is not None:
        yield f"{error} {error!r} {vars(error)} {''.join(traceback.format_exception(error))}"
        yield from told(error.__cause__)
        error = error.__context__


FAULTS: dict[str, Any] = {
    "401": lambda server: server.fails(401, SAID),
    "429": lambda server: server.fails(429, SAID, retry_after=0.001),
    "500": lambda server: server.fails(500, SAID),
    "error object": lambda server: server.fails(200, SAID),
    "in the stream": lambda server: server.breaks_stream(after=4, message=SAID, text="one two three"),
    "garbage": lambda server: server.sends_garbage(SAID),
    "request id": lambda server: server.answers(Answer("No.", status=400, headers={"x-request-id": KEY})),
    "hangs up": lambda server: server.hangs_up(),
    "silent": lambda server: server.falls_silent(),
}


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
async def test_no_error_shows_it(
    server: FakeModelServer, model: MakeModel, seen: list[str], fault: str, streams: bool
) -> None:
    """Whatever the server quotes."""
    FAULTS[fault](server)
    asked = model(max_retries=1, read_timeout=0.5 if fault == "silent" else 60.0)
    with pytest.raises(LionError) as raised:
        await ask(asked, streams)
    seen += told(raised.value)
    assert server.requests[0].key == KEY
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


async def test_no_picture_of_a_model_shows_it(server: FakeModelServer, model: MakeModel, seen: list[str]) -> None:
    """Neither before nor after it was used."""
    asked = model(temperature=0.5)
    await asked.invoke([USER])
    endpoint = asked._opened()
    seen += [repr(asked), str(vars(asked)), str(asked.to_dict()), repr(endpoint), str(vars(endpoint))]


@pytest.mark.parametrize("key", [f"{KEY}\nx", f"{KEY} x", f"{KEY}é", f"\x00{KEY}"])
async def test_no_odd_key_is_quoted(server: FakeModelServer, model: MakeModel, seen: list[str], key: str) -> None:
    """It is refused before it reaches the line."""
    with pytest.raises(ModelNotConfigured, match="was it copied whole") as raised:
        await model(api_key=key).invoke([USER])
    seen += told(raised.value)
    assert server.requests == []


async def test_no_address_with_a_password_is_quoted(seen: list[str]) -> None:
    """A key belongs in its own place."""
    with pytest.raises(ModelNotConfigured, match="no user and password") as raised:
        await iModel("mine", "m", base_url=f"http://user:{KEY}@127.0.0.1:1/v1").invoke([USER])
    seen += told(raised.value)


async def test_a_key_may_come_from_a_file(
    server: FakeModelServer, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or from the environment; white space around it does not count."""
    tmp_path.joinpath("key").write_text(f"{KEY}\n")
    monkeypatch.setenv("FILED_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("PLAIN_KEY", f" {KEY} ")
    for name in ("FILED_KEY", "PLAIN_KEY"):
        model = iModel("mine", "m", base_url=server.url, api_key_env=name)
        await model.invoke([USER])
        await model.aclose()
    assert [request.key for request in server.requests] == [KEY, KEY]
