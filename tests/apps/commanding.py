"""A nursery of programs that lead a session and are killed inside one command.

It reads lines {"command": name, "at": n, "moment": "before" | "after" | "never"} and starts a process for each, which
prepares a session, gives the command, and dies before or after its nth call to the exchange. For each it prints
{"session": id, "calls": how many were made, "code": exit code}. Forking costs a hundredth of starting anew.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lion_broker import Branch, Session
from lion_broker.broker.exchange import RedisExchange
from lion_broker.mail.verbs import Verb

NEW = "01900000-0000-7000-8000-000000000001"
MAILS = 230
ask = RedisExchange.call_all


def prepare(session: Session) -> None:
    """Have branches here and on workers, with history, and mail at every station."""
    ada, ben = session.new_branch(name="ada", system="Be kind."), session.new_branch(name="ben")
    far = session.new_branch(name="far", system="Be far.", pool="p", behaviour="echo", imodel="quote")
    gone = session.new_branch(name="gone", system="Do not stay.")
    for number in range(9):
        ada.send(ben, "message", f"ada:{number}")
        if number == 2:
            session.send()
        elif number == 5:
            session.take_outgoing(None)
    for number in range(3):
        ada.send(far, "message", f"ada:{number}")
        ada.send(gone, "message", f"ada:{number}")
    session.send(gone)
    session.flush()


def send_many(branch: Any, to: Any, session: Session) -> None:
    """Send more mails than go into one call."""
    with session.batch():
        for number in range(MAILS):
            branch.send(to, "message", f"{branch.name}:{1000 + number}")
    session.flush()


def talk(session: Session) -> None:
    """Ask a branch on workers something."""
    far = session.branches["far"]
    asyncio.run(far.communicate("What is tea?", context=["Tea is a drink."]))


def include(session: Session) -> None:
    """Make a branch that lived alone part of the session."""
    session.include_branches(Branch(name="new", system="Be kind."))


COMMANDS: dict[str, Callable[[Session], object]] = {
    "new branch here": lambda session: session.new_branch(id=NEW, name="new", system="Be kind."),
    "new branch on workers": lambda session: session.new_branch(id=NEW, name="new", system="Be kind.", pool="p"),
    "include a branch": include,
    "send from here": lambda session: send_many(session.branches["ada"], session.branches["ben"], session),
    "send from workers": lambda session: send_many(session.branches["far"], session.branches["ben"], session),
    "collect": lambda session: session.collect(),
    "take outgoing": lambda session: session.take_outgoing(None),
    "send": lambda session: session.send(),
    "round": lambda session: session.collect_send_all(receive_all=True),
    "receive": lambda session: session.branches["ben"].receive_all(),
    "split here": lambda session: session.split("ada"),
    "split on workers": lambda session: session.split("far"),
    "merge": lambda session: session.merge("ada", "gone", delete=True),
    "remove": lambda session: session.remove_branch("gone"),
    "delete a branch": lambda session: session.delete_branch("gone"),
    "change the default": lambda session: session.change_default_branch("ada"),
    "communicate": talk,
    "delete the session": lambda session: session.delete(),
}


@dataclass
class Doom:
    """When this process ends, in calls to the exchange since the command began."""

    at: int
    moment: str
    calls: int = 0
    armed: bool = False

    def call_all(self, exchange: RedisExchange, verbs: Sequence[Verb[Any]], /) -> list[Any]:
        """Ask the exchange, unless this is the end."""
        if not self.armed:
            return ask(exchange, verbs)
        self.calls += 1
        if (self.calls, self.moment) == (self.at, "before"):
            os._exit(9)
        answers = ask(exchange, verbs)
        if (self.calls, self.moment) == (self.at, "after"):
            os._exit(9)
        return answers


def lead(order: dict[str, Any], told: int) -> None:
    """Prepare a session, tell its id, give the command, tell how many calls it took."""
    doom = Doom(order["at"], order["moment"])
    RedisExchange.call_all = lambda self, verbs, /: doom.call_all(self, verbs)  # type: ignore[method-assign]
    RedisExchange.acall_all = _acall_all  # type: ignore[method-assign]
    session = Session(timeout=100)
    prepare(session)
    os.write(told, f"{session.id}\n".encode())
    doom.armed = True
    COMMANDS[order["command"]](session)
    os.write(told, f"{doom.calls}\n".encode())
    os._exit(0)


async def _acall_all(self: RedisExchange, verbs: Sequence[Verb[Any]], /, **way: Any) -> list[Any]:
    return await asyncio.to_thread(self.call_all, verbs)


def main() -> None:
    """Start a process for each order, one after the other."""
    for line in sys.stdin:
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.close(read)
            try:
                lead(json.loads(line), write)
            except BaseException as error:
                sys.stderr.write(f"{line.strip()}: {error!r}\n")
                os._exit(1)
        os.close(write)
        with os.fdopen(read) as told:
            session, *calls = told.read().split()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        answer = {"session": session, "calls": int(calls[0]) if calls else 0, "code": code}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
