"""P12: what it costs to import the package, to ask for help, and to have a worker ready.

Each program starts with the bytecode that one before it has left, as those of an installed package do.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping

from .rig import Figure, Rig

_READY = """
import json, time, anyio
from lion_broker import Registry, Worker
from lion_broker.mail.verbs import ReadReady
async def ready():
    async with Worker(Registry()) as worker:
        await worker._exchange.acall(ReadReady("default", worker.owner, 1))
    print(json.dumps(time.process_time()))
anyio.run(ready)
"""


def startup(rig: Rig, repeats: int) -> list[Figure]:
    """Wall time of fresh interpreters, and CPU time of a worker until its first read of the ready stream."""
    with tempfile.TemporaryDirectory() as bytecode:
        environ = {**rig.environment(), "PYTHONPYCACHEPREFIX": bytecode}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        _cpu(environ, _READY)
        _seconds(environ, "-m", "lion_broker", "--help")
        bare = statistics.median(_seconds(environ, "-c", "pass") for _ in range(repeats))
        imported = statistics.median(_seconds(environ, "-c", "import lion_broker") for _ in range(repeats))
        helped = statistics.median(_seconds(environ, "-m", "lion_broker", "--help") for _ in range(repeats))
        ready = statistics.median(_cpu(environ, _READY) for _ in range(repeats))
    return [
        Figure(
            "P12", "import lion_broker, the bare interpreter taken off", imported - bare, "s", "under 0.3", at_most=0.3
        ),
        Figure("P12", "lion-broker --help, the interpreter included", helped, "s", "at most 0.4", at_most=0.4),
        Figure("P12", "worker ready, embedded server running: CPU", ready, "s", "at most 0.7", at_most=0.7),
    ]


def _seconds(environ: Mapping[str, str], *arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environ, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _cpu(environ: Mapping[str, str], program: str) -> float:
    done = subprocess.run([sys.executable, "-c", program], env=environ, check=True, capture_output=True)
    return float(json.loads(done.stdout))
