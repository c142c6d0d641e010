"""`opentelemetry-instrument` in front of the usual commands, as docs/telemetry.md has it: one trace."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from lion_broker.telemetry.names import TEMPLATE
from tests.stage import Program, Stage

pytestmark = [
    pytest.mark.redis,
    pytest.mark.processes,
    pytest.mark.skipif(
        find_spec("opentelemetry.instrumentation") is None, reason="opentelemetry-distro is not installed"
    ),
]

PROGRAM = """
from lion_broker import Session

with Session(name="tea", delivery="auto") as session:
    keeper = session.new_branch(name="keeper", pool="second")
    hop = session.new_branch(name="hop", pool="first", behaviour="forward", metadata={"to": keeper.id})
    session.default_branch.send(hop, "message", "home:1")
    session.wait_idle(timeout=60)
"""
CONSOLE = {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
COMMANDS = Path(sys.executable).parent


def instrumented(stage: Stage, service: str, *words: str) -> Program:
    """Start a command under `opentelemetry-instrument`; its spans come on its standard output when it ends."""
    command = str(COMMANDS / "opentelemetry-instrument")
    return stage.start(command, *words, OTEL_SERVICE_NAME=service, **CONSOLE)


def spans_of(program: Program) -> list[dict[str, Any]]:
    """The spans among the JSON values on the rest of a program's output."""
    assert program.process.stdout is not None
    text, found, at = program.process.stdout.read(), [], 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = json.JSONDecoder().raw_decode(text, at)
        found += [value] if "context" in value else []
    return found


def test_one_trace_through_instrumented_processes(stage: Stage) -> None:
    """The program's send, two workers that handle, send and settle; each process tells of its own part."""
    workers = [
        instrumented(
            stage,
            pool,
            str(COMMANDS / "lion-broker"),
            "worker",
            "--app",
            "tests.apps.desk:registry",
            "--pool",
            pool,
            "--json",
        )
        for pool in ("first", "second")
    ]
    for worker in workers:
        worker.ready()
    program = instrumented(stage, "program", sys.executable, "-c", PROGRAM)
    assert program.wait(90) == 0, program.errors
    assert [worker.stop() for worker in workers] == [0, 0]
    told = {name: spans_of(one) for name, one in zip(("program", "first", "second"), (program, *workers), strict=True)}
    for service, spans in told.items():
        assert {span["resource"]["attributes"]["service.name"] for span in spans} == {service}
    (sent,) = [span for span in told["program"] if span["name"] == f"send {TEMPLATE}"]
    everything = [span for spans in told.values() for span in spans]
    assert {span["context"]["trace_id"] for span in everything} == {sent["context"]["trace_id"]}
    names = {service: sorted(span["name"].split()[0] for span in spans) for service, spans in told.items()}
    assert names["first"] == ["ack", "process", "receive", "send"]
    assert names["second"] == ["process", "receive"]
    parents = {span["context"]["span_id"]: span["parent_id"] for span in everything}
    (last,) = [span for span in told["second"] if span["name"].startswith("process")]
    chain = [last["context"]["span_id"]]
    while parents.get(chain[-1]):
        chain.append(parents[chain[-1]])
    by_id = {span["context"]["span_id"]: span["name"].split()[0] for span in everything}
    assert [by_id[one] for one in chain] == ["process", "send", "process", "send", "invoke_workflow"]
