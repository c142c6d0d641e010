"""What a session does with branches, as programs over the exchange."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypeVar

from lion_broker.branch.branch import Branch
from lion_broker.branch.contents import equip
from lion_broker.branch.directory import gone
from lion_broker.branch.merging import unite
from lion_broker.config import Settings
from lion_broker.core.ids import IDType
from lion_broker.core.pile import MISSING, Pile
from lion_broker.errors import BranchClosed, BranchOwned, ConfigError, ItemExistsError, ItemNotFoundError, ToolUnknown
from lion_broker.mail.exchange import Exchange, Steps, ask
from lion_broker.mail.outcome import Outcome
from lion_broker.mail.verbs import CloseBranch, Pause, Resume, UpdateSession, Verb
from lion_broker.messages.copies import Copies
from lion_broker.tools.tool import Tool

from .remote import RemoteBranch
from .state import Limits, SessionState

if TYPE_CHECKING:
    from .lifecycle import SessionLifecycle as Session

S = TypeVar("S", bound="Session")

__all__ = [
    "create_steps",
    "default_steps",
    "delete_steps",
    "get_steps",
    "include_steps",
    "merge_steps",
    "new_steps",
    "open_steps",
    "pause_steps",
    "remove_steps",
    "resume_steps",
    "split_steps",
]

_CONFIG = frozenset({"pool", "behaviour", "metadata", "chat_model", "parse_model", "id"})
_NAMED = frozenset(
    {"system", "system_sender", "system_datetime", "imodel", "messages", "progress", "tool_manager", "tools"}
)
"""Further keywords of `new_branch`, beside the fields of a Branch: settings of the session's, arguments of Branch."""


def create_steps(session: Session, limits: Limits) -> Steps[None]:
    """Create the session with its first branch."""
    yield from session._state.create_steps(
        limits,
        {
            "user": session.user,
            "name": session.name,
            "metadata": session.metadata,
            "created_at": session.created_at,
        },
    )
    yield from new_steps(session, {"name": None})


def open_steps(
    kind: type[S], exchange: Exchange, session_id: IDType, host: bool, owns: bool, options: dict[str, Any]
) -> Steps[S]:
    """Take up a session that exists."""
    record = yield from SessionState.read_steps(session_id)
    fields = SessionState.fields_of(record)
    pool = options.pop("pool", None)
    if odd := options.keys() - {"registry", "timeout"}:
        raise ConfigError(f"Session.open does not know {', '.join(sorted(odd))}; it takes registry, timeout and pool.")
    lease_ms = int(Settings.load().lease * 1000)
    delivery = record.fields["delivery"]
    state = SessionState(exchange, session_id, delivery=delivery, lease_ms=lease_ms, owns_exchange=owns, **options)
    yield from state.open_steps(host, record.branches)
    default = fields.pop("default_branch", None)
    if default:
        yield from state.look_up_steps(IDType(default))
    fields.update(id=session_id, pool=pool, opened=state)
    session = kind(**fields)
    session._default = state.found.get(default, None) if default else None
    return session


def new_steps(session: Session, given: dict[str, Any]) -> Steps[Any]:
    """Create a branch here or on workers; the first one becomes the default."""
    known = _CONFIG | Branch.model_fields.keys() | _NAMED
    if odd := given.keys() - known:
        raise ConfigError(f"new_branch does not know {', '.join(sorted(odd))}; it takes {', '.join(sorted(known))}.")
    given = {name: value for name, value in given.items() if value is not None}
    if "imodel" in given and "chat_model" in given:
        raise ConfigError("imodel and chat_model are two names of one thing; give one of them.")
    pool = given.pop("pool", session._pool)
    behaviour = given.pop("behaviour", "")
    given.setdefault("user", session.user)
    branch: Any
    if pool:
        branch = yield from _new_remote(session, given, pool, behaviour)
    elif behaviour:
        raise ConfigError("A behaviour runs on workers: name the pool of the branch as well (pool='default').")
    else:
        branch = Branch(**{**given, "tools": _resolve(session, given)})
        yield from session._state.add_steps(branch)
    if session._default is None:
        yield from _set_default(session, branch)
    return branch


def _new_remote(session: Session, given: dict[str, Any], pool: str, behaviour: str) -> Steps[RemoteBranch]:
    manager = given.pop("tool_manager", None)
    tools = given.pop("tools", None) or []
    tools = list(tools) if isinstance(tools, (list, tuple, set, frozenset)) else [tools]
    tools += list(manager.registry.values()) if manager is not None else []
    models = {
        "chat": given.pop("imodel", None) or given.pop("chat_model", None),
        "parse": given.pop("parse_model", None),
    }
    given.pop("chat_model", None)
    metadata = given.pop("metadata", None)
    likeness = Branch(**given)
    return (yield from session._state.create_remote_steps(likeness, pool, behaviour, tools, models, metadata))


def pause_steps(session: Session, ref: Any, reason: str) -> Steps[bool]:
    """Have a branch take no more turns; answers whether it took some before."""
    if not str(reason).strip():
        raise ConfigError("A pause needs a reason, so that others know why the branch does nothing.")
    return (yield from _switch_steps(session, ref, lambda branch: Pause(session.id, branch, reason)))


def resume_steps(session: Session, ref: Any) -> Steps[bool]:
    """Let a branch take turns again; answers whether it was paused."""
    return (yield from _switch_steps(session, ref, lambda branch: Resume(session.id, branch)))


def _switch_steps(session: Session, ref: Any, verb_of: Callable[[IDType], Verb[Outcome]]) -> Steps[bool]:
    branch = yield from session._state.find_steps(ref)
    if not getattr(branch, "pool", None):
        raise ConfigError(
            f"{branch.name or branch.id} lives in a process, not on workers: only its own program stops it."
        )
    outcome = yield from ask(verb_of(branch.id))
    if outcome == Outcome.UNKNOWN:
        raise gone(session.id)
    if outcome == Outcome.CLOSED:
        raise BranchClosed(f"The branch {branch.name or branch.id} was removed.")
    return outcome == Outcome.OK


def include_steps(session: Session, branches: Any) -> Steps[None]:
    """Make branches that live alone part of the session."""
    many = list(branches) if isinstance(branches, (list, tuple, set, frozenset, Pile)) else [branches]
    for branch in many:
        if not isinstance(branch, (Branch, RemoteBranch)):
            raise ValueError(f"A session includes branches, not {type(branch).__name__}.")
        if branch in session._state.found:
            continue
        if isinstance(branch, RemoteBranch) or branch._host is not None:
            raise ItemExistsError(
                f"The branch {branch.name or branch.id} belongs to another session; a clone() of it can be included."
            )
        yield from session._state.add_steps(branch)


def get_steps(session: Session, ref: Any, default: Any) -> Steps[Any]:
    """Find a branch; None means the default one, and an unknown one is `default` when that is given."""
    try:
        if ref is None and session._default is None:
            raise ItemNotFoundError("The session has no default branch; name one, or make it with new_branch().")
        return (yield from session._state.find_steps(session._default if ref is None else ref))
    except ItemNotFoundError:
        if default is MISSING:
            raise
        return default


def split_steps(session: Session, ref: Any) -> Steps[Any]:
    """Create a branch that begins as a copy of another."""
    source = yield from session._state.find_steps(ref)
    if isinstance(source, RemoteBranch) and source.pool:
        return (yield from session._state.copy_steps(source, session.id))
    if isinstance(source, RemoteBranch):
        return (yield from session._state.add_steps((yield from _copy_here(session, source))))
    yield from session._state.local_branches.flush_steps()
    clone = source.clone(sender=session.id)
    return (yield from session._state.add_steps(clone, copied_from=source))


def _copy_here(session: Session, source: RemoteBranch) -> Steps[Branch]:
    """A branch of this process that begins as a copy of one that another process hosts."""
    yield from source.chronicle.read_steps()
    clone = Branch(user=source.user, metadata={"clone_from": str(source.id)})
    equip(clone, source.chronicle, session._state.context.registry)
    clone.msgs.begin_with(Copies(source.chronicle.msgs.messages, session.id, clone.id))
    return clone


def merge_steps(session: Session, into: Any, from_: Any, delete: bool) -> Steps[Any]:
    """Unite two branches in the first."""
    state = session._state
    target, source = (yield from state.find_steps(into)), (yield from state.find_steps(from_))
    if not isinstance(target, Branch):
        raise BranchOwned(f"{target.name or target.id} does not live in this process; merge into a branch that does.")
    if target.id == source.id:
        raise ValueError("A branch cannot be merged into itself.")
    if isinstance(source, RemoteBranch):
        yield from source.chronicle.read_steps()
        # Its tools and models come as far as this session's registry knows them.
        bearer = Branch()
        equip(bearer, source.chronicle, state.context.registry)
        unite(target, source.id, source.chronicle.msgs, bearer.tools, bearer.mdls.registry)
    else:
        unite(target, source.id, source.msgs, source.tools, source.mdls.registry)
    yield from state.local_branches.flush_steps()
    if delete:
        yield from remove_steps(session, source.id, True)
    return target


def delete_steps(session: Session, ref: Any) -> Steps[bool]:
    """Remove a branch with its history, but not the default one."""
    branch = yield from session._state.find_steps(ref)
    if branch is session._default:
        raise ConfigError("The default branch cannot be deleted; make another one the default first.")
    yield from remove_steps(session, branch.id, True)
    return True


def remove_steps(session: Session, ref: Any, delete: bool) -> Steps[None]:
    """Remove a branch; the oldest one left becomes the default if it was that."""
    branch = yield from session._state.find_steps(ref)
    state = session._state
    yield from state.local_branches.flush_steps()
    token = state.local_branches.token_of(branch.id)
    outcome = yield from ask(CloseBranch(session.id, branch.id, token, delete, nonce=token_hex(8)))
    if outcome == Outcome.HELD:
        raise BranchOwned(f"The branch {branch.name or branch.id} is hosted by another process; remove it there.")
    if outcome == Outcome.UNKNOWN:
        # A branch that was removed is known for ever, by its session.
        raise gone(session.id)
    state.local_branches.leave(branch.id, "it was removed from its session")
    state.context.directory.forget(branch.id)
    state.found.exclude(branch)
    if outcome == Outcome.CLOSED:
        raise ItemNotFoundError(f"The branch {branch.name or branch.id} had been removed before.")
    if session._default is branch:
        yield from state.read_all_steps()
        yield from _set_default(session, state.found[0] if state.found else None)


def default_steps(session: Session, ref: Any) -> Steps[None]:
    """Make a branch the default one."""
    yield from _set_default(session, (yield from session._state.find_steps(ref)))


def _set_default(session: Session, branch: Any) -> Steps[None]:
    value = f'"{branch.id}"' if branch is not None else "null"
    if (yield from ask(UpdateSession(session.id, {"default_branch": value}))) == Outcome.UNKNOWN:
        raise gone(session.id)
    session._default = branch


def _resolve(session: Session, given: dict[str, Any]) -> list[Any]:
    """Return the tools that were asked for; names are found in tool manager, registry and other branches."""
    asked = given.get("tools")
    if asked is None:
        return []
    many = list(asked) if isinstance(asked, (list, tuple, set, frozenset)) else [asked]
    manager = given.get("tool_manager")
    known: dict[str, Tool] = dict(manager.registry) if manager is not None else {}
    return [_find_tool(session, item, known) if isinstance(item, str) else item for item in many]


def _find_tool(session: Session, name: str, known: dict[str, Tool]) -> Any:
    state = session._state
    if name in known:
        # It is registered with the branch's own tool manager already; the name is enough.
        return name
    for tools in (state.inbox.tools, state.context.registry.tools):
        if name in tools:
            return tools[name]
    for branch in state.found:
        if isinstance(branch, Branch) and name in branch.tools:
            return branch.tools[name]
    raise ToolUnknown(
        f"No tool is named {name!r} here: not in the tool manager, the session's registry or another branch. Pass the"
        " function itself, or Session(registry=...)."
    )
