"""An answer that was waited for is received by who has waited, once, and never lost on the way."""

from lion_broker import Session
from lion_broker.core.ids import IDType
from lion_broker.mail.exchange import run
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.records import BranchSeed
from lion_broker.mail.verbs import Claim, CreateBranch, Post, ReadInbox, Release, Station
from lion_broker.mail.wire import Header, WireMail, encode_json
from lion_broker.session.mail_request import Answer, MailRequest, request_to


def answered(
    exchange: MemoryExchange, session: str, item: object, category: str = "message"
) -> tuple[MailRequest, Answer]:
    """A mail from outside to a branch that nobody serves, and an answer to it, as a worker's turn would send it."""
    exchange.call(CreateBranch(session, BranchSeed(f"far-{IDType.create()}", pool="p"), ()))
    far = Session.open(session, exchange=exchange).branches[-1].id
    note = request_to(session, far, "message", "How many?")
    run(exchange, note.send_steps())
    header = Header(session, far, session, category, in_reply_to=note.id)
    exchange.call(Post(session, str(IDType.create()), 1, (WireMail(header, encode_json({"item": item}, "message")),)))
    return note, run(exchange, note.answer_steps(30))


def inbox(exchange: MemoryExchange, session: str) -> int:
    """How many mails wait until a program receives them."""
    return len(exchange.call(ReadInbox(session, session, "0-0")))


def test_it_goes_over_into_the_history(exchange: MemoryExchange) -> None:
    """Once, however often it is taken; until then it is in the inbox, and lost to nobody who is interrupted."""
    with Session(exchange=exchange, delivery="auto") as session:
        note, answer = answered(exchange, session.id, "Four.")
        assert (answer.item, inbox(exchange, session.id), len(session.messages)) == ("Four.", 1, 0)
        assert [run(exchange, note.take_steps(answer, "ada")) for _ in range(2)] == [True, True]
        assert (inbox(exchange, session.id), [one.text for one in session.messages]) == (0, ["Four."])
        session.collect(session)
        assert len(session.messages) == 1


def test_a_program_may_be_quicker(exchange: MemoryExchange) -> None:
    """Then nothing is left to be taken, and the history has it once."""
    with Session(exchange=exchange, delivery="auto") as session:
        note, answer = answered(exchange, session.id, "Four.")
        session.collect(session)
        assert run(exchange, note.take_steps(answer, "ada"))
        assert [one.text for one in session.messages] == ["Four."]


def test_what_cannot_be_taken_stays(exchange: MemoryExchange) -> None:
    """A tool is for a program, what is no message for whoever buries it, and nobody is pushed aside."""
    with Session(exchange=exchange, delivery="auto") as session:
        for item, category in (([{"name": "search"}], "tool"), ({"role": "none"}, "message")):
            note, answer = answered(exchange, session.id, item, category)
            assert not run(exchange, note.take_steps(answer, "ada"))
        note, answer = answered(exchange, session.id, "Four.")
        held = exchange.call(Claim(session.id, session.id, "theirs", owner="another"))
        assert held.outcome is Outcome.OK
        assert not run(exchange, note.take_steps(answer, "ada"))
        assert inbox(exchange, session.id) == 3
        exchange.call(Release((Station(session.id, session.id, "theirs"),)))
        assert run(exchange, note.take_steps(answer, "ada"))
        assert (inbox(exchange, session.id), [one.text for one in session.messages]) == (2, ["Four."])
