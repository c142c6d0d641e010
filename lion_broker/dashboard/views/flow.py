"""Who mails whom as a drawing: branches in columns, by how many steps they are from where the mail begins."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Final

from lion_broker.dashboard.tables import Column, Empty, Order, Row, Table
from lion_broker.insight.views import Flow

__all__ = ["Arrow", "Box", "Drawing", "draw_flow", "flow_table"]

WIDTH: Final = 152
HEIGHT: Final = 48
_ACROSS: Final = 118
_DOWN: Final = 30
_MARGIN: Final = 26
_LANE: Final = 24
_ASIDE: Final = 56
_MOST: Final = 40
"""Branches that are drawn; of more, those with most mail."""
_LONGEST: Final = 18

NO_MAIL: Final = Empty(
    "No mail was sent in this session yet. A program sends:", 'branch.send(other, "message", "Hello.")'
)
BY_MAILS: Final = Order("mails", descending=True)

Pair = tuple[str, str]
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """A branch: its upper left corner, its name in full and as drawn, its state, and how many mails it sent and got."""

    branch: str
    name: str
    shown: str
    state: str
    x: int
    y: int
    sent: int
    got: int


@dataclass(frozen=True, slots=True)
class Arrow:
    """Mail from one branch to another: its path, how thick, what it says in words, and where its number stands."""

    sender: str
    recipient: str
    path: str
    thick: float
    mails: int
    title: str
    x: int
    y: int
    category: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing in pixels; `left_out` branches are not in it."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    left_out: int = 0


def draw_flow(flow: Flow, states: Mapping[str, str]) -> Drawing:
    """Lay out who mails whom; the same flow gives the same drawing."""
    sent, got = Counter[str](), Counter[str]()
    for edge in flow.edges:
        sent[edge.sender] += edge.mails
        got[edge.recipient] += edge.mails
    ends = [branch for branch in flow.names if sent[branch] or got[branch]]
    shown = set(sorted(ends, key=lambda one: -sent[one] - got[one])[:_MOST])
    pairs = defaultdict[Pair, Counter[str]](Counter)
    for edge in flow.edges:
        if edge.sender in shown and edge.recipient in shown:
            pairs[edge.sender, edge.recipient][edge.category] += edge.mails
    places, columns, bottom = _places([branch for branch in ends if branch in shown], list(pairs))
    boxes = tuple(
        Box(one, flow.names[one], _cut(flow.names[one]), states.get(one, ""), *place, sent[one], got[one])
        for one, place in places.items()
    )
    arrows, below = _arrows(flow, pairs, places, bottom)
    width = _MARGIN + _ASIDE + columns * WIDTH + max(0, columns - 1) * _ACROSS
    return Drawing(width, bottom + below * _LANE + _MARGIN, boxes, arrows, len(ends) - len(shown))


def flow_table(flow: Flow, start: int = 0, count: int = 200, following: str = "", note: str = "") -> Table:
    """Who mails whom as a table: a page of it, the most frequent first."""
    columns = (
        Column("sender", "From"),
        Column("recipient", "To"),
        Column("category", "Category"),
        Column("mails", "Mails", "number"),
        Column("sender_id", "From id", "code", data_only=True),
        Column("recipient_id", "To id", "code", data_only=True),
    )
    rows = [
        Row(
            {
                "sender": flow.names.get(edge.sender, edge.sender),
                "recipient": flow.names.get(edge.recipient, edge.recipient),
                "category": edge.category,
                "mails": edge.mails,
                "sender_id": edge.sender,
                "recipient_id": edge.recipient,
            }
        )
        for edge in flow.edges[start : start + count]
    ]
    return Table("flow", "Who mails whom", columns, rows, NO_MAIL, following, note, sorts=True, natural=BY_MAILS)


def _places(branches: Sequence[str], pairs: Sequence[Pair]) -> tuple[dict[str, Place], int, int]:
    """Where each branch stands, how many columns there are, and where the lowest ends."""
    columns = _columns(branches, pairs)
    tallest = max(map(len, columns), default=0)
    places: dict[str, Place] = {}
    for across, column in enumerate(columns):
        top = _MARGIN + (tallest - len(column)) * (HEIGHT + _DOWN) // 2
        for down, branch in enumerate(column):
            places[branch] = (_MARGIN + across * (WIDTH + _ACROSS), top + down * (HEIGHT + _DOWN))
    return places, len(columns), _MARGIN + tallest * (HEIGHT + _DOWN)


def _columns(branches: Sequence[str], pairs: Sequence[Pair]) -> list[list[str]]:
    """Branches by their distance from the first that sends; within a column near those they get mail from."""
    following, senders = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for sender, recipient in pairs:
        following[sender].append(recipient)
        senders[recipient].append(sender)
    level: dict[str, int] = {}
    for root in sorted(branches, key=lambda one: bool(senders[one])):
        if root in level:
            continue
        level[root] = 0
        row = deque([root])
        while row:
            sender = row.popleft()
            for one in following[sender]:
                if one not in level:
                    level[one] = level[sender] + 1
                    row.append(one)
    columns: list[list[str]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for branch in branches:
        columns[level[branch]].append(branch)
    for number in range(1, len(columns)):
        before = {branch: place for place, branch in enumerate(columns[number - 1])}
        columns[number].sort(key=lambda one: _middle([before[two] for two in senders[one] if two in before]))
    return columns


def _middle(places: Sequence[int]) -> float:
    return sum(places) / len(places) if places else 0.0


def _arrows(
    flow: Flow, pairs: Mapping[Pair, Counter[str]], places: Mapping[str, Place], bottom: int
) -> tuple[tuple[Arrow, ...], int]:
    """The arrows, and how many of them go around below everything."""
    arrows, below = [], 0
    for pair, kinds in sorted(pairs.items()):
        (x1, y1), (x2, y2) = places[pair[0]], places[pair[1]]
        across = (x2 - x1) // (WIDTH + _ACROSS)
        both = pair[::-1] in pairs
        if abs(across) > 1 or (across < 0 and not both):
            path, spot = _around((x1, y1), (x2, y2), bottom + below * _LANE)
            below += 1
        elif across == 0:
            path, spot = _beside((x1, y1), (x2, y2))
        else:
            path, spot = _straight((x1, y1), (x2, y2), 9 if both else 0)
        mails = kinds.total()
        what = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        title = f"{flow.names[pair[0]]} → {flow.names[pair[1]]}: {what}"
        thick = round(1.4 + min(5.0, log2(mails) * 0.7), 1)
        arrows.append(Arrow(*pair, path, thick, mails, title, *spot, kinds.most_common(1)[0][0]))
    return tuple(arrows), below


def _straight(here: Place, there: Place, aside: int) -> tuple[str, Place]:
    """To the next column, or back from it; of two that go both ways each keeps to its right."""
    right = there[0] > here[0]
    x1, x2 = (here[0] + WIDTH, there[0] - 7) if right else (here[0], there[0] + WIDTH + 7)
    y1, y2 = (one + HEIGHT // 2 + (-aside if right else aside) for one in (here[1], there[1]))
    middle = (x1 + x2) // 2
    return f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}", (middle, (y1 + y2) // 2)


def _beside(here: Place, there: Place) -> tuple[str, Place]:
    """To another in the same column, or to itself: an arc at its right side."""
    x = here[0] + WIDTH
    y1, y2 = here[1] + HEIGHT // 2, there[1] + HEIGHT // 2
    if here == there:
        y1, y2 = y1 - 12, y2 + 12
    out = x + 44
    return f"M{x} {y1}C{out} {y1} {out} {y2} {x + 7} {y2}", (x + 34, (y1 + y2) // 2)


def _around(here: Place, there: Place, low: int) -> tuple[str, Place]:
    """Far, forwards or back: down, along below everything, and up again."""
    x1, y1 = here[0] + WIDTH // 2 + 14, here[1] + HEIGHT
    x2, y2 = there[0] + WIDTH // 2 - 14, there[1] + HEIGHT + 7
    turn = 16 if x2 > x1 else -16
    path = f"M{x1} {y1}V{low - 16}Q{x1} {low} {x1 + turn} {low}H{x2 - turn}Q{x2} {low} {x2} {low - 16}V{y2}"
    return path, ((x1 + x2) // 2, low)


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
