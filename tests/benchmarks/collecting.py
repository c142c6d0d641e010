"""P5: the opponent of a round of manual mail, which is LionAGI's own exchange in the memory of one process."""

from __future__ import annotations

from .contest import Contest, Round, Sample
from .rig import Figure
from .rounds import BRANCHES, EACH

__all__ = ["collecting"]


def collecting(contest: Contest) -> list[Figure]:
    """`sync` of 100 branches with 100 mails each in their outboxes; nothing when LionAGI is not among the peers."""
    outcomes = contest.run(_collected, lambda one: one.program == "lionagi")
    work = f"the exchange's sync, {BRANCHES} branches × {EACH} mails"
    return [one.figure("P5", work, "rate", "mails/s", "the opponent, in memory") for one in outcomes]


def _collected(turn: Round) -> Sample:
    mails = BRANCHES * EACH
    with turn.cast("round", mails) as cast:
        cast.client.ask("enqueue", items=mails, bulk=True)
        cast.worker.ask("drain")
        return {"rate": mails / cast.worker.hear()["seconds"]}
