"""Log lines: one a record, bounded, with what they are about and without secrets."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider

from lion_broker.telemetry.lines import JsonLines, TextLines, _About, back_to, now_about, said

SECRET = "s3cret-of-the-lions"


@pytest.fixture(autouse=True)
def about() -> Iterator[None]:
    """A mail that is being handled."""
    before = now_about({"session": "s", "mail": "m", "attempt": "2"})
    yield
    back_to(before)


def record(message: str, *arguments: object, failed: bool = False, **fields: object) -> logging.LogRecord:
    """A record as the package's loggers make one, with what it is about."""
    made = logging.LogRecord("lion_broker.worker", logging.WARNING, "x.py", 1, message, arguments, None)
    made.__dict__.update(fields)
    if failed:
        try:
            raise LookupError(f"no {SECRET}\nhere")
        except LookupError:
            made.exc_info = sys.exc_info()
    assert _About().filter(made)
    return made


def test_json_for_programs() -> None:
    """Time, level, logger, message and the fields that are known."""
    line = json.loads(JsonLines().format(record("took %s", "a while")))
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "lion_broker.worker",
        "message": "took a while",
        "session": "s",
        "mail": "m",
        "attempt": "2",
    }


def test_text_for_people() -> None:
    """The same in one line."""
    line = TextLines().format(record("took a while"))
    assert line.endswith("WARNING lion_broker.worker: took a while session=s mail=m attempt=2")


@pytest.mark.parametrize("lines", [JsonLines((SECRET,)), TextLines((SECRET,))])
def test_no_secret_is_shown(lines: logging.Formatter) -> None:
    """Neither one that was told, nor a password in a URL, nor a bearer token; nor one in a traceback."""
    text = lines.format(
        record(
            f"{SECRET} redis://user:pa55@host Authorization: Bearer abcdefgh.12345 api_key=abcdefgh1"
            " 'password': 'abcdefgh!' and sk-proj-abcdefgh1234567890",
            failed=True,
        )
    )
    assert all(word not in text for word in (SECRET, "pa55", "abcdefgh"))
    assert "redis://***@host" in text
    assert "LookupError" in text


@pytest.mark.parametrize("lines", [JsonLines(), TextLines()])
def test_nobody_forges_a_line(lines: logging.Formatter) -> None:
    """Line feeds, escapes of terminals, half characters and marks of direction are written out."""
    text = lines.format(record("a\nERROR forged\x1b[31m\u202e\ud800\x00", mail="m\nforged"))
    assert text.isprintable()
    text.encode()


@pytest.mark.parametrize("lines", [JsonLines(), TextLines()])
def test_lines_are_bounded(lines: logging.Formatter) -> None:
    """A message ends after 8,000 characters, a traceback keeps its end."""
    made = record("x" * 1_000_000, mail="y" * 1_000_000)
    assert len(lines.format(made)) < 9_000
    made.exc_info = (LookupError, LookupError("z" * 1_000_000 + "the end"), None)
    text = lines.format(made)
    assert len(text) < 26_000
    assert "the end" in text


def test_wrong_arguments_lose_no_line() -> None:
    """A record whose arguments do not fit is shown as it was written."""
    assert json.loads(JsonLines().format(record("%d of %d", 1)))["message"] == "%d of %d"


def test_the_current_span_is_named() -> None:
    """By the ids under which OpenTelemetry knows it."""
    with TracerProvider().get_tracer("test").start_as_current_span("mine") as span:
        line = json.loads(JsonLines().format(record("hello")))
    context = span.get_span_context()
    assert (line["trace_id"], line["span_id"]) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")


def test_fields_go_back() -> None:
    """What is said inside ends with it."""
    before = now_about({"mail": "inner", "branch": "b"})
    assert (said("mail"), said("branch"), said("session")) == ("inner", "b", "s")
    back_to(before)
    assert (said("mail"), said("branch")) == ("m", "")
