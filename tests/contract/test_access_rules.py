"""The ACL rules name every command that the package sends, and no other."""

import re
from pathlib import Path

import lion_broker
from lion_broker.broker.acl import COMMANDS, Role

BROKER = Path(lion_broker.__file__).parent / "broker"
CALLED = re.compile(r"redis\.p?call\(\s*'([A-Z]+)'(?:, '([A-Z]+)')?")
SENT = re.compile(r"\(\s*\"(FCALL|FUNCTION|[A-Z]*GET[A-Z]*|[HSXZ][A-Z]+|INFO|CONFIG|TIME|WAIT|GET|TYPE)\",")
PARENTS = {"XGROUP", "XINFO", "CONFIG", "FUNCTION", "CLIENT"}
LOCAL = {"server", "embedded.py", "raw_connection.py", "acl.py", "asyncapi.py"}
"""Files that speak to the embedded server only, as whoever sets a server up, or not at all."""


def called() -> set[str]:
    """The commands that the functions call; what counts the items of a key does so by name."""
    text = "\n".join(path.read_text() for path in sorted(BROKER.glob("lua/*.lua")))
    found = {first + (f"|{second}" if first in PARENTS else "") for first, second in CALLED.findall(text)}
    counts = re.search(r"COUNTS = \{(stream.*)\}", text)
    assert counts is not None
    return {name.lower() for name in found | set(re.findall(r"'([A-Z]+)'", counts[1]))}


def sent() -> set[str]:
    """The commands that Python sends itself, without those of the doctor, which only tries what others need."""
    files = [path for path in BROKER.rglob("*.py") if not LOCAL & {path.name, path.parent.name}]
    return {name.lower() for path in files for name in SENT.findall(path.read_text()) if name not in PARENTS}


def test_nothing_is_missing() -> None:
    """A worker may call all that the functions call, and send what the package sends."""
    allowed = set(COMMANDS[Role.WORKER])
    assert called() - allowed == set()
    assert sent() - allowed == set()


def test_nothing_is_too_much() -> None:
    """What nobody sends or calls is not allowed, but for what a connection begins with."""
    greeting = {"ping", "select", "hello", "config|get"}
    assert set(COMMANDS[Role.WORKER]) - called() - sent() - greeting == set()


def test_who_looks_writes_nothing() -> None:
    """The dashboard's role has no command that changes a key."""
    assert set(COMMANDS[Role.DASHBOARD]) < set(COMMANDS[Role.CLIENT]) < set(COMMANDS[Role.WORKER])
    assert not {
        name for name in COMMANDS[Role.DASHBOARD] if re.match(r"hset|hdel|x(add|del|trim)|z(add|rem)|set", name)
    }
