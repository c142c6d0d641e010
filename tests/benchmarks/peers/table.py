"""Who is measured: lion-broker, the bare hop, and the peers that a user would pick instead."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["HOP", "OURS", "PEERS", "QUICK", "Contender", "Kind"]


class Kind(StrEnum):
    """What a figure of a contender may be compared with."""

    OURS = "ours"
    RAW = "the client library alone"
    BROKER = "a broker with a handler per item"
    BATCH = "a broker with a handler per batch"
    MEMORY = "in memory, nothing durable"


@dataclass(frozen=True, slots=True)
class Contender:
    """One system in one configuration.

    `program` is its module in this package, which is told its `variant`. `alone` says that producer and handler are one
    process, `live` that items go to a running worker as nothing keeps them, `hub` that a process between the two does
    what the server does for others, `bulk` that many items can be put in at once, `idles` that its handler is called by
    itself when an item comes, `puts` that its producer is measured and not that of another contender. Of the items of a
    benchmark it gets a `share`: a rate depends little on how long it is measured, and all of them would take hours.
    """

    name: str
    program: str
    kind: Kind
    variant: str = "-"
    share: float = 0.25
    bulk: bool = False
    alone: bool = False
    live: bool = False
    hub: bool = False
    idles: bool = True
    puts: bool = True

    @property
    def environment(self) -> str:
        """The environment with its packages; empty for those that run in our own."""
        return "" if self.kind in (Kind.OURS, Kind.RAW) else self.program


OURS = Contender("lion-broker", "lion", Kind.OURS, share=1, bulk=True)
HOP = Contender("redis-py hop", "hop", Kind.RAW, share=1, bulk=True)
PEERS: tuple[Contender, ...] = (
    Contender("FastStream", "faststream", Kind.BROKER, bulk=True),
    Contender("dramatiq, 32 threads", "dramatiq", Kind.BROKER, "many"),
    Contender("taskiq-redis", "taskiq", Kind.BROKER),
    Contender("FastStream, batches", "faststream", Kind.BATCH, "batch", share=1, bulk=True, puts=False),
    Contender("dramatiq, 8 threads", "dramatiq", Kind.BROKER, "default", puts=False),
    Contender("arq", "arq", Kind.BROKER, share=0.15),
    Contender("streaQ", "streaq", Kind.BROKER, share=0.15, bulk=True),
    Contender("Celery, threads", "celery", Kind.BROKER, "threads", share=0.1),
    Contender("Celery, prefork", "celery", Kind.BROKER, "prefork", share=0.1, puts=False),
    Contender("AutoGen Core", "autogen", Kind.MEMORY, alone=True, puts=False),
    Contender("AutoGen Core, gRPC", "autogen", Kind.MEMORY, "grpc", share=0.1, live=True, hub=True, puts=False),
    Contender("LionAGI 0.36", "lionagi", Kind.MEMORY, share=0.1, alone=True, idles=False, puts=False),
)
QUICK: tuple[Contender, ...] = PEERS[:2]
