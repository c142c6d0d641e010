"""Log lines: as text for people or as JSON for programs, with what they are about, bounded and in one line each."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from . import LOGGER
from .names import LOG_FIELDS

__all__ = ["JsonLines", "TextLines", "back_to", "log_lines", "now_about", "said", "without_credentials"]

_LONGEST_MESSAGE: Final = 8_000
_LONGEST_TRACEBACK: Final = 16_000
_LONGEST_FIELD: Final = 200
_CREDENTIALS: Final = re.compile(r"(?<=://)[^\s/@]*:[^\s/@]*(?=@)")
_TOKENS: Final = re.compile(
    r"(?i)\b(bearer\s+|(?:api[-_]?key|access[-_]?token|client[-_]?secret|passw(?:or)?d)[\"']?\s*[:=]\s*[\"']?)"
    r"[\w./+~=!@#$%^&*-]{8,}"
)
_KEYS: Final = re.compile(r"\b(sk|pk|ghp|xox[abp])([-_])[\w-]{16,}")

_about: ContextVar[Mapping[str, str]] = ContextVar("lion_broker_log_fields", default=MappingProxyType({}))


def without_credentials(text: str) -> str:
    """Return a text without what looks like a credential: in a URL, after `Bearer` or `api_key=`, a provider's key."""
    text = _TOKENS.sub(r"\1***", _CREDENTIALS.sub("***", text))
    return _KEYS.sub(r"\1\2***", text)


def now_about(fields: Mapping[str, str]) -> Mapping[str, str]:
    """Let further fields be said from now on in this task; returns those from before, to go back to."""
    before = _about.get()
    _about.set({**before, **fields})
    return before


def said(name: str) -> str:
    """Return a field of this task's log lines, or an empty text."""
    return _about.get().get(name, "")


def back_to(fields: Mapping[str, str]) -> None:
    """Go back to what `now_about` has returned."""
    _about.set(fields)


class _About(logging.Filter):
    """Gives a record the fields of the task that wrote it, and the ids of its span where OpenTelemetry has one."""

    def filter(self, record: logging.LogRecord) -> bool:
        fields = {**_about.get(), **_span_ids()}
        for name in LOG_FIELDS:
            value = getattr(record, name, None) or fields.get(name, "")
            setattr(record, name, str(value)[:_LONGEST_FIELD])
        return True


def _span_ids() -> Mapping[str, str]:
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return {}
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


class _Lines(logging.Formatter):
    """What both forms share; `secrets` are texts that no line shows."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        super().__init__()
        self._secrets = tuple(secret for secret in secrets if secret)

    def _message(self, record: logging.LogRecord) -> str:
        try:
            text = record.getMessage()
        except Exception:  # a line with wrong arguments is still worth its text
            text = str(record.msg)
        return self._clean(text, _LONGEST_MESSAGE)

    def _traceback(self, record: logging.LogRecord) -> str:
        if not record.exc_info:
            return ""
        text = self.formatException(record.exc_info)
        # Its end says what happened.
        cut = "" if len(text) <= _LONGEST_TRACEBACK else "… "
        return self._clean(cut + text[-_LONGEST_TRACEBACK:], _LONGEST_TRACEBACK + len(cut))

    def _clean(self, text: str, most: int) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = without_credentials(text)
        return text if len(text) <= most else f"{text[:most]} … (cut; it has {len(text):,} characters)"


class JsonLines(_Lines):
    """A JSON object a line: time (ISO 8601, UTC), level, logger, message, error, traceback, and `LOG_FIELDS`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; control characters are escaped."""
        said: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._message(record),
        }
        said |= {name: value for name in LOG_FIELDS if (value := getattr(record, name, ""))}
        if record.exc_info and record.exc_info[0] is not None:
            said |= {"error": record.exc_info[0].__name__, "traceback": self._traceback(record)}
        return json.dumps(said)


class TextLines(_Lines):
    """A line for people: time, level, logger, message, and the fields that are known, as `name=value`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and a traceback below it; other control characters are escaped."""
        fields = [f" {name}={value}" for name in LOG_FIELDS if (value := getattr(record, name, ""))]
        said = f"{record.levelname:<7} {record.name}: {self._message(record)}{''.join(fields)}"
        traceback = "".join(f"\n{_one_line(line)}" for line in self._traceback(record).splitlines())
        return f"{self.formatTime(record)} {_one_line(said)}{traceback}"


def _one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def log_lines(level: str, form: str = "text", secrets: Sequence[str] = ()) -> None:
    """Send log lines to stderr: those of the package from `level` on, those of others from warnings on."""
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(JsonLines(secrets) if form == "json" else TextLines(secrets))
    lines.addFilter(_About())
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(lines)
    logging.getLogger(LOGGER).setLevel(level.upper())
