"""Run one branch worker, the same as `lion-broker worker`.

    python -m workers.branch --app package.module:registry --pool default --concurrency 100

For deployments that name a process by its module; the options and exit codes are those of the command.
"""

import sys

from lion_broker.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["worker", *sys.argv[1:]]))
