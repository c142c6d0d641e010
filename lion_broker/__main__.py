"""The command `lion-broker`, and `python -m lion_broker`."""

import sys

from lion_broker.errors import LionError

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run the command line with `argv` (None: the program's arguments); returns the exit code, see `cli.exits.Code`.

    An error is said in one sentence on stderr, and with `--json` as an object on stdout too.
    """
    from lion_broker.cli.application import application
    from lion_broker.cli.exits import report, wants_json

    try:
        application()(args=argv, prog_name="lion-broker")
    except LionError as error:
        return report(error, as_json=wants_json(sys.argv if argv is None else argv))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
