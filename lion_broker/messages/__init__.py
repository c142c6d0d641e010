"""What is said: the five kinds of messages, and the conversation that a branch keeps of them."""

from lion_broker.messages.action import ActionRequest, ActionRequestModel, ActionResponse, ActionResponseModel
from lion_broker.messages.assistant import AssistantResponse
from lion_broker.messages.base import (
    MessageFlag,
    MessageRole,
    RoledMessage,
    SenderRecipient,
    validate_sender_recipient,
)
from lion_broker.messages.instruction import Instruction
from lion_broker.messages.manager import MessageManager
from lion_broker.messages.system import System

__all__ = [
    "ActionRequest",
    "ActionRequestModel",
    "ActionResponse",
    "ActionResponseModel",
    "AssistantResponse",
    "Instruction",
    "MessageFlag",
    "MessageManager",
    "MessageRole",
    "RoledMessage",
    "SenderRecipient",
    "System",
    "validate_sender_recipient",
]
