"""What a process has counted, and the text that Prometheus reads."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lion_broker.telemetry.counts import Counts, counting, counts_here
from lion_broker.telemetry.exposition import gauge, metrics_text, prefers_openmetrics
from lion_broker.telemetry.names import DEFINITIONS, Definition

TOOLS = "lion_broker_tool_calls_total"
WAIT = "lion_broker_mail_wait_seconds"


def shown(counts: Counts, name: str) -> dict[tuple[str, ...], float]:
    """What was counted under a name."""
    return {
        one.labels: one.value for family in counts.families() if family.metric.name == name for one in family.samples
    }


def test_counters_add_up_from_many_threads() -> None:
    """No count is lost."""
    counts = Counts()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: counts.add(TOOLS, 1, "search", "ok"), range(8000)))
    assert shown(counts, TOOLS) == {("search", "ok"): 8000}


def test_a_histogram_has_every_value_once() -> None:
    """In the first bucket whose bound is not below it."""
    counts = Counts()
    counts.observe(WAIT, 0.001)
    counts.observe(WAIT, 0.0011, times=3)
    counts.observe(WAIT, 1e6)
    (family,) = [one for one in counts.families() if one.metric.name == WAIT]
    (sample,) = family.samples
    assert (sample.counts[:2], sample.counts[-1], sum(sample.counts)) == ((1, 3), 1, 5)
    assert sample.value == pytest.approx(0.001 + 3 * 0.0011 + 1e6)


def test_hostile_labels_are_readable_and_few() -> None:
    """Control characters, half characters and quotes do no harm, and whoever invents names fills no memory."""
    counts = counting()
    assert counts_here() is counts
    counts.add(TOOLS, 1, 'evil"\n}{\\\x00\ud800' + "x" * 1000, "ok")
    for number in range(1000):
        counts.add(TOOLS, 1, f"tool-{number}", "ok")
    text = metrics_text().decode()
    (family,) = [one for one in text_string_to_metric_families(text) if one.name == "lion_broker_tool_calls"]
    labels = [sample.labels["tool"] for sample in family.samples if sample.name == TOOLS]
    assert len(labels) <= 201
    assert "other" in labels
    assert all(len(label) <= 100 for label in labels)
    assert any(label.startswith('evil"?}{\\') for label in labels)
    assert sum(sample.value for sample in family.samples if sample.name == TOOLS) >= 1001


def test_a_gauge_is_shown_as_it_stands() -> None:
    """Sources are asked at every scrape."""
    asked = iter([1.0, 2.0])
    source = lambda: [gauge("lion_broker_worker_inflight", (next(asked), ()))]  # noqa: E731
    assert "lion_broker_worker_inflight 1.0" in metrics_text(source).decode()
    assert "lion_broker_worker_inflight 2.0" in metrics_text(source).decode()


@pytest.mark.parametrize("metric", DEFINITIONS.values(), ids=lambda one: one.name)
def test_names_are_as_prometheus_wants_them(metric: Definition) -> None:
    """One prefix, base units, `_total` for what only grows, buckets in order, and no ids but where they are wanted."""
    assert metric.name.startswith("lion_broker_")
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert (metric.kind == "histogram") == bool(metric.buckets)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    ids = {"session", "branch", "mail"} & set(metric.labels)
    assert not ids or metric.name == "lion_broker_mailbox_depth"


@pytest.mark.parametrize(
    ("accept", "prefers"),
    [
        ("", False),
        ("*/*", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("text/plain;version=0.0.4", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", True),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4", True),
        ("Application/OpenMetrics-Text;Version=1.0.0;Q=0.5, text/plain;q=0.6", False),
        ("application/openmetrics-text;version=1.0.0;q=0", False),
        ("application/openmetrics-text;version=0.0.1", False),
        ("application/openmetrics-text;version=9\u00b2;q=nan", False),
        ("," * 9000, False),
    ],
)
def test_who_is_answered_in_openmetrics(accept: str, prefers: bool) -> None:
    """Who prefers it, in the version that is written; nonsense counts for nothing."""
    assert prefers_openmetrics(accept) is prefers


def test_values_that_are_noted_together() -> None:
    """They are counted as if each were noted alone."""
    alone, together = Counts(), Counts()
    for value in (0.002, 0.3, 1000.0):
        alone.observe("lion_broker_mail_wait_seconds", value)
    together.observe_all("lion_broker_mail_wait_seconds", (0.002, 0.3, 1000.0))
    assert list(together.families()) == list(alone.families())
