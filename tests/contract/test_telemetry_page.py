"""docs/telemetry.md shows spans, attributes, metrics, log fields and settings as the code has them, and no others."""

import re
from pathlib import Path

from lion_broker.config import PREFIX, Settings
from lion_broker.telemetry.names import ATTRIBUTES, DEFINITIONS, INSTRUMENTS, LOG_FIELDS, MESSAGING_CONVENTIONS, SPANS

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()
OF_TELEMETRY = {"LOG_FORMAT", "HEALTH_PORT", "METRICS_PORT", "STALLED_AFTER", "METRICS_PER_BRANCH"}


def table(*heads: str) -> list[tuple[str, ...]]:
    """The rows of the table with these heads, without code marks."""
    begin = PAGE.index(f"| {' | '.join(heads)} |\n")
    rows = PAGE[begin:].split("\n\n")[0].splitlines()[2:]
    return [tuple(cell.strip(" `") for cell in re.split(r" ?\| ?", row)[1:-1]) for row in rows]


def test_spans() -> None:
    """With their kinds."""
    assert [row[:2] for row in table("span", "kind", "when")] == list(SPANS.items())


def test_attributes() -> None:
    """With the spans that have them."""
    shown = [(name, where.replace("`", "")) for name, where in table("attribute", "on")]
    assert shown == [(name, where.replace("`", "").strip()) for name, where in ATTRIBUTES.items()]


def test_metrics_of_opentelemetry() -> None:
    """With unit and meaning."""
    shown = table("metric", "unit", "what it says")
    assert shown == [(one.name, one.unit, one.text) for one in INSTRUMENTS.values()]


def test_metrics_of_prometheus() -> None:
    """With kind, labels and meaning."""
    shown = {row[0]: row[1:] for row in table("metric", "kind", "labels", "what it says")}
    assert list(shown) == list(DEFINITIONS)
    for name, one in DEFINITIONS.items():
        assert (shown[name][0], re.findall(r"\w+", shown[name][1]), shown[name][2]) == (
            one.kind,
            list(one.labels),
            one.text,
        )


def test_log_fields() -> None:
    """In the order in which a line has them."""
    assert [name for name, _ in table("field", "is")] == list(LOG_FIELDS)


def test_settings() -> None:
    """Those that are about telemetry, with their defaults."""
    told = {name: default for name, default, _ in table("variable", "default", "meaning")}
    wanted = {name for name in Settings.model_fields if name.upper() in OF_TELEMETRY or name.startswith("otel")}
    assert told.keys() == {PREFIX + name.upper() for name in wanted}
    for name in wanted:
        default = Settings.model_fields[name].default
        shown = "" if default is None else f"{default:g}" if isinstance(default, (int, float)) else default
        assert told[PREFIX + name.upper()] == shown


def test_the_versions_of_the_conventions() -> None:
    """The page names the version that the names follow."""
    assert f"version {MESSAGING_CONVENTIONS}" in PAGE
