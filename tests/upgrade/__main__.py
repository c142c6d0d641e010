"""`scripts/upgrade`: a running deployment is upgraded and downgraded under load, and the logs are judged."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.stage import short_folder

from .play import Play, environ_of
from .releases import build

__all__ = ["main"]


def say(line: str) -> None:
    """Tell whoever watches."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


def upgraded(folder: Path, revision: str) -> int:
    """Play it in a folder; returns the exit code."""
    environ = environ_of(folder)
    old, new = build(folder, environ, revision), build(folder, environ, version="99.0.0")
    if old.protocol != new.protocol:
        say(
            f"{revision or old.version} speaks protocol {old.protocol} and this source {new.protocol}: they share no"
            " namespace. How sessions move says docs/operating.md, under “To another protocol”."
        )
        return 2
    say(f"{old.version} and {new.version} are installed, each in an environment of its own")
    play = Play(folder, old, new, say)
    with play.stage():
        verdict = play.run()
    by_release = ", ".join(f"{mails} by {version}" for version, mails in sorted(verdict.handled.items()))
    say(f"{verdict.sent} mails down two branches each: {by_release}; {verdict.redelivered} redelivered")
    for line in verdict.wrong:
        say(f"WRONG: {line}")
    say("not as promised" if verdict.wrong else "none was lost, taken twice or out of order")
    return 1 if verdict.wrong else 0


def main() -> int:
    """Read the command line and play."""
    parser = argparse.ArgumentParser(prog="scripts/upgrade", description=__doc__)
    parser.add_argument(
        "--from", dest="revision", default="", metavar="REV", help="upgrade from a revision. Default: this source"
    )
    options = parser.parse_args()
    with short_folder() as folder:
        return upgraded(folder, options.revision)


if __name__ == "__main__":
    sys.exit(main())
