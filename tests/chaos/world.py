"""What a wave of the storm is made of: sessions, the branches in them, and who mails whom."""

from __future__ import annotations

from dataclasses import dataclass, field

from lion_broker import Session
from lion_broker.mail.exchange import Exchange

__all__ = ["POOLS", "Place", "World", "found"]

POOLS = ("a", "b")

_PLAN: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("ears-0", "a", "", ()),
    ("ears-1", "b", "", ()),
    ("ears-2", "a", "", ()),
    ("ears-3", "b", "", ()),
    ("last", "b", "relay", ("ears-0",)),
    ("relay", "a", "relay", ("last",)),
    ("fan", "b", "relay", ("ears-1", "ears-2", "ears-3")),
    ("silent", "a", "silent", ("ears-2",)),
    ("shaky", "b", "shaky", ("ears-3", "last")),
    ("hopeless", "a", "hopeless", ("ears-0",)),
    ("asking", "b", "asking", ("ears-1",)),
    ("named-0", "a", "", ()),
    ("named-1", "b", "", ()),
)
"""Name, pool, behaviour, and to whom it passes mail on: those stand above it."""


@dataclass(frozen=True)
class Place:
    """A branch of the storm, and those to which it passes mail on."""

    id: str
    name: str
    pool: str
    behaviour: str
    to: tuple[str, ...] = ()

    def dies(self, text: str) -> bool:
        """Whether a mail can only end as a dead letter here."""
        return self.behaviour == "hopeless" and text.endswith("7")


@dataclass
class World:
    """A session of the storm: its branches by name, those that pass on before those to which they do."""

    session: str
    delivery: str
    places: dict[str, Place] = field(default_factory=dict)

    @property
    def ears(self) -> list[str]:
        """The ids of all branches that senders may mail."""
        return [place.id for place in self.places.values() if not place.name.startswith("named")]


def found(exchange: Exchange, delivery: str) -> World:
    """Found a session with all its branches; nobody hosts it here afterwards."""
    with Session(exchange=exchange, delivery=delivery) as session:
        world = World(session.id, delivery)
        for name, pool, behaviour, to in _PLAN:
            branch = session.new_branch(
                name=name,
                pool=pool,
                behaviour=behaviour,
                imodel="quote" if behaviour == "asking" else None,
                metadata={"to": [world.places[one].id for one in to]},
            )
            world.places[name] = Place(branch.id, name, pool, behaviour, to)
    world.places = dict(reversed(world.places.items()))
    return world
