"""What each path of the dashboard is for whoever calls it from a program: the pages, the acts and the rest.

A test compares this with the routes that there are, and answers with the tables that are named here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lion_broker.insight.prices import Prices
from lion_broker.insight.views import Flow, Lanes

from .routes.audit import COLUMNS as AUDIT_COLUMNS
from .routes.dead_groups import COLUMNS as GROUP_COLUMNS
from .routes.find import COLUMNS as FOUND_COLUMNS
from .tables import Empty, Table
from .views.conversation import said_table
from .views.deployment import pool_table, worker_table
from .views.flow import flow_table
from .views.lanes import mail_table
from .views.letters import letter_table
from .views.limits import limit_table, wait_table
from .views.models import model_table, spend_table, tool_table
from .views.sessions import branch_table, session_table
from .views.waterfall import span_table

__all__ = ["ACTS", "PAGES", "PARAMETERS", "ActPath", "PagePath"]

_NOTHING: Final = Empty("")
_SORTED: Final = ("sort", "order")
_PAGED: Final = (*_SORTED, "size", "start")
TEXT: Final = {"type": "string"}
NUMBER: Final = {"type": "number"}


@dataclass(frozen=True, slots=True)
class PagePath:
    """A page: its path, what it answers, its tables, and which parameters choose among the rows.

    `values` are schemas of what JSON has beside the tables. A page with `alternative` answers with that table instead
    when the parameter that is named first is given.
    """

    path: str
    name: str
    summary: str
    tables: tuple[Table, ...]
    asks: tuple[str, ...] = ()
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    alternative: tuple[str, Table] | None = None


@dataclass(frozen=True, slots=True)
class ActPath:
    """An act: its path, what it does, the fields of its form with what they are, and those that must be there."""

    path: str
    name: str
    summary: str
    word: str
    fields: Mapping[str, str]
    needed: tuple[str, ...] = ()


def _table(name: str, columns: Callable[[], Table] | tuple[Any, ...]) -> Table:
    return replace(columns(), name=name) if callable(columns) else Table(name, name, columns, (), _NOTHING)


_SESSIONS: Final = session_table(())
_BRANCHES: Final = branch_table("", ())
_MAILS: Final = mail_table("", Lanes({}, ()))
_LETTERS: Final = letter_table((), {})
_WINDOW: Final = ("from", "to")

PAGES: Final[tuple[PagePath, ...]] = (
    PagePath(
        "/",
        "overview",
        "Figures of the namespace, what needs somebody, and the newest sessions",
        (_SESSIONS,),
        values={
            "needs": {"type": "array", "items": TEXT, "description": "What needs somebody, the worst first."},
            "beat": {"$ref": "#/components/schemas/Beat"},
            "exchange": {**TEXT, "description": "The exchange's URL, without a password."},
            "profile": {**TEXT, "description": "Its durability profile."},
        },
    ),
    PagePath("/sessions", "sessions", "Sessions, newest first", (_SESSIONS,), ("q", "with", *_PAGED)),
    PagePath("/sessions/{session}", "flow", "Who mails whom in a session", (flow_table(Flow({}, ())),), _PAGED),
    PagePath(
        "/sessions/{session}/lanes",
        "lanes",
        "Mail of a session by time: the newest, or what was on its way within a window",
        (_MAILS,),
        ("branch", "before", *_WINDOW, *_SORTED, "size"),
    ),
    PagePath(
        "/sessions/{session}/trace",
        "mails",
        "Mails of a session, newest first; with `mail` the spans of that one and of what it led to",
        (_MAILS,),
        ("mail", "state", "branch", "q", "before", *_WINDOW, *_PAGED),
        alternative=("mail", span_table(None, {})),
    ),
    PagePath(
        "/sessions/{session}/conversation",
        "conversation",
        "What was said in a session, by one branch or all of them",
        (said_table((), {}, "", _NOTHING),),
        ("branch", "before"),
    ),
    PagePath(
        "/sessions/{session}/branches",
        "branches",
        "Where the branches of a session stand",
        (_BRANCHES,),
        ("state", "q", *_PAGED),
    ),
    PagePath(
        "/mailboxes",
        "mailboxes",
        "Branches of all sessions, newest session first",
        (_table("mailboxes", lambda: branch_table("", (), of={})),),
        ("state", "q", "at", *_PAGED),
    ),
    PagePath(
        "/dead",
        "deadLetters",
        "Dead letters",
        (_LETTERS,),
        ("session", "reason", "branch", "group", "q", "after", *_PAGED),
    ),
    PagePath(
        "/dead/groups",
        "deadLetterGroups",
        "Dead letters by what they died of, the largest group first",
        (_table("groups", GROUP_COLUMNS),),
        ("session", "reason", *_PAGED),
    ),
    PagePath(
        "/dead/{session}/{letter}",
        "deadLetter",
        "One dead letter",
        (_LETTERS,),
        values={"letter": {"type": "object", "description": "What is known of it, by title."}},
    ),
    PagePath(
        "/workers",
        "workers",
        "Workers, and pools with what waits there",
        (worker_table(()), pool_table(())),
        ("state", "q", *_PAGED),
    ),
    PagePath(
        "/models",
        "models",
        "Limits, calls and spend of models, in the newest sessions or in one",
        (model_table(()), spend_table({}, Prices()), tool_table(()), limit_table(()), wait_table((), {})),
        ("session", *_SORTED),
        values={
            "held_by_limits": {"type": "integer"},
            "held_seconds": NUMBER,
            "without_price": {"type": "array", "items": TEXT},
        },
    ),
    PagePath(
        "/audit",
        "audit",
        "What people have changed, newest first",
        (_table("audit", AUDIT_COLUMNS),),
        ("q", "before", *_PAGED),
    ),
    PagePath("/find", "find", "What has a name, an id or words", (_table("found", FOUND_COLUMNS),), ("q",)),
)

_KEY: Final = "SESSION/LETTER; may come several times."
_LETTERS_MEANT: Final = {
    "key": _KEY,
    "scope": "`matching`: all letters that session, reason, branch and group choose, instead of those in `key`.",
    "session": "With `matching`: only of this session.",
    "reason": "With `matching`: only with this reason.",
    "branch": "With `matching`: only of this branch.",
    "group": "With `matching`: only of this group, as `/dead/groups` names it.",
    "q": "With `matching`: only with these words in the beginning of what it says, its error or its id.",
    "until": "With `matching`: only up to this letter.",
}

_WHY: Final = "Why, for the letters and the audit; at most 500 characters."

ACTS: Final[tuple[ActPath, ...]] = (
    ActPath("/dead/retry", "retryDeadLetters", "Send dead letters again", "retried", _LETTERS_MEANT),
    ActPath("/dead/drop", "dropDeadLetters", "Remove dead letters for good", "dropped", _LETTERS_MEANT),
    ActPath(
        "/dead/{session}/{letter}/edit",
        "editDeadLetter",
        "Send another item instead of what a letter holds, in a new mail",
        "edited",
        {"item": "The words of a message, or the JSON of another item."},
        ("item",),
    ),
    ActPath(
        "/sessions/{session}/pause",
        "pauseSession",
        "Have all branches of a session that live on workers take no more turns",
        "paused",
        {"reason": "Why, for others to see; at most 200 characters."},
    ),
    ActPath(
        "/pools/pause",
        "pausePool",
        "Have all branches of a pool take no more turns, whichever sessions they are of, and those made later",
        "paused",
        {"pool": "The pool.", "reason": "Why, for others to see; at most 200 characters."},
        ("pool",),
    ),
    ActPath(
        "/pools/resume",
        "resumePool",
        "Let branches take turns again that were paused with their pool, and those made later",
        "resumed",
        {"pool": "The pool."},
        ("pool",),
    ),
    ActPath("/sessions/{session}/resume", "resumeSession", "Let all of them take turns again", "resumed", {}),
    ActPath(
        "/sessions/{session}/branches/{branch}/pause",
        "pauseBranch",
        "Have a branch take no more turns",
        "paused",
        {"reason": "Why, for others to see; at most 200 characters."},
    ),
    ActPath("/sessions/{session}/branches/{branch}/resume", "resumeBranch", "Let it take turns again", "resumed", {}),
    ActPath(
        "/sessions/{session}/branches/{branch}/withdraw",
        "withdrawMailOfBranch",
        "Make all mail that waits for a branch dead letters",
        "withdrawn",
        {"reason": _WHY},
    ),
    ActPath(
        "/sessions/{session}/mail/{mail}/withdraw",
        "withdrawMail",
        "Make a mail that waits a dead letter",
        "withdrawn",
        {"reason": _WHY},
    ),
    ActPath(
        "/sessions/{session}/branches/{branch}/stop",
        "stopBranch",
        "Make the mail that a branch is at a dead letter",
        "stopped",
        {"reason": _WHY},
    ),
    ActPath(
        "/sessions/{session}/mail/{mail}/stop",
        "stopMail",
        "Make a mail that a worker is at a dead letter",
        "stopped",
        {"reason": _WHY},
    ),
    ActPath(
        "/sessions/{session}/branches/{branch}/send",
        "sendMail",
        "Send a mail to a branch, from the session itself",
        "sent",
        {
            "text": "What is said, or the name of a tool or model.",
            "category": "What the text is: `message` (default), `tool` or `imodel`.",
        },
        ("text",),
    ),
    ActPath("/workers/drain", "drainWorker", "Have a worker end", "draining", {"owner": "The worker."}, ("owner",)),
    ActPath(
        "/workers/forget",
        "forgetWorker",
        "Take a lost worker, or all, off the list",
        "forgotten",
        {"owner": "The worker.", "scope": "`all`: instead of a worker, all that were lost or have stopped."},
    ),
    ActPath("/pools/drain", "drainPool", "Have a pool's workers end", "draining", {"pool": "The pool."}, ("pool",)),
    ActPath(
        "/pools/scale",
        "scalePool",
        "Say how many workers a pool is to have",
        "scaled",
        {"pool": "The pool.", "wanted": "0 to 1,000; empty: no number any more."},
        ("pool",),
    ),
)

PARAMETERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "sort": {
        "schema": TEXT,
        "description": "The column by which rows stand in order; `TABLE.COLUMN` on a page of several.",
    },
    "order": {
        "schema": {"type": "string", "enum": ["asc", "desc"]},
        "description": "Without it, numbers and times fall, texts rise.",
    },
    "size": {"schema": {"type": "integer", "minimum": 1, "maximum": 1000}, "description": "How many rows a page has."},
    "start": {"schema": {"type": "integer", "minimum": 0}, "description": "The row to go on from."},
    "at": {"schema": TEXT, "description": "The session to go on from; `next` has it."},
    "before": {"schema": TEXT, "description": "Only what is older than this; `next` has it."},
    "after": {"schema": TEXT, "description": "Only what comes after this; `next` has it."},
    "q": {
        "schema": {"type": "string", "maxLength": 200},
        "description": "Words that must be in a name, an id or another text of a row.",
    },
    "with": {
        "schema": {"type": "string", "enum": ["waiting", "dead", "redelivered"]},
        "description": "What sessions must have.",
    },
    "state": {"schema": TEXT, "description": "Only what is in this state."},
    "session": {"schema": TEXT, "description": "Only of the session with this id."},
    "branch": {"schema": TEXT, "description": "Only of the branch with this id, of mails also by its name."},
    "reason": {"schema": TEXT, "description": "Only with this reason."},
    "group": {"schema": TEXT, "description": "Only of this group, as `/dead/groups` names it."},
    "mail": {"schema": TEXT, "description": "The id of the mail to follow."},
    "from": {
        "schema": NUMBER,
        "description": "Where a window of time begins, in seconds since the epoch; in a trace, after its beginning.",
    },
    "to": {
        "schema": NUMBER,
        "description": "Where the window ends; one needs the other.",
    },
    "table": {"schema": TEXT, "description": "In CSV: which table of a page that has several; the first without it."},
}
