"""The command `lion-broker`, and `python -m lion_broker`."""

import sys
from io import TextIOWrapper
from typing import Final

from lion_broker.errors import LionError

__all__ = ["main"]

_INTERRUPTED: Final = 130


def main(argv: list[str] | None = None) -> int:
    """Run the command line with `argv` (None: the program's arguments); returns the exit code, see `cli.exits.Code`.

    An error is said in one sentence on stderr, and with `--json` as an object on stdout too.
    """
    words = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a sign gets another one: that is no reason to fail.
        if isinstance(stream, TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="replace")
    try:
        from lion_broker.cli.application import application

        application(words)(args=argv, prog_name="lion-broker")
    except LionError as error:
        from lion_broker.cli.exits import report, wants_json

        return report(error, as_json=wants_json(words))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        # Before any command has begun; the others have their own way to end.
        return _INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
