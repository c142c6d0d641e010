"""`bench` on a real server with a real worker: figures, and nothing left behind."""

import json

import pytest

from lion_broker.__main__ import main
from lion_broker.cli.exits import Code
from lion_broker.mail.verbs import ListSessions
from tests.stage import Stage
from tests.unit.core.test_progress import terminal

pytestmark = [pytest.mark.redis, pytest.mark.processes]


def test_figures_are_printed_and_nothing_stays(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """As text, and as one object; the session is gone afterwards."""
    assert main(["bench", "--mails", "300", "--branches", "7", "--size", "50", "--json"]) == Code.OK
    found = json.loads(capsys.readouterr().out)
    assert (found["mails"], found["branches"], found["bytes"]) == (300, 7, 50)
    assert found["mails_per_second"] == pytest.approx(300 / found["seconds"], rel=0.01)
    assert min(found["worker_cpu_us"], found["sender_cpu_us"], found["post_seconds"]) > 0
    assert stage.exchange.call(ListSessions()) == ()
    assert stage.server.strays() == []


def test_it_says_how_far_it_is_on_a_terminal(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it sends; the mails before the clock runs are told of as well."""
    shown = terminal(monkeypatch)
    assert main(["bench", "--mails", "300", "--branches", "7"]) == Code.OK
    assert "sending" in shown.getvalue()
    assert "200/200" in shown.getvalue()
    assert "300/300" in shown.getvalue()


def test_a_worker_that_ends_is_told(
    stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what it said, instead of a wait for its work; the session goes all the same."""
    monkeypatch.setattr("lion_broker.demo.throughput.__name__", "lion_broker.demo.nothing_of_the_kind")
    assert main(["bench", "--mails", "10"]) == Code.ERROR
    assert "1 worker has ended" in capsys.readouterr().err
    assert stage.exchange.call(ListSessions()) == ()


def test_memory_is_no_server(capsys: pytest.CaptureFixture[str]) -> None:
    """A worker could not reach it."""
    assert main(["bench", "--url", "memory://"]) == Code.USAGE
    assert "inside one process" in capsys.readouterr().err
