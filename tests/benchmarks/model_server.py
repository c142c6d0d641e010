"""A model's server in a process of its own: says its URL on stdout and ends with stdin.

python -m tests.benchmarks.model_server 0.2
"""

from __future__ import annotations

import sys

from lion_broker.testing import FakeModelServer

if __name__ == "__main__":
    with FakeModelServer() as server:
        server.delays(float(sys.argv[1])).says("A lion is a large cat.")
        print(server.url, flush=True)
        sys.stdin.read()
