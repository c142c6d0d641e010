"""Every way in which the fake model server fails, as a plain HTTP client sees it."""

import httpx
import pytest

from lion_broker.testing import FakeModelServer, wait_until
from tests.integration.testing.client import USER, Client


def test_it_refuses_with_a_status(server: FakeModelServer, client: Client) -> None:
    """A status comes with an error object, and with the time after which to try again if told."""
    server.fails(429, "Slow down.", retry_after=0.5, code="rate_limit_exceeded").fails(503, times=2).says("fine")
    first = client.chat()
    assert (first.status_code, first.headers["retry-after"]) == (429, "0.5")
    assert first.json()["error"] == {
        "message": "Slow down.",
        "type": "rate_limit_error",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert [client.chat().status_code for _ in range(3)] == [503, 503, 200]


def test_an_error_may_come_as_if_all_were_well(server: FakeModelServer, client: Client) -> None:
    """With status 200 the error object is the whole answer."""
    server.fails(200, "No capacity.")
    answer = client.chat()
    assert (answer.status_code, answer.json()["error"]["message"]) == (200, "No capacity.")


@pytest.mark.parametrize("streams", [False, True])
def test_it_hangs_up(server: FakeModelServer, client: Client, streams: bool) -> None:
    """The connection is closed without an answer; the next request is answered on a new one."""
    server.hangs_up().says("fine")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        client.chat(stream=streams)
    assert client.chat().status_code == 200
    assert server.connections == 2


def test_it_cuts_a_stream(server: FakeModelServer, client: Client) -> None:
    """After some chunks the connection is closed in the middle of the response."""
    server.cuts_stream(after=2)
    with client.stream("POST", "/v1/chat/completions", json={"model": "m", "messages": [USER], "stream": True}) as got:
        lines = got.iter_lines()
        assert [next(lines)[:6] for _ in range(3)] == ["data: ", "", "data: "]
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            list(lines)


def test_a_stream_may_end_too_soon_in_good_order(server: FakeModelServer, client: Client) -> None:
    """The response is complete as HTTP, but has neither a reason to stop nor the end mark."""
    server.cuts_stream(after=3, clean=True)
    chunks = client.streamed()
    assert len(chunks) == 3
    assert {chunk["choices"][0]["finish_reason"] for chunk in chunks} == {None}


@pytest.mark.parametrize("streams", [False, True])
def test_an_error_may_come_in_the_stream(server: FakeModelServer, client: Client, streams: bool) -> None:
    """After some chunks there is an error object in place of the next; without a stream it is the answer."""
    server.breaks_stream(after=2, message="Overloaded")
    last = client.streamed()[-1] if streams else client.chat().json()
    assert last["error"]["message"] == "Overloaded"


@pytest.mark.parametrize("streams", [False, True])
def test_it_sends_garbage(server: FakeModelServer, client: Client, streams: bool) -> None:
    """Where JSON belongs there is something else, with status 200."""
    server.sends_garbage("<html>")
    answer = client.chat(stream=streams)
    assert (answer.status_code, "<html>" in answer.text) == (200, True)


IMPATIENT = httpx.Timeout(60.0, read=0.2)


@pytest.mark.parametrize(("streams", "after"), [(False, 0), (True, 0), (True, 2)])
def test_it_falls_silent(server: FakeModelServer, client: Client, streams: bool, after: int) -> None:
    """Nothing more comes, and the client that gives up is remembered."""
    server.falls_silent(after)
    with pytest.raises(httpx.ReadTimeout):
        client.post(
            "/v1/chat/completions", json={"model": "m", "messages": [USER], "stream": streams}, timeout=IMPATIENT
        )
    client.close()
    assert wait_until(lambda: server.abandoned) == server.requests


def test_it_takes_its_time(server: FakeModelServer, client: Client) -> None:
    """`delays` holds for all answers, the `delay` of an answer goes before it; neither keeps others waiting."""
    server.says("late", delay=30.0).delays(0.0)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/chat/completions", json={"model": "m", "messages": [USER]}, timeout=IMPATIENT)
    wait_until(lambda: server.requests)
    server.says("at once")
    assert "at once" in client.chat().text
    server.delays(30.0)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/chat/completions", json={"model": "m", "messages": [USER]}, timeout=IMPATIENT)


def test_it_pauses_between_chunks(server: FakeModelServer, client: Client) -> None:
    """With a `pause` each chunk comes by itself, and the whole is the same."""
    server.says("a b c", pause=0.001)
    deltas = [chunk["choices"][0]["delta"] for chunk in client.streamed()[:-1]]
    assert "".join(delta.get("content", "") for delta in deltas) == "a b c"
