"""What becomes of a failed attempt: the decision, and the words that the user reads."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from lion_broker import errors
from lion_broker.models.failure import Failure, Kind, of_error_object, of_status, public_error, redacted, retry_after
from lion_broker.models.retry import Attempts, Patience, pause_before_next

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
KEY = "sk-very-secret-key-0123456789"


def failed(status: int, body: bytes = b"", **headers: str) -> Failure:
    """The failure of an answer."""
    return of_status(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, body, (SecretStr(KEY),), NOW
    )


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 529])
def test_what_passes_is_tried_again(status: int) -> None:
    """Statuses that say nothing against the request."""
    assert pause_before_next(failed(status), 1, 60, 4, 1.0) == 0.5


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 405, 413, 422, 451, 501, 505])
def test_what_is_refused_is_not(status: int) -> None:
    """Statuses that will be the same the next time."""
    assert pause_before_next(failed(status), 1, 60, 4, 1.0) is None


def test_an_empty_account_is_not_asked_again() -> None:
    """The status is 429, but no waiting helps."""
    assert not failed(429, b'{"error": {"message": "Pay.", "code": "insufficient_quota"}}').passes


@pytest.mark.parametrize(
    ("kind", "passes"),
    [
        (Kind.UNREACHABLE, True),
        (Kind.LATE, True),
        (Kind.CUT, True),
        (Kind.MALFORMED, False),
        (Kind.REFUSED, False),
    ],
)
def test_failures_of_the_line_pass(kind: Kind, passes: bool) -> None:
    """A connection may come back; nonsense stays nonsense."""
    assert Failure(kind, "x").passes is passes


@given(st.integers(1, 200), st.floats(0, 1), st.floats(0, 1000), st.integers(0, 100))
def test_a_pause_is_within_its_bounds(attempt: int, chance: float, left: float, most: int) -> None:
    """It grows with the attempts up to half a minute, and never passes the deadline or the number of attempts."""
    pause = pause_before_next(failed(503), attempt, left, most, chance)
    if attempt > most:
        assert pause is None
    elif pause is not None:
        assert 0 <= pause <= min(30.0, 0.5 * 2 ** (attempt - 1))
        assert pause < left
    else:
        assert left <= 30.0


def test_the_server_says_when() -> None:
    """Its time is kept, with a little more so that not all come at once; a time after the deadline ends it."""
    failure = failed(429, retry_after="7")
    assert pause_before_next(failure, 4, 60, 4, 0.0) == 7.0
    assert pause_before_next(failure, 1, 60, 4, 1.0) == pytest.approx(7.7)
    assert pause_before_next(failure, 1, 6, 4, 0.0) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e400"}, None),
        ({"retry-after": "2", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "Thu, 26 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Thu, 26 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Thu, 26 Nov 2026 12:00:30"}, 30.0),
        ({"retry-after": "Thu, 99 Nov 99999 12:00:30 GMT"}, None),
    ],
)
def test_times_are_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds, dates, and nonsense."""
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (failed(401), errors.ModelRefused),
        (failed(307), errors.ModelRefused),
        (failed(429), errors.ModelRateLimited),
        (failed(503), errors.ModelUnavailable),
        (Failure(Kind.UNREACHABLE, "x"), errors.ModelUnavailable),
        (Failure(Kind.LATE, "x"), TimeoutError),
        (Failure(Kind.CUT, "x"), errors.ModelCut),
        (Failure(Kind.MALFORMED, "x"), errors.ModelMalformed),
    ],
)
def test_every_failure_has_its_error(failure: Failure, kind: type[Exception]) -> None:
    """Which says what to do about it."""
    error = public_error(failure, "my/model at host/path", 2, 5)
    assert isinstance(error, errors.ModelError)
    assert isinstance(error, kind)
    assert str(error).startswith("my/model at host/path ")
    assert "attempt 2 of 5" in str(error)


def test_the_words_of_the_server_are_kept_short_and_without_the_key() -> None:
    """One line, its request id, and no secret, whole or in part."""
    said = f"Wrong key {KEY},\n\u001b[31m or {KEY[:14]}…{KEY[-9:]}. " + "x" * 5000
    failure = failed(401, b'{"error": {"message": %s}}' % repr(said).replace("'", '"').encode(), x_request_id="req_1")
    text = str(public_error(failure, "m at h", 1, 5))
    assert "(request req_1)" in text
    assert len(text) < 600
    assert text.isprintable()
    assert not any(KEY[place : place + 8] in text for place in range(len(KEY) - 8))


@given(st.text(max_size=60), st.integers(0, 20), st.integers(8, 29))
def test_no_long_part_of_a_secret_is_left(text: str, start: int, length: int) -> None:
    """Wherever it stands in a text."""
    shown = redacted(f"{text}{KEY[start : start + length]}{text}", (SecretStr(KEY),))
    assert not any(KEY[place : place + 8] in shown for place in range(len(KEY) - 7))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no reason given"),
        (b"<html>Bad\nGateway</html>", "<html>Bad Gateway</html>"),
        (b'{"error": "no"}', "no"),
        (b'{"message": "no"}', "no"),
        (b'{"detail": [{"loc": ["body"]}]}', '[{"loc": ["body"]}]'),
        (b'["no"]', '["no"]'),
        (b'{"error": {"message": 5}}', "5"),
        (b"\xff\xfe", "�"),
        (b"[" * 100_000, "[[["),
    ],
)
def test_errors_come_in_many_forms(body: bytes, message: str) -> None:
    """Whatever a server sends, there is a line to show."""
    assert message in failed(500, body).text


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "x"}, Kind.FAILED),
        ({"code": 429, "message": "x"}, Kind.LIMITED),
        ({"code": 400, "message": "x"}, Kind.REFUSED),
        ({"code": "rate_limit", "message": None}, Kind.FAILED),
        ("x", Kind.FAILED),
        (None, Kind.FAILED),
    ],
)
def test_an_error_may_come_as_if_all_were_well(error: Any, kind: Kind) -> None:
    """Its code says what it is, where it is a status."""
    assert of_error_object(error, ()).kind is kind
    assert of_error_object(error, (), streamed=True).kind is Kind.CUT


def test_attempts_are_counted_until_the_deadline() -> None:
    """Each has the time that the others have left."""
    now = 0.0
    attempts = Attempts("m at h", Patience(timeout=10, max_retries=2), clock=lambda: now)
    assert (attempts.number, attempts.left) == (1, 10)
    assert attempts.pause_after(failed(503)) is not None
    now = 9.9
    assert attempts.number == 2
    assert attempts.left == pytest.approx(0.1)
    assert attempts.pause_after(failed(503, retry_after="1")) is None
    assert "attempt 2 of 3" in str(attempts.error(failed(503)))
    now = 11.0
    assert attempts.left == 0
