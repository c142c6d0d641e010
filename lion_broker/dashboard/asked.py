"""What visitors ask for in a query, taken with care: it may hold anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

__all__ = ["SIZES", "afresh", "following", "number_asked", "size_asked", "text_asked"]

_LONGEST = 200
_LARGEST_PAGE = 1000
SIZES = (25, 50, 100, 250)
"""The sizes of a page of a table that are offered; programs may ask for up to a thousand rows."""
_PLACES = ("start", "before", "after", "at")
_TOLD = ("did", "count", "left", "more")


def number_asked(request: Request, name: str, default: int, most: int) -> int:
    """A number from 0 to `most`; anything else is the default."""
    text = request.query_params.get(name, "")
    return min(int(text), most) if text.isascii() and text.isdecimal() and len(text) < 18 else default


def size_asked(request: Request, default: int) -> int:
    """How many rows a page of a table is to have, 1 to 1,000."""
    return number_asked(request, "size", default, _LARGEST_PAGE) or default


def text_asked(request: Request, name: str) -> str:
    """A text without blanks around it, at most 200 characters of it; empty when nothing is asked."""
    text = request.query_params.get(name, "").strip()[:_LONGEST]
    return text.encode("utf-8", "replace").decode()


def following(request: Request, **changed: Any) -> str:
    """The query of the page that goes on: what was asked, with some of it changed."""
    values = {**request.query_params, **changed}
    return f"?{urlencode({name: value for name, value in values.items() if value not in (None, '')})}"


def afresh(query: Mapping[str, str], **changed: Any) -> str:
    """The query of the first page of what was asked, with some of it changed; nothing of what was done before."""
    kept = {name: value for name, value in query.items() if name not in (*_PLACES, *_TOLD)}
    return f"?{urlencode({name: value for name, value in {**kept, **changed}.items() if value not in (None, '')})}"
