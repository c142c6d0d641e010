"""Models over real sockets, when something goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lion_broker import (
    ModelCut,
    ModelMalformed,
    ModelRateLimited,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    iModel,
)
from lion_broker.testing import FakeModelServer
from tests.integration.models.asking import USER, ask, streamed
from tests.integration.models.conftest import MakeModel

pytestmark = pytest.mark.anyio

QUICK = {"read_timeout": 0.1, "idle_timeout": 0.1, "max_retries": 0}
SILENCE = 3.0
"""Seconds of it that end a stream; a busy machine lets a piece that was sent wait for less."""

Fault = Callable[[FakeModelServer], Any]


@pytest.fixture(autouse=True)
def no_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that the server does not ask for take no time."""
    monkeypatch.setattr("lion_broker.models.retry.random.random", lambda: 0.0)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        (lambda server: server.fails(429, retry_after=0.01), 2),
        (lambda server: server.fails(503, times=3), 4),
        (lambda server: server.fails(529), 2),
        (lambda server: server.hangs_up(2), 3),
        (lambda server: server.fails(200, "No capacity."), 2),
        (lambda server: server.breaks_stream(after=0), 2),
    ],
    ids=["429", "503", "529", "hangs up", "200", "error object"],
)
async def test_what_passes_is_tried_again(
    server: FakeModelServer, model: MakeModel, fault: Fault, attempts: int, streams: bool
) -> None:
    """The user sees nothing of it."""
    fault(server)
    server.says("fine")
    assert (await ask(model(), streams)).text == "fine"
    assert len(server.requests) == attempts


async def test_the_server_says_when(server: FakeModelServer, model: MakeModel) -> None:
    """It is not asked before the time that it gave."""
    server.fails(429, retry_after=0.15).says("fine")
    await model().invoke([USER])
    first, second = server.requests
    assert second.at - first.at >= 0.15


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (lambda server: server.fails(429, "Slow down.", retry_after=1000), ModelRateLimited, "answered 429: Slow down"),
        (lambda server: server.fails(500, "Oh.", times=9), ModelUnavailable, "answered 500: Oh (attempt 2 of 2)."),
        (lambda server: server.fails(400, "No."), ModelRefused, "answered 400: No."),
        (lambda server: server.fails(404, "No model."), ModelRefused, "answered 404: No model."),
        (lambda server: server.fails(307), ModelRefused, "redirects are not followed"),
        (lambda server: server.fails(429, "Pay.", code="insufficient_quota"), ModelRateLimited, "Pay."),
        (lambda server: server.hangs_up(9), ModelUnavailable, "closed the connection"),
        (lambda server: server.sends_garbage(), ModelMalformed, "no JSON object"),
        (lambda server: server.fails(200, "No.", code=400), ModelRefused, "No."),
    ],
    ids=["429", "500", "400", "404", "307", "empty account", "hangs up", "garbage", "200"],
)
async def test_what_does_not_pass_is_an_error(
    server: FakeModelServer, model: MakeModel, fault: Fault, error: type[Exception], words: str, streams: bool
) -> None:
    """Its kind says what to do, its words where and why."""
    fault(server)
    with pytest.raises(error) as raised:
        await ask(model(max_retries=1), streams)
    assert words in str(raised.value)
    assert str(raised.value).startswith(f"{model().name} at 127.0.0.1:")


async def test_a_wrong_key_is_told(provider: str) -> None:
    """And not tried again."""
    with FakeModelServer(api_key="right") as server:
        url = server.url if provider == "openai" else server.root
        model = iModel(provider, "m", base_url=url, api_key="sk-wrong-0123456789")
        with pytest.raises(ModelRefused, match="answered 401"):
            await model.invoke([USER])
        assert len(server.requests) == 1
        await model.aclose()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda server: server.cuts_stream(after=5, text="one two three four"), "broke off"),
        (lambda server: server.cuts_stream(after=5, text="one two three four", clean=True), "in the middle"),
        (lambda server: server.breaks_stream(after=5, message="Overloaded", text="one two three"), "Overloaded"),
        (lambda server: server.falls_silent(after=5, text="one two three four"), "fell silent"),
    ],
    ids=["cut", "clean", "broken", "silent"],
)
async def test_a_stream_that_has_begun_is_not_begun_again(
    server: FakeModelServer, model: MakeModel, fault: Fault, words: str
) -> None:
    """What has come was handed out already, and the error says that the rest is missing."""
    fault(server)
    server.says("fine")
    chunks = model(idle_timeout=SILENCE if words == "fell silent" else 60.0).stream([USER])
    assert (await anext(chunks)).text == "one "
    with pytest.raises(ModelCut, match=words):
        async for _ in chunks:
            pass
    assert len(server.requests) == 1


async def test_a_stream_that_has_not_begun_is_begun_again(server: FakeModelServer, model: MakeModel) -> None:
    """Nobody has seen anything of it."""
    server.cuts_stream(after=1).falls_silent(after=1).says("fine")
    texts, _ = await streamed(model(idle_timeout=SILENCE))
    assert texts == ["fine"]
    assert len(server.requests) == 3


@pytest.mark.parametrize("streams", [False, True])
async def test_silence_is_a_timeout(server: FakeModelServer, model: MakeModel, streams: bool) -> None:
    """Of the reading, and of the whole with all its attempts."""
    server.falls_silent()
    with pytest.raises(ModelTimeout, match=r"within 0\.1") as raised:
        await ask(model(**QUICK), streams)
    assert isinstance(raised.value, TimeoutError)
    with pytest.raises(ModelTimeout):
        await ask(model(timeout=0.2, read_timeout=0.15), streams)


async def test_nobody_there(model: MakeModel, server: FakeModelServer) -> None:
    """A server that is not running, and one that comes back."""
    asked = model(max_retries=1)
    server.stop()
    with pytest.raises(ModelUnavailable, match="could not be reached"):
        await asked.invoke([USER])
    server.start()
    assert (await asked.invoke([USER])).text == "ok"


async def test_conversations_that_are_none(model: MakeModel, server: FakeModelServer) -> None:
    """What cannot be written as a request is refused before it is sent."""
    for messages in ([{"role": "user", "content": "half a \ud83d"}], [{"role": "user", "content": object()}]):
        with pytest.raises(ModelRefused, match="The conversation for"):
            await model().invoke(messages)
    assert server.requests == []
