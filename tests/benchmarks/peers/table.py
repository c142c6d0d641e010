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

    `program` is its module in this package, `environment` the file that pins its packages (none: our own). `alone` says
    that producer and handler are one process, `live` that items go to a running worker as nothing keeps them, `hub`
    that a process between the two does what the server does for others, `bulk` that many items can be put in at once,
    `idles` that its handler is called by itself when an item comes. Of the items of a benchmark it gets a `share`: a
    rate depends little on how long it is measured, and all of them for the slowest would take hours.
    """

    name: str
    program: str
    kind: Kind
    variant: str = "-"
    environment: str = ""
    share: float = 0.25
    bulk: bool = False
    alone: bool = False
    live: bool = False
    hub: bool = False
    idles: bool = True


OURS = Contender("lion-broker", "lion", Kind.OURS, share=1, bulk=True)
HOP = Contender("redis-py hop", "hop", Kind.RAW, share=1, bulk=True)
PEERS: tuple[Contender, ...] = (
    Contender("FastStream", "faststream", Kind.BROKER, environment="faststream", bulk=True),
    Contender("taskiq-redis", "taskiq", Kind.BROKER, environment="taskiq"),
    Contender("FastStream, batches", "faststream", Kind.BATCH, "batch", environment="faststream", share=1, bulk=True),
    Contender("dramatiq", "dramatiq", Kind.BROKER, environment="dramatiq"),
    Contender("arq", "arq", Kind.BROKER, environment="arq", share=0.15),
    Contender("streaQ", "streaq", Kind.BROKER, environment="streaq", share=0.15, bulk=True),
    Contender("Celery, threads", "celery", Kind.BROKER, "threads", environment="celery", share=0.1),
    Contender("Celery, prefork", "celery", Kind.BROKER, "prefork", environment="celery", share=0.1),
    Contender("AutoGen Core", "autogen", Kind.MEMORY, environment="autogen", alone=True),
    Contender(
        "AutoGen Core, gRPC", "autogen", Kind.MEMORY, "grpc", environment="autogen", share=0.1, live=True, hub=True
    ),
    Contender("LionAGI 0.36", "lionagi", Kind.MEMORY, environment="lionagi", share=0.1, alone=True, idles=False),
)
QUICK: tuple[Contender, ...] = PEERS[:2]
