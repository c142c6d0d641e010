"""What Prometheus reads of real workers, and of a namespace as a whole."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as strictly
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from lion_broker import Session
from lion_broker.insight.metrics import NamespaceMetrics
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
    worker = probed(stage, APP, "p", lease=60.0, DESK=str(tmp_path))
    home.send(echo, "message", "hello")
    home.send(moody, "message", "fail")
    home.send(thinker, "message", "what?")
    session.wait_idle()
    name, ends = "lion_broker_mails_processed_total", {"dead": 1, "ok": 3, "retry": 2}
    # A mail is counted when its commit is done, a moment after everybody else may know of it.
    wait_until(lambda: {end: worker.count(name, category="message", outcome=end) for end in ends} == ends)
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
    assert worker.count("lion_broker_worker_late_seconds") >= 0
    assert worker.count("lion_broker_worker_last_heartbeat_timestamp_seconds") > 1.7e9
    assert any(name == "lion_broker_build_info" for name, _ in samples)
    assert any(name == "process_resident_memory_bytes" for name, _ in samples)


PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""What Prometheus 3 sends."""
strict: Any = strictly


def test_prometheus_is_answered_in_openmetrics(session: Session, stage: Stage) -> None:
    """By a worker and for a namespace: a strict parser takes it, and it says what the other format says."""
    echo = session.new_branch(name="echo", pool="p", behaviour="echo")
    worker = probed(stage, APP, "p")
    session.default_branch.send(echo, "message", "hello")
    session.wait_idle()
    wait_until(lambda: worker.count("lion_broker_mail_process_seconds_count") >= 1)
    asked = Request(f"{worker.url}/metrics", headers={"Accept": PROMETHEUS})  # noqa: S310 - as below
    with urlopen(asked, timeout=60) as answer:  # noqa: S310 - a port of the test's own worker
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        assert answer.headers["Vary"] == "Accept"
        of_worker = answer.read().decode()
    of_namespace, kind = NamespaceMetrics(stage.exchange).page(PROMETHEUS)
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    found = set()
    for text in (of_worker, of_namespace.decode()):
        assert text.endswith("# EOF\n")
        found |= {sample.name for family in strict(text) for sample in family.samples}
    assert {"lion_broker_mails_processed_total", "lion_broker_mail_process_seconds_bucket"} <= found
    assert {"lion_broker_branches_open", "lion_broker_worker_info"} <= found


def test_a_linter_would_have_nothing_to_say(session: Session, stage: Stage) -> None:
    """Of a worker's figures, of those of a namespace: help for each, names by kind, base units, whole histograms."""
    echo = session.new_branch(name="echo", pool="p", behaviour="echo")
    worker = probed(stage, APP, "p")
    session.default_branch.send(echo, "message", "hello")
    session.wait_idle()
    wait_until(lambda: worker.count("lion_broker_mail_process_seconds_count") >= 1)
    with urlopen(f"{worker.url}/metrics", timeout=60) as answer:  # noqa: S310 - a port of the test's own worker
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        of_worker = answer.read().decode()
    for text in (of_worker, NamespaceMetrics(stage.exchange).text().decode()):
        families = list(text_string_to_metric_families(text))
        assert len({family.name for family in families}) == len(families)
        assert text.endswith("\n")
        for family in families:
            assert family.documentation
            assert re.fullmatch(r"[a-z][a-z0-9_]*", family.name)
            assert not re.search(
                r"_(milliseconds|ms|minutes|kilobytes|kb|mb|percent|counter|gauge|histogram)\b", family.name
            )
            series = [(one.name, *sorted(one.labels.items())) for one in family.samples]
            assert len(set(series)) == len(series)
            # The parser takes the `_total` of a counter away, and of nothing else.
            assert all(one.name == f"{family.name}_total" for one in family.samples if family.type == "counter")
            assert family.type == "counter" or not family.name.endswith(("_total", "_count", "_sum", "_bucket"))
            if family.type == "histogram":
                _check_histogram(family.samples)


def _check_histogram(samples: Sequence[Sample]) -> None:
    """The buckets of each set of labels rise, and the last one, without an end, has as many as were counted."""
    counts = {tuple(one.labels.items()): one.value for one in samples if one.name.endswith("_count")}
    buckets: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for one in samples:
        if one.name.endswith("_bucket"):
            of = tuple((name, value) for name, value in one.labels.items() if name != "le")
            buckets.setdefault(of, []).append((float(one.labels["le"]), one.value))
    assert buckets.keys() == counts.keys()
    for of, found in buckets.items():
        assert found == sorted(found)
        assert [value for _, value in found] == sorted(value for _, value in found)
        assert found[-1] == (float("inf"), counts[of])
