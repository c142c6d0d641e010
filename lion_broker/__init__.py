"""Durable, horizontal multi-agent sessions: LionAGI's Session, Branch and mail over Redis streams."""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lion_broker.branch.base import BaseBranch
    from lion_broker.branch.branch import Branch
    from lion_broker.branch.registry import Registry
    from lion_broker.core.concepts import Communicatable, Relational
    from lion_broker.core.element import Element
    from lion_broker.core.event import Event
    from lion_broker.core.idempotency import idempotency_key
    from lion_broker.core.ids import ID, IDType
    from lion_broker.core.log import Log
    from lion_broker.core.node import Node
    from lion_broker.core.pile import Pile, pile
    from lion_broker.core.progression import Progression, prog
    from lion_broker.errors import (
        BehaviourUnknown,
        BranchClosed,
        BranchError,
        BranchOwned,
        BrokerError,
        BrokerUnavailable,
        ConfigError,
        IDError,
        ItemExistsError,
        ItemNotFoundError,
        LeaseLost,
        LionError,
        MailboxFull,
        MailError,
        MailMalformed,
        MailTooLarge,
        ModelCut,
        ModelError,
        ModelMalformed,
        ModelNotConfigured,
        ModelRateLimited,
        ModelRefused,
        ModelTimeout,
        ModelUnavailable,
        NotPortable,
        OperationCancelled,
        OutputInvalid,
        ProtocolMismatch,
        RelationError,
        RoundTimeout,
        ServerBusy,
        ServerNotFound,
        ServerStartFailed,
        ServerUnsafe,
        SignatureInvalid,
        SigningKeyUnknown,
        ToolArgumentsInvalid,
        ToolError,
        ToolExists,
        ToolUnknown,
        UnknownOutcome,
    )
    from lion_broker.mail.exchange import Exchange
    from lion_broker.mail.mail import Mail
    from lion_broker.mail.mailbox import Mailbox
    from lion_broker.mail.manager import MailManager
    from lion_broker.mail.package import Package, PackageCategory
    from lion_broker.messages import (
        ActionRequest,
        ActionResponse,
        AssistantResponse,
        Instruction,
        MessageFlag,
        MessageManager,
        MessageRole,
        RoledMessage,
        SenderRecipient,
        System,
    )
    from lion_broker.models.chat import ChatCompletionEndPoint
    from lion_broker.models.imodel import iModel
    from lion_broker.models.limits import RateLimitedProcessor
    from lion_broker.models.manager import iModelManager
    from lion_broker.models.reply import ModelChunk, ModelReply, ToolCall
    from lion_broker.models.tokens import TokenCalculator
    from lion_broker.session.remote import RemoteBranch
    from lion_broker.session.session import Session
    from lion_broker.tools.calling import FunctionCalling
    from lion_broker.tools.manager import ActionManager
    from lion_broker.tools.tool import Tool
    from lion_broker.worker.worker import Worker

__all__ = [
    "ID",
    "ActionManager",
    "ActionRequest",
    "ActionResponse",
    "AssistantResponse",
    "BaseBranch",
    "BehaviourUnknown",
    "Branch",
    "BranchClosed",
    "BranchError",
    "BranchOwned",
    "BrokerError",
    "BrokerUnavailable",
    "ChatCompletionEndPoint",
    "Communicatable",
    "ConfigError",
    "Element",
    "Event",
    "Exchange",
    "FunctionCalling",
    "IDError",
    "IDType",
    "Instruction",
    "ItemExistsError",
    "ItemNotFoundError",
    "LeaseLost",
    "LionError",
    "Log",
    "Mail",
    "MailError",
    "MailMalformed",
    "MailManager",
    "MailTooLarge",
    "Mailbox",
    "MailboxFull",
    "MessageFlag",
    "MessageManager",
    "MessageRole",
    "ModelChunk",
    "ModelCut",
    "ModelError",
    "ModelMalformed",
    "ModelNotConfigured",
    "ModelRateLimited",
    "ModelRefused",
    "ModelReply",
    "ModelTimeout",
    "ModelUnavailable",
    "Node",
    "NotPortable",
    "OperationCancelled",
    "OutputInvalid",
    "Package",
    "PackageCategory",
    "Pile",
    "Progression",
    "ProtocolMismatch",
    "RateLimitedProcessor",
    "Registry",
    "RelationError",
    "Relational",
    "RemoteBranch",
    "RoledMessage",
    "RoundTimeout",
    "SenderRecipient",
    "ServerBusy",
    "ServerNotFound",
    "ServerStartFailed",
    "ServerUnsafe",
    "Session",
    "SignatureInvalid",
    "SigningKeyUnknown",
    "System",
    "TokenCalculator",
    "Tool",
    "ToolArgumentsInvalid",
    "ToolCall",
    "ToolError",
    "ToolExists",
    "ToolUnknown",
    "UnknownOutcome",
    "Worker",
    "iModel",
    "iModelManager",
    "idempotency_key",
    "pile",
    "prog",
]

_PLACES: Final = {
    "branch.base": ("BaseBranch",),
    "branch.branch": ("Branch",),
    "branch.registry": ("Registry",),
    "core.concepts": ("Communicatable", "Relational"),
    "core.element": ("Element",),
    "core.event": ("Event",),
    "core.idempotency": ("idempotency_key",),
    "core.ids": ("ID", "IDType"),
    "core.log": ("Log",),
    "core.node": ("Node",),
    "core.pile": ("Pile", "pile"),
    "core.progression": ("Progression", "prog"),
    "errors": (
        "BehaviourUnknown",
        "BranchClosed",
        "BranchError",
        "BranchOwned",
        "BrokerError",
        "BrokerUnavailable",
        "ConfigError",
        "IDError",
        "ItemExistsError",
        "ItemNotFoundError",
        "LeaseLost",
        "LionError",
        "MailboxFull",
        "MailError",
        "MailMalformed",
        "MailTooLarge",
        "ModelCut",
        "ModelError",
        "ModelMalformed",
        "ModelNotConfigured",
        "ModelRateLimited",
        "ModelRefused",
        "ModelTimeout",
        "ModelUnavailable",
        "NotPortable",
        "OperationCancelled",
        "OutputInvalid",
        "ProtocolMismatch",
        "RelationError",
        "RoundTimeout",
        "ServerBusy",
        "ServerNotFound",
        "ServerStartFailed",
        "ServerUnsafe",
        "SignatureInvalid",
        "SigningKeyUnknown",
        "ToolArgumentsInvalid",
        "ToolError",
        "ToolExists",
        "ToolUnknown",
        "UnknownOutcome",
    ),
    "mail.exchange": ("Exchange",),
    "mail.mail": ("Mail",),
    "mail.mailbox": ("Mailbox",),
    "mail.manager": ("MailManager",),
    "mail.package": ("Package", "PackageCategory"),
    "messages": (
        "ActionRequest",
        "ActionResponse",
        "AssistantResponse",
        "Instruction",
        "MessageFlag",
        "MessageManager",
        "MessageRole",
        "RoledMessage",
        "SenderRecipient",
        "System",
    ),
    "models.chat": ("ChatCompletionEndPoint",),
    "models.imodel": ("iModel",),
    "models.limits": ("RateLimitedProcessor",),
    "models.manager": ("iModelManager",),
    "models.reply": ("ModelChunk", "ModelReply", "ToolCall"),
    "models.tokens": ("TokenCalculator",),
    "session.remote": ("RemoteBranch",),
    "session.session": ("Session",),
    "tools.calling": ("FunctionCalling",),
    "tools.manager": ("ActionManager",),
    "tools.tool": ("Tool",),
    "worker.worker": ("Worker",),
}
"""Where the public names are; a name is imported when it is first used, so that the package itself costs nothing."""

_PLACE_OF: Final = {name: place for place, names in _PLACES.items() for name in names}

if not TYPE_CHECKING:  # type checkers read the imports above, and know which names there are

    def __getattr__(name: str) -> object:
        """Import a public name; raises AttributeError for any other."""
        if name not in _PLACE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_PLACE_OF[name]}"), name)
        # The next use finds it without asking here.
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        """Name what is there and what is imported on use."""
        return sorted({*globals(), *__all__})
