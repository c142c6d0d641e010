"""A session's mail as a picture: a lane for each branch, time from left to right, SVG of our own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Final

from lion_broker.core.numbers import counted
from lion_broker.core.portable import one_line
from lion_broker.errors import ConfigError

from .views import Lanes, Passage

__all__ = ["Timeline"]

_WIDTH: Final = 960
_LEFT: Final = 150
_LANE: Final = 34
_TOP: Final = 30
_BRANCHES: Final = 40
_COLOURS: Final = {"applied": "#2e7d32", "working": "#f9a825", "retrying": "#ef6c00", "dead": "#c62828"}
_OTHER: Final = "#78909c"


class Timeline:
    """Shows passages of mail; a notebook draws it, and `save` writes an SVG file.

    A bar is the time from delivery to the commit, in its recipient's lane, and a line leads to it from the sender's.
    Of many branches the 40 with the most mail have lanes.
    """

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        times = [time for one in lanes.passages for time in _times(one)] or [0.0]
        self._first = min(times)
        self._last = max(max(times), self._first + 0.001)

    def save(self, path: str | Path) -> Path:
        """Write the picture to a file, which is to end in .svg, and return its path. Raises ConfigError, OSError."""
        file = Path(path)
        if file.suffix.lower() != ".svg":
            raise ConfigError(f"A timeline is saved as SVG, so {file.name!r:.80} should end in .svg.")
        file.write_text(self._repr_svg_(), encoding="utf-8")
        return file

    def _repr_svg_(self) -> str:
        branches = self._branches()
        height = _TOP + _LANE * max(1, len(branches)) + 24
        size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
        style = 'style="font: 11px sans-serif; background: #fff" role="img"'
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>',
            f"<title>{escape(repr(self))}</title>",
            *self._lanes(branches),
            *self._mails(branches),
            *self._scale(height),
            "</svg>",
        ]
        return "\n".join(parts)

    def _branches(self) -> dict[str, int]:
        """The places of the branches that have lanes, those that mailed first on top."""
        counts: dict[str, int] = {}
        for one in self.lanes.passages:
            for end in (one.sender, one.recipient):
                counts[end] = counts.get(end, 0) + 1
        most = sorted(counts, key=lambda end: -counts[end])[:_BRANCHES]
        return {end: place for place, end in enumerate(end for end in counts if end in set(most))}

    def _x(self, time: float) -> float:
        return _LEFT + (time - self._first) / (self._last - self._first) * (_WIDTH - _LEFT - 20)

    def _lanes(self, branches: dict[str, int]) -> Iterator[str]:
        if not branches:
            yield f'<text x="10" y="{_TOP + 16}" fill="#555">There is no mail in this session.</text>'
        for branch, place in branches.items():
            y = _TOP + place * _LANE + _LANE // 2
            name = escape(one_line(self.lanes.names.get(branch) or branch, 22))
            yield f'<text x="10" y="{y + 4}" fill="#222">{name}</text>'
            yield f'<line x1="{_LEFT}" y1="{y}" x2="{_WIDTH - 10}" y2="{y}" stroke="#e0e0e0"/>'

    def _mails(self, branches: dict[str, int]) -> Iterator[str]:
        for one in self.lanes.passages:
            if one.sender not in branches or one.recipient not in branches:
                continue
            came = one.delivered or one.sent
            ended = max(one.applied or came, came)
            x, y = self._x(came), _TOP + branches[one.recipient] * _LANE + _LANE // 2
            from_x, from_y = self._x(min(one.sent, came)), _TOP + branches[one.sender] * _LANE + _LANE // 2
            colour = _COLOURS.get(one.state, _OTHER)
            told = f"{one.category} {one.state}, {ended - came:.3f} s, {one.mail}\n{one.text}"
            yield (
                f'<g fill="{colour}" stroke="{colour}"><title>{escape(told)}</title>'
                f'<line x1="{from_x:.1f}" y1="{from_y}" x2="{x:.1f}" y2="{y}" stroke-opacity="0.5"/>'
                f'<circle cx="{from_x:.1f}" cy="{from_y}" r="2"/>'
                f'<rect x="{x:.1f}" y="{y - 5}" width="{max(2.0, self._x(ended) - x):.1f}" height="10"'
                ' fill-opacity="0.7" stroke="none"/></g>'
            )

    def _scale(self, height: int) -> Iterator[str]:
        if not self.lanes.passages:
            return
        began = datetime.fromtimestamp(self._first, UTC).isoformat(timespec="milliseconds")
        yield f'<text x="{_LEFT}" y="{height - 8}" fill="#555">{began}</text>'
        length = f"+{self._last - self._first:.3f} s"
        yield f'<text x="{_WIDTH - 10}" y="{height - 8}" fill="#555" text-anchor="end">{length}</text>'

    def __repr__(self) -> str:
        return f"Timeline({counted(len(self.lanes.passages), 'mail')})"


def _times(one: Passage) -> Iterator[float]:
    yield one.sent
    yield from (time for time in (one.delivered, one.applied) if time is not None)
