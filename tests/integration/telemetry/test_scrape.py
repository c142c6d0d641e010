"""What Prometheus reads of real workers, and of a namespace as a whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lion_broker import Session
from lion_broker.telemetry.names import DEFINITIONS
from lion_broker.testing import wait_until
from tests.integration.telemetry.probes import probed, scraped
from tests.stage import Stage

pytestmark = [pytest.mark.redis, pytest.mark.processes]

APP = "tests.apps.observed:registry"


@pytest.fixture
def session(stage: Stage) -> Iterator[Session]:
    """A session with automatic delivery."""
    with Session(exchange=stage.exchange, delivery="auto") as session:
        yield session


def test_a_worker_counts_what_it_does(session: Session, stage: Stage, tmp_path: Path) -> None:
    """Mails by category and outcome, calls of models and tools, waits and durations; no id is in a label."""
    home = session.default_branch
    echo, moody = (session.new_branch(name=name, pool="p", behaviour=name) for name in ("echo", "moody"))
    keeper = session.new_branch(name="keeper", pool="p")
    thinker = session.new_branch(name="thinker", pool="p", behaviour="think", metadata={"to": keeper.id})
    worker = probed(stage, APP, "p", DESK=str(tmp_path))
    home.send(echo, "message", "hello")
    home.send(moody, "message", "fail")
    home.send(thinker, "message", "what?")
    session.wait_idle()
    name = "lion_broker_mails_processed_total"
    wait_until(lambda: worker.count(name, category="message", outcome="dead") == 1)
    assert worker.count(name, category="message", outcome="ok") == 3
    assert worker.count(name, category="message", outcome="retry") == 2
    assert worker.count("lion_broker_mails_sent_total", category="message") == 2
    assert worker.count("lion_broker_redeliveries_total") == 2
    model = {"provider": "scripted", "model": "model"}
    assert worker.count("lion_broker_model_requests_total", **model, outcome="ok") == 2
    assert worker.count("lion_broker_model_request_seconds_count", **model) == 2
    assert worker.count("lion_broker_model_tokens_total", direction="input") > 0
    assert worker.count("lion_broker_tool_calls_total", tool="lookup", outcome="ok") == 1
    assert worker.count("lion_broker_mail_wait_seconds_count") == 4
    assert worker.count("lion_broker_mail_process_seconds_count") == 6
    samples = scraped(f"{worker.url}/metrics")
    told = {value for _, labels in samples for _, value in labels}
    assert not told & {session.id, home.id, echo.id, moody.id, keeper.id, thinker.id}
    ours = {sample for sample, _ in samples if sample.startswith("lion_broker_")}
    endings = ("_bucket", "_count", "_sum", "_created", "")
    assert all(any(sample.removesuffix(end) in DEFINITIONS for end in endings) for sample in ours)


def test_a_worker_says_who_it_is(stage: Stage) -> None:
    """Its version, its name, how much it does, and when it has heard from the server."""
    worker = probed(stage, APP, "p")
    wait_until(worker.is_ready)
    samples = scraped(f"{worker.url}/metrics")
    (info,) = [dict(labels) for name, labels in samples if name == "lion_broker_worker_info"]
    assert info["worker"] == worker.owner
    assert worker.count("lion_broker_worker_inflight") == 0
    assert worker.count("lion_broker_worker_last_heartbeat_timestamp_seconds") > 1.7e9
    assert any(name == "lion_broker_build_info" for name, _ in samples)
    assert any(name == "process_resident_memory_bytes" for name, _ in samples)
