"""How a call of a model's server fails: one value that the retry rule reads, and the public error it ends as."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final

from pydantic import SecretStr

from lion_broker.errors import (
    ModelCut,
    ModelError,
    ModelMalformed,
    ModelRateLimited,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
)

__all__ = [
    "Failure",
    "Kind",
    "Secrets",
    "error_object",
    "of_error_object",
    "of_status",
    "public_error",
    "redacted",
    "retry_after",
]

_SHOWN: Final = 400
_SHORTEST_PART: Final = 8
_SHORTEST_SECRET: Final = 4
_PASSING_STATUS: Final = frozenset({408, 409, 425})
_LASTING_STATUS: Final = frozenset({501, 505})
# The provider answers 429 for both, but no waiting fills an account.
_EMPTY_ACCOUNT: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_REQUEST_IDS: Final = ("x-request-id", "request-id", "cf-ray")

Secrets = tuple[SecretStr, ...]
"""The texts that nobody may see."""


class Kind(StrEnum):
    """What kind of failure it is."""

    REFUSED = "refused"
    LIMITED = "limited"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    LATE = "late"
    CUT = "cut"
    MALFORMED = "malformed"


_ERRORS: Final[Mapping[Kind, type[ModelError]]] = {
    Kind.REFUSED: ModelRefused,
    Kind.LIMITED: ModelRateLimited,
    Kind.FAILED: ModelUnavailable,
    Kind.UNREACHABLE: ModelUnavailable,
    Kind.LATE: ModelTimeout,
    Kind.CUT: ModelCut,
    Kind.MALFORMED: ModelMalformed,
}


class Failure(Exception):
    """Raised when one attempt to call a model's server fails; it never leaves this package.

    `text` has no secrets in it. `retry_after` is in seconds, and None when the server did not say. `error` is the
    server's own error object.
    """

    def __init__(
        self,
        kind: Kind,
        text: str,
        *,
        status: int = 0,
        retry_after: float | None = None,
        request_id: str = "",
        error: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.status = status
        self.retry_after = retry_after
        self.request_id = request_id
        self.error: Mapping[str, Any] = error or {}

    @property
    def passes(self) -> bool:
        """Whether asking again may help."""
        if self.kind is Kind.LIMITED:
            return self.error.get("code") not in _EMPTY_ACCOUNT
        return self.kind in (Kind.FAILED, Kind.UNREACHABLE, Kind.LATE, Kind.CUT)


def public_error(failure: Failure, where: str, attempt: int, attempts: int) -> ModelError:
    """Return the error that a user sees: which endpoint, what happened, at which attempt, and the request's id."""
    details = [f"attempt {attempt} of {attempts}"] if failure.passes or attempt > 1 else []
    details += [f"request {failure.request_id}"] if failure.request_id else []
    shown = f" ({', '.join(details)})" if details else ""
    return _ERRORS[failure.kind](f"{where} {failure.text.rstrip('.')}{shown}.")


def of_status(status: int, headers: Mapping[str, str], body: bytes, secrets: Secrets, now: datetime) -> Failure:
    """Return the failure that an answer with another status than 200 means; `headers` by lower-case name."""
    error = error_object(body)
    request_id = next((headers[name][:80] for name in _REQUEST_IDS if name in headers), "")
    if 300 <= status < 400:
        text = f"answered {status}, a redirect, and redirects are not followed: is the base_url right?"
    else:
        said = redacted(str(error.get("message") or "no reason given"), secrets)
        text = f"answered {status}: {said}"
    return Failure(
        kind_of(status),
        text,
        status=status,
        retry_after=retry_after(headers, now),
        request_id=redacted(request_id, secrets),
        error=error,
    )


def of_error_object(value: Any, secrets: Secrets, *, streamed: bool = False) -> Failure:
    """Return the failure that an error object means which came with status 200, or in the middle of a stream."""
    error = _plain_error(value)
    code = error.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    said = redacted(str(error.get("message") or "no reason given"), secrets)
    place = "broke off its answer with an error" if streamed else "answered 200 with an error"
    kind = Kind.CUT if streamed else kind_of(status)
    return Failure(kind, f"{place}: {said}", status=status, error=error)


def kind_of(status: int) -> Kind:
    """Return the kind of failure that an HTTP status means."""
    if status == 429:
        return Kind.LIMITED
    if (status >= 500 and status not in _LASTING_STATUS) or status in _PASSING_STATUS:
        return Kind.FAILED
    return Kind.REFUSED


def error_object(body: bytes) -> dict[str, Any]:
    """Return the error object of an answer, in whichever way the server wraps it; its message is one short line."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = body.decode("utf-8", "replace")
    return _plain_error(value.get("error", value) if isinstance(value, dict) else value)


def redacted(text: str, secrets: Secrets) -> str:
    """Return `text` with every secret, and every longer part of one, replaced: servers quote keys in their errors."""
    for secret in (one.get_secret_value() for one in secrets if len(one) >= _SHORTEST_SECRET):
        text = text.replace(secret, "[key]")
        start = 0
        while start + _SHORTEST_PART <= len(text):
            end = start + _SHORTEST_PART
            if text[start:end] not in secret:
                start += 1
                continue
            while end < len(text) and text[start : end + 1] in secret:
                end += 1
            text = f"{text[:start]}[key]{text[end:]}"
            start += len("[key]")
    return text


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return after how many seconds the server wants to be asked again, None when it does not say.

    RFC 9110, section 10.2.3: seconds or a date; `retry-after-ms` is what some providers send besides.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        said = headers.get(name, "").strip()
        try:
            seconds = float(said) / unit
        except ValueError:
            continue
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return max(0.0, (date - now).total_seconds())


def _plain_error(found: Any) -> dict[str, Any]:
    error = dict(found) if isinstance(found, Mapping) else {"message": found}
    message = error.get("message") or error.get("detail") or ""
    error["message"] = _line(message if isinstance(message, str) else json.dumps(message, default=str))
    return error


def _line(text: str) -> str:
    line = "".join(sign if sign.isprintable() else " " for sign in text[: 4 * _SHOWN])
    line = " ".join(line.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"
