"""Makes a namespace ready before its first program: functions, partitions, key, and what an accepted mail survives."""

from __future__ import annotations

from dataclasses import dataclass

from lion_broker.config import Settings
from lion_broker.core.numbers import counted
from lion_broker.errors import ConfigError

from .checkup.profile import SURVIVES, Profile
from .connect import connect
from .keys import Keys
from .library import library
from .raw_connection import raw_connection

__all__ = ["Initialized", "initialize"]


@dataclass(frozen=True, slots=True)
class Initialized:
    """What was found and made on a server. `key` is the id of the key that signs."""

    exchange: str
    profile: str
    survives: str
    library: str
    library_was_loaded: bool
    namespace: str
    namespace_was_there: bool
    partitions: int
    key: str


def initialize(settings: Settings) -> Initialized:
    """Load the functions where they are missing and open the namespace; what is there already stays. Blocks.

    Raises ConfigError for `memory://` or for a number of partitions that the namespace does not have, ServerUnsafe,
    SigningKeyUnknown, BrokerError, BrokerUnavailable.
    """
    meta = Keys(settings.namespace).meta()
    with raw_connection(settings) as connection:
        named = ("FUNCTION", "LIST", "LIBRARYNAME", library().name)
        listed, known = connection.ask(named, ("HLEN", meta))
        with connect(settings=settings) as exchange:
            # Nothing is asked but to open the namespace, which loads what is missing.
            exchange.call_all(())
        partitions, keys = connection.ask(("HMGET", meta, "partitions", "keys"))[0]
    if "partitions" in settings.model_fields_set and int(partitions) != settings.partitions:
        raise ConfigError(
            f"The namespace {settings.namespace} has {counted(int(partitions), 'partition')}, fixed when it is made;"
            f" LION_BROKER_PARTITIONS says {settings.partitions}. Correct that, or use another namespace."
        )
    return Initialized(
        exchange=exchange.url,
        profile=exchange.profile,
        survives=SURVIVES[Profile(exchange.profile)],
        library=library().name,
        library_was_loaded=isinstance(listed, list) and bool(listed),
        namespace=settings.namespace,
        namespace_was_there=isinstance(known, int) and known > 0,
        partitions=int(partitions),
        key=keys.decode().split()[-1],
    )
