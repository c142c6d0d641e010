"""What there is to see of a desk: who is where, what was done, and the latest happenings."""

import time

from lion_broker.demo.picture import COORDINATOR, Picture
from lion_broker.mail.records import START, BranchRecord, BranchSeed, Occurrence

WORKERS = {"host:1:a": "worker 1", "host:2:b": "worker 2"}


def record(branch: str, name: str = "", pool: str = "p", owner: str = "", leased: bool = False) -> BranchRecord:
    """Where a branch stands."""
    seed = BranchSeed(branch, name, pool)
    return BranchRecord(seed, "open", owner, leased, START, version=1, waiting=0, inbox=0, outbox=0)


def turn(branch: str, owner: str, handled: int = 1, sent: int = 0) -> Occurrence:
    """A turn that was committed."""
    return Occurrence("1-0", "turn", {"branch": branch, "owner": owner, "handled": str(handled), "sent": str(sent)})


def picture() -> Picture:
    """A picture of a coordinator and a reader, before anything has happened."""
    made = Picture(lambda owner: WORKERS.get(owner, ""), lambda branch: f"{branch} spoke", time.monotonic())
    made.place([record("c", pool=""), record("r", "reader-1")])
    return made


def test_a_branch_at_work_shows_its_worker() -> None:
    """While a turn goes on its worker is known; after it, the last one stays."""
    seen = picture()
    seen.place([record("r", "reader-1", owner="host:1:a", leased=True)])
    assert (seen.rows["r"].worker, seen.rows["r"].at_work) == ("worker 1", True)
    seen.place([record("r", "reader-1")])
    assert (seen.rows["r"].worker, seen.rows["r"].at_work) == ("worker 1", False)


def test_turns_are_added_up() -> None:
    """Mails in and out are counted by branch, and the last thing that it logged is shown."""
    seen = picture()
    seen.note(turn("r", "host:1:a", handled=2, sent=1))
    seen.note(turn("r", "host:2:b", handled=1, sent=3))
    row = seen.rows["r"]
    assert (row.turns, row.taken, row.sent, row.latest) == (2, 3, 4, "r spoke")
    assert [line.partition("s  ")[2] for line in seen.lines] == [
        "reader-1 (worker 1): r spoke",
        "reader-1 (worker 2): r spoke",
    ]


def test_the_coordinator_is_no_news() -> None:
    """It is counted, and named, but what it does is the user's own doing."""
    seen = picture()
    seen.note(turn("c", "host:9"))
    assert (seen.rows["c"].name, seen.rows["c"].turns) == (COORDINATOR, 1)
    assert not seen.lines


def test_other_happenings_are_passed_over() -> None:
    """Unknown kinds and unknown branches change nothing."""
    seen = picture()
    seen.note(Occurrence("1-0", "something", {"branch": "r"}))
    seen.note(turn("unknown", "host:1:a"))
    assert not seen.lines
