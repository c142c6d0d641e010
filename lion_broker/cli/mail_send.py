"""`mail send`: a word to a running session, and the answer if it is waited for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from . import completion
from .auditing import note, who
from .exits import in_time
from .options import AsJson, Namespace, Url, exchange_at
from .printing import print_json
from .session_lookup import One, session_id

if TYPE_CHECKING:
    from lion_broker.mail.exchange import Exchange
    from lion_broker.session.mail_request import Answer, MailRequest

__all__ = ["said_in", "send"]

_NOTED: Final = 200
"""So much of what is said stands in the audit."""


def send(
    session: One,
    branch: Annotated[
        str,
        typer.Argument(metavar="BRANCH", help="The id or the name of a branch.", autocompletion=completion.branches),
    ],
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="What is said, or the name of a tool or model; - reads stdin.")
    ],
    category: Annotated[
        Literal["message", "tool", "imodel"], typer.Option(help="What the text is: said, or a name of the registry.")
    ] = "message",
    wait: Annotated[
        float | None,
        typer.Option(min=0.1, max=86_400, metavar="SECONDS", help="Wait so long for the answer, and print it."),
    ] = None,
    as_user: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who has asked: the behaviour finds it as mail.package.request_source."),
    ] = None,
    url: Url = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Send a mail into a session, from the session itself.

    Where mail moves by hand it is delivered at once, with what else waits for the branch. With --wait the first mail
    that is sent back while it is handled goes to stdout, and then into the session's own history: it is received. A
    tool or model stays in the session's inbox, for a program that has the session open. Exit code 7 when nothing comes
    back in time, 1 when the mail becomes a dead letter, 4 for an unknown session or branch.
    Example: lion-broker mail send desk reader "How many words?" --wait 30
    """
    from lion_broker.mail.exchange import run
    from lion_broker.session.mail_request import request_to
    from lion_broker.session.session import Session as Sessions

    said = sys.stdin.read().removesuffix("\n") if text == "-" else text
    with in_time(as_json), exchange_at(url, namespace) as exchange:
        found = session_id(exchange, session)
        home = Sessions.open(found, exchange=exchange).locate(branch)
        mail = request_to(found, home, category, said, as_user)
        note(exchange, "send mail", f"branch {home}", f"session {found}, {category} {mail.id}: {said[:_NOTED]}")
        run(exchange, mail.send_steps(awaited=wait is not None))
        if wait is None:
            _tell(mail.id, home, None, as_json)
            return
        if not as_json:
            typer.echo(f"Sent {mail.id}; waiting for what comes back.", err=True)
        answer = run(exchange, mail.answer_steps(wait))
        _tell(mail.id, home, answer, as_json)
        # Afterwards: who is interrupted in between has lost nothing, for it is still in the inbox.
        _take(exchange, mail, answer)


def _take(exchange: Exchange, mail: MailRequest, answer: Answer) -> None:
    """Receive the answer; it was printed already, so that it cannot be is no error."""
    from lion_broker.errors import BrokerError
    from lion_broker.mail.exchange import run

    try:
        run(exchange, mail.take_steps(answer, who()))
    except BrokerError as error:
        typer.echo(f"The answer stays in the session's inbox, until a program receives it: {error}", err=True)


def _tell(mail: str, branch: str, answer: Answer | None, as_json: bool) -> None:
    if as_json:
        shown = answer and {"mail": answer.mail, "from": answer.sender, "category": answer.category}
        print_json({"mail": mail, "branch": branch, "answer": answer and {**(shown or {}), "item": answer.item}})
    elif answer is None:
        typer.echo(f"Sent {mail} to {branch}.")
    else:
        typer.echo(said_in(answer.item))


def said_in(item: Any) -> str:
    """Return what a person reads of an item: the text of a message, else JSON."""
    from pydantic_core import to_json

    from lion_broker.messages.written import message_of

    if isinstance(item, dict) and "role" in item and isinstance(item.get("metadata"), dict):
        return message_of({**item, "metadata": {**item["metadata"]}}).text
    return item if isinstance(item, str) else to_json(item).decode()
