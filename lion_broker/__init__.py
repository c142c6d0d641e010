"""Durable, horizontal multi-agent sessions: LionAGI's Session, Branch and mail over Redis streams."""

from lion_broker.branch.base import BaseBranch
from lion_broker.branch.branch import Branch
from lion_broker.branch.registry import Registry
from lion_broker.core.concepts import Communicatable, Relational
from lion_broker.core.element import Element
from lion_broker.core.event import Event
from lion_broker.core.ids import ID, IDType
from lion_broker.core.log import Log
from lion_broker.core.node import Node
from lion_broker.core.pile import Pile, pile
from lion_broker.core.progression import Progression, prog
from lion_broker.errors import (
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
    ModelError,
    NotPortable,
    RoundTimeout,
    SignatureInvalid,
    ToolError,
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
from lion_broker.models.imodel import iModel
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
    "Branch",
    "BranchClosed",
    "BranchError",
    "BranchOwned",
    "BrokerError",
    "BrokerUnavailable",
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
    "ModelError",
    "Node",
    "NotPortable",
    "Package",
    "PackageCategory",
    "Pile",
    "Progression",
    "Registry",
    "Relational",
    "RemoteBranch",
    "RoledMessage",
    "RoundTimeout",
    "SenderRecipient",
    "Session",
    "SignatureInvalid",
    "System",
    "Tool",
    "ToolError",
    "Worker",
    "iModel",
    "pile",
    "prog",
]
