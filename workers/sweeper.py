"""Run one sweeper by itself, the same as `lion-broker sweeper`.

    python -m workers.sweeper --url redis://127.0.0.1:6379/0

Every worker sweeps already; one more is for a server whose pools have no worker for a while, so that delayed
mail and abandoned work still come back. Any number may run at once.
"""

import sys

from lion_broker.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["sweeper", *sys.argv[1:]]))
