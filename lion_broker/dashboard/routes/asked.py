"""What visitors ask for in a query, taken with care: it may hold anything."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

__all__ = ["following", "number_asked", "text_asked"]

_LONGEST = 200


def number_asked(request: Request, name: str, default: int, most: int) -> int:
    """A number from 0 to `most`; anything else is the default."""
    text = request.query_params.get(name, "")
    return min(int(text), most) if text.isascii() and text.isdecimal() and len(text) < 18 else default


def text_asked(request: Request, name: str) -> str:
    """A text without blanks around it, at most 200 characters of it; empty when nothing is asked."""
    text = request.query_params.get(name, "").strip()[:_LONGEST]
    return text.encode("utf-8", "replace").decode()


def following(request: Request, **changed: Any) -> str:
    """The query of the page that goes on: what was asked, with some of it changed."""
    values = {**request.query_params, **changed}
    return f"?{urlencode({name: value for name, value in values.items() if value not in (None, '')})}"
