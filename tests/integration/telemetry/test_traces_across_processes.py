"""One trace from a program through two workers and back, as their exporters have written it."""

import json
from pathlib import Path
from typing import Any

import pytest

from lion_broker import Session
from lion_broker.testing import wait_until
from tests.stage import Stage
from tests.unit.telemetry.seen import watched

pytestmark = [pytest.mark.redis, pytest.mark.processes]

APP = "tests.apps.observed:registry"


def spans_in(path: Path) -> list[dict[str, Any]]:
    """What workers have written."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_one_trace_runs_through_every_process(stage: Stage, tmp_path: Path) -> None:
    """The program's send, a worker that thinks with model and tool, its mail, and another worker that keeps it."""
    path = tmp_path / "spans"
    with watched() as seen, Session(exchange=stage.exchange, delivery="auto", name="tea") as session:
        keeper = session.new_branch(name="keeper", pool="second")
        thinker = session.new_branch(name="thinker", pool="first", behaviour="think", metadata={"to": keeper.id})
        workers = [stage.worker(APP, pool, lease=60.0, SPANS=str(path)) for pool in ("first", "second")]
        session.default_branch.send(thinker, "message", "what?")
        session.wait_idle(timeout=100)
        wait_until(lambda: sum("process" in span["name"] for span in spans_in(path)) == 2)
    spans = spans_in(path)
    (sent,) = seen.named("send ")
    assert sent.context is not None
    trace = f"0x{sent.context.trace_id:032x}"
    assert {span["context"]["trace_id"] for span in spans} == {trace}
    by_id = {span["context"]["span_id"]: span for span in spans}
    last = next(
        span
        for span in spans
        if span["attributes"].get("messaging.destination.name", "").endswith(f"{keeper.id}:mailbox")
        and span["name"].startswith("process")
    )
    chain = [last]
    while chain[-1]["parent_id"] in by_id:
        chain.append(by_id[chain[-1]["parent_id"]])
    assert [span["name"].split()[0] for span in chain] == ["process", "send", "process"]
    assert chain[-1]["parent_id"] == f"0x{sent.context.span_id:016x}"
    assert {span["resource"]["attributes"]["process.pid"] for span in chain} == {one.pid for one in workers}
    handled = chain[-1]["context"]["span_id"]
    (agent,) = [span for span in spans if span["name"] == "invoke_agent thinker"]
    assert agent["parent_id"] == handled
    within = [span["name"].split()[0] for span in spans if span["parent_id"] == agent["context"]["span_id"]]
    assert sorted(within) == ["chat", "chat", "execute_tool"]
    told = {span["attributes"].get("gen_ai.conversation.id") for span in spans if span["name"].startswith("chat")}
    assert told == {str(session.id)}
    assert all("gen_ai.input.messages" not in span["attributes"] for span in spans)


def test_log_lines_name_the_mail_and_its_trace(stage: Stage, tmp_path: Path) -> None:
    """As JSON: who wrote it, which mail it was about, and under which trace it is to be found."""
    with watched() as seen, Session(exchange=stage.exchange, delivery="auto") as session:
        branch = session.new_branch(name="b", pool="p", behaviour="complain")
        worker = stage.worker(APP, "p", "--log-format", "json", lease=60.0, SPANS=str(tmp_path / "spans"))
        owner = worker.ready()
        session.default_branch.send(branch, "message", "a lot")
        session.wait_idle()
        (sent,) = seen.named("send ")
    assert worker.stop() == 0
    lines = [json.loads(line) for line in worker.errors.splitlines()]
    assert {line.get("worker") for line in lines} >= {owner}
    (told,) = [line for line in lines if line["message"] == "I was told a lot"]
    assert sent.context is not None
    assert (told["session"], told["branch"], told["attempt"]) == (str(session.id), str(branch.id), "1")
    assert told["trace_id"] == f"{sent.context.trace_id:032x}"
    assert told["worker"] == owner
