"""A fake model server: real sockets, real protocols, scripted answers and faults."""

from .answer import Answer, Call, Fault
from .request import Received
from .server import FakeModelServer

__all__ = ["Answer", "Call", "FakeModelServer", "Fault", "Received"]
