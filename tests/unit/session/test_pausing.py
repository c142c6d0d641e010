"""Many branches pause and go on with one act, in bounded pieces."""

from lion_broker import Session
from lion_broker.mail.exchange import run
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.verbs import ReadAudit
from lion_broker.session.pausing import BranchSelection, any_steps, pause_steps, resume_steps


def test_a_piece_says_that_there_is_more(exchange: MemoryExchange) -> None:
    """Asked again it goes on with those that are left, until nothing is; each time somebody did it is written down."""
    selection = BranchSelection(pool="p")
    with Session(exchange=exchange) as session:
        for _ in range(5):
            session.new_branch(pool="p")
        pieces = [run(exchange, pause_steps(selection, "too dear", "ada", most=2)) for _ in range(4)]
        assert [(len(one.done), len(one.left), one.more) for one in pieces] == [
            (2, 0, True),
            (2, 2, True),
            (1, 4, False),
            (0, 5, False),
        ]
        resumed = run(exchange, resume_steps(selection, "ada"))
        assert (len(resumed.done), resumed.left) == (5, {})
        assert [one.what for one in exchange.call(ReadAudit())] == ["resume pool", *["pause pool"] * 3]


def test_more_branches_than_are_read_at_once(exchange: MemoryExchange) -> None:
    """Page after page of each session; branches of programs and of other pools are none of them."""
    with Session(exchange=exchange) as first, Session(exchange=exchange) as second:
        many = [first.new_branch(pool="p").id for _ in range(201)]
        one = second.new_branch(pool="p").id
        second.new_branch(pool="q")
        second.new_branch(name="local")
        done = run(exchange, pause_steps(BranchSelection(pool="p"), "", "ada")).done
        assert done == dict.fromkeys([*((first.id, each) for each in many), (second.id, one)], "pool p: paused by ada")
        of_second = run(exchange, pause_steps(BranchSelection(second.id), "late", "ada"))
        assert list(of_second.done.values()) == ["late"]
        assert of_second.left == {(second.id, one): "pool p: paused by ada"}


def test_a_paused_pool_is_paused_for_what_comes_later(exchange: MemoryExchange) -> None:
    """A branch that is made for it, a fork, and no longer when it was resumed; of one session only those there are."""
    selection = BranchSelection(pool="p")
    with Session(exchange=exchange) as session:
        first = session.new_branch(name="first", pool="p")
        assert run(exchange, pause_steps(BranchSelection(session.id, "p"), "", "ada")).done
        assert session.new_branch(pool="p").record.paused == ""
        run(exchange, pause_steps(selection, "no model", "ada"))
        with session.fork() as fork:
            assert [one.record.paused for one in fork.branches if one.id != fork.default_branch.id] == [
                "pool p: no model",
                "pool p: no model",
            ]
            assert session.new_branch(pool="p").record.paused == "pool p: no model"
            run(exchange, resume_steps(selection, "ada"))
            assert {one.record.paused for one in fork.branches if one.name == "first"} == {""}
        assert (first.record.paused, session.new_branch(pool="p").record.paused) == ("", "")


def test_whether_a_pool_has_any_branch(exchange: MemoryExchange) -> None:
    """In any session, or in one."""
    with Session(exchange=exchange) as first, Session(exchange=exchange) as second:
        second.new_branch(pool="p")
        asked = (
            BranchSelection(pool="p"),
            BranchSelection(second.id, "p"),
            BranchSelection(first.id, "p"),
            BranchSelection(pool="q"),
        )
        assert [run(exchange, any_steps(one)) for one in asked] == [True, True, False, False]
