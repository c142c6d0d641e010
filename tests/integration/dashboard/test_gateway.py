"""`lion-broker gateway`: one address with its token, live streams that go on where they stood, and a clean end."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from lion_broker import Session
from lion_broker.__main__ import main
from lion_broker.broker.keys import Keys
from lion_broker.cli.exits import Code
from lion_broker.testing import wait_until
from tests.integration.dashboard.conftest import TOKEN
from tests.stage import Program, Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]

GUARD = 60.0
"""Seconds after which an answer is taken not to come; the five that httpx has pass on a busy machine."""


def start(stage: Stage, *options: str, token: str | None = TOKEN) -> tuple[Program, str]:
    """Start a gateway on a free port; returns it with its address."""
    environ = {} if token is None else {"LION_BROKER_DASHBOARD_TOKEN": token}
    words = ("-m", "lion_broker", "gateway", "--port", "0", "--json", "--log-level", "debug", *options)
    program = stage.start(*words, **environ)
    told = program.told()
    assert told["event"] == "ready", told
    return program, told["url"]


class Stream:
    """Server-sent events as they come."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines

    def __next__(self) -> tuple[str, str, Any]:
        """The next event that is more than a sign of life: its kind, id and data."""
        found = {"id": ""}
        for line in self._lines:
            name, _, value = line.partition(": ")
            found[name] = value
            if not line and "event" in found:
                if found["event"] != "alive":
                    return found["event"], found["id"], json.loads(found["data"])
                found = {"id": ""}
        raise AssertionError("the stream has ended")

    def ends(self) -> bool:
        """Whether it ends before it shows signs of life for long, as a stream does that nobody has let go."""
        return list(self._lines).count("event: alive") < 2


@contextmanager
def stream(url: str, **headers: str) -> Iterator[Stream]:
    """Listen to a stream."""
    wanted = {"Authorization": f"Bearer {TOKEN}", **headers}
    with httpx.Client(timeout=GUARD) as client, client.stream("GET", url, headers=wanted) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Stream(answer.iter_lines())


def test_the_address_has_the_token_when_none_is_set(stage: Stage) -> None:
    """Behind the #, which no browser sends, and nowhere in the log; it ends cleanly."""
    program, url = start(stage, token=None)
    base, _, token = url.partition("/login#")
    assert len(token) >= 32
    assert httpx.get(f"{base}/sessions.json", timeout=GUARD).status_code == 401
    assert (
        httpx.get(f"{base}/sessions.json", headers={"Authorization": f"Bearer {token}"}, timeout=GUARD).status_code
        == 200
    )
    assert program.stop() == Code.OK
    assert program.told() == {"event": "stopped"}
    assert token not in program.errors
    assert "Traceback" not in program.errors


def test_a_stream_goes_on_where_it_stood(stage: Stage) -> None:
    """With the id of the last event nothing is missed and nothing comes twice."""
    with Session(name="desk", exchange=stage.exchange, delivery="auto") as session:
        _, url = start(stage)
        live = f"{url}sessions/{session.id}/live"
        with stream(f"{live}?after=1-1") as listening:
            assert next(listening)[2]["branch"] == session.default_branch.id
            session.new_branch(name="one", pool="p")
            kind, first, what = next(listening)
            assert (kind, what["kind"], what["name"]) == ("happened", "created", "one")
        session.new_branch(name="two", pool="p")
        session.new_branch(name="three", pool="p")
        with stream(live, **{"Last-Event-ID": first}) as listening, stream(f"{live}?after={first}") as other:
            for one in (listening, other):
                assert [next(one)[2]["name"] for _ in range(2)] == ["two", "three"]
        bad = httpx.get(f"{live}?after=x", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=GUARD)
        assert bad.status_code == 400


def test_who_comes_too_late_is_told_of_the_gap(stage: Stage) -> None:
    """When what follows an id is not kept any more, the page is to be read again."""
    with Session(name="desk", exchange=stage.exchange, delivery="auto") as session:
        session.new_branch(name="one", pool="p")
        session.new_branch(name="two", pool="p")
        stage.server.client.xtrim(Keys(stage.exchange.namespace).events(session.id), maxlen=1, approximate=False)
        _, url = start(stage)
        with stream(f"{url}sessions/{session.id}/live?after=1-1") as listening:
            assert next(listening)[0] == "gap"
            assert next(listening)[2]["name"] == "two"


def test_streams_end_with_the_gateway(stage: Stage) -> None:
    """Those who listen are let go, and nobody waits for them."""
    with Session(name="desk", exchange=stage.exchange, delivery="auto") as session:
        program, url = start(stage)
        with stream(f"{url}live") as beats, stream(f"{url}sessions/{session.id}/live") as events:
            kind, _, beat = next(beats)
            assert (kind, beat["totals"]["sessions"], beat["totals"]["dead"]) == ("beat", 1, 0)
            program.process.terminate()
            assert events.ends()
            assert beats.ends()
        assert program.wait() == Code.OK
        assert "Traceback" not in program.errors


def test_probes_need_no_token_and_metrics_do(stage: Stage) -> None:
    """Unless it is said that anybody may scrape them."""
    with Session(name="desk", exchange=stage.exchange, delivery="auto") as session:
        session.new_branch(name="one", pool="p")
        _, url = start(stage)
        assert httpx.get(f"{url}livez", timeout=GUARD).status_code == 200
        assert wait_until(lambda: httpx.get(f"{url}readyz", timeout=GUARD).status_code == 200)
        assert httpx.get(f"{url}metrics", timeout=GUARD).status_code == 401
        scraped = httpx.get(f"{url}metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=GUARD)
        assert "lion_broker_sessions_open 1.0" in scraped.text
        _, url = start(stage, "--open-metrics")
        assert "lion_broker_branches_open 2.0" in httpx.get(f"{url}metrics", timeout=GUARD).text
        assert httpx.get(f"{url}sessions.json", timeout=GUARD).status_code == 401


def test_pages_come_back_with_the_server(own_stage: Stage) -> None:
    """While no server answers a page says so, a probe too; streams stay, and tell when it is there again."""
    with Session(name="desk", exchange=own_stage.exchange, delivery="auto") as session:
        program, url = start(own_stage)
        with stream(f"{url}sessions/{session.id}/live?after=1-1") as listening:
            assert next(listening)[2]["kind"] == "created"
            os.kill(own_stage.exchange._lease.server.pid, signal.SIGKILL)
            session.new_branch(name="after", pool="p")
            told = next(listening)
            while told[0] == "lost":
                told = next(listening)
            assert (told[0], told[2]["name"]) == ("happened", "after")
        page = httpx.get(f"{url}sessions.json", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=GUARD)
        assert page.json()["rows"][0]["branches"] == 2
        assert program.stop() == Code.OK


def test_a_port_that_is_taken_is_said(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is started, with what to do."""
    _, url = start(stage)
    port = httpx.URL(url).port
    assert main(["gateway", "--port", str(port)]) == Code.USAGE
    said = capsys.readouterr().err
    assert f"Nothing can listen at 127.0.0.1 port {port}" in said
    assert "`lion-broker up --address`" in said
    assert main(["gateway", "--host", "no such host", "--port", "0"]) == Code.USAGE


def test_without_its_extra_it_says_what_to_install(
    stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence, with the command."""
    monkeypatch.setattr("lion_broker.cli.gateway._NEEDED", ("jinja2", "not_there"))
    assert main(["gateway"]) == Code.USAGE
    assert "needs not_there, which the extra brings: pip install 'lion-broker[dashboard]'" in capsys.readouterr().err
