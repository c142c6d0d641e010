"""What can be asked of an exchange, one frozen value a verb.

A verb says what is wanted; an exchange does it, whole or not at all, and answers with the type in brackets. Every verb
may be repeated with the same values after a lost answer: it takes effect once. The promises of each are those that
`tests/conformance` checks on every implementation.
"""

from .archive import IMPORTING, Restore
from .audit import ReadAudit, WriteAudit
from .delivery import Collect, Drop, Exhume, Post, Receive, Send, Withdraw
from .deployment import (
    CountMail,
    Enrol,
    OrderWorkers,
    PausePool,
    ReadBudgets,
    ReadDue,
    ReadPools,
    ReadWorkers,
    ResumePool,
    SetWanted,
    Tidy,
)
from .outside import Cancel, Reserve, Say, Settle, Step
from .reads import (
    AwaitReply,
    DropReplies,
    ListSessions,
    Progress,
    ReadBranches,
    ReadCancelled,
    ReadDead,
    ReadEvents,
    ReadInbox,
    ReadLog,
    ReadReady,
    ReadSession,
    ReadWaiting,
)
from .roster import CloseBranch, CreateBranch, CreateSession, DeleteSession, UpdateSession
from .turns import Claim, Commit, Dispatch, Pause, Promote, Release, Renew, Resume, Station, Sweep
from .verb import Verb

__all__ = [
    "IMPORTING",
    "AwaitReply",
    "Cancel",
    "Claim",
    "CloseBranch",
    "Collect",
    "Commit",
    "CountMail",
    "CreateBranch",
    "CreateSession",
    "DeleteSession",
    "Dispatch",
    "Drop",
    "DropReplies",
    "Enrol",
    "Exhume",
    "ListSessions",
    "OrderWorkers",
    "Pause",
    "PausePool",
    "Post",
    "Progress",
    "Promote",
    "ReadAudit",
    "ReadBranches",
    "ReadBudgets",
    "ReadCancelled",
    "ReadDead",
    "ReadDue",
    "ReadEvents",
    "ReadInbox",
    "ReadLog",
    "ReadPools",
    "ReadReady",
    "ReadSession",
    "ReadWaiting",
    "ReadWorkers",
    "Receive",
    "Release",
    "Renew",
    "Reserve",
    "Restore",
    "Resume",
    "ResumePool",
    "Say",
    "Send",
    "SetWanted",
    "Settle",
    "Station",
    "Step",
    "Sweep",
    "Tidy",
    "UpdateSession",
    "Verb",
    "Withdraw",
    "WriteAudit",
]
