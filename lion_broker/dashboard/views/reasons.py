"""Why a mail is where it is, in a sentence, and what moves it on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lion_broker.insight.pictures import Passage, WorkerPicture
from lion_broker.mail.records import BranchRecord
from lion_broker.mail.waiting import WaitsAt

from .notices import Notice

__all__ = ["reason_of"]

_BY_ROUNDS: Final = (WaitsAt.OUTBOX, WaitsAt.TRANSIT)


def reason_of(
    session: str, passage: Passage, record: BranchRecord | None, workers: Sequence[WorkerPicture]
) -> Notice | None:
    """Return why a mail has not taken effect, by where it and its branch (`record`) stand and who is at work.

    None for mail that has taken effect, and for dead mail, whose letter says why.
    """
    if passage.state in ("applied", "dead"):
        return None
    if passage.state == "gone":
        return Notice("Nothing of it is kept any more: its dead letter was dropped, or its branch removed.")
    if passage.state == "sent":
        return Notice("Only its sending was read; what became of it stands in a log that is not read here.")
    if record is None or record.state != "open":
        return Notice("Its branch is not in the session any more.")
    here = f"/sessions/{session}/branches?q={record.id}"
    if record.paused:
        return Notice(f"Its branch is paused: {record.paused}. Nothing moves until it is resumed.", "", here)
    if passage.state == "working":
        return Notice(f"{passage.owner or 'A worker'} works on it now.", "", "/workers")
    if passage.state == "retrying":
        return Notice("It has failed and is tried again; only later mail from the same sender waits meanwhile.")
    if passage.state == "delayed":
        return Notice("It is to be delivered later, as its sender has asked.")
    return _waiting(passage, record, workers, here)


def _waiting(passage: Passage, record: BranchRecord, workers: Sequence[WorkerPicture], here: str) -> Notice:
    """Why it waits, where nothing is wrong with the mail itself."""
    pool = record.seed.pool
    if passage.where in _BY_ROUNDS:
        return Notice("Mail moves by rounds in this session: it waits for the next collect and send.")
    if not pool:
        return Notice("Its branch belongs to a program, which has not received it yet.", "", here)
    if passage.where == WaitsAt.INBOX:
        return Notice("It is in the inbox: with manual delivery its session asks for the next receive.", "", here)
    running = [one for one in workers if one.pool == pool and one.state == "running"]
    if record.leased:
        return Notice(f"{record.owner} works for its branch, one mail after another.", "", here)
    if not running:
        text = f"No worker serves the pool {pool}."
        return Notice(text, f"lion-broker worker --app MODULE:NAME --pool {pool}", "/workers")
    free = sum(max(0, one.concurrency - one.active) for one in running)
    if not free:
        text = f"All places of the pool {pool} are taken: {sum(one.active for one in running):,} branches are at work."
        return Notice(text, f"lion-broker scale {pool} {len(running) * 2}", "/workers")
    return Notice(f"Its branch is next: a place of the pool {pool} is free.", "", "/workers")
