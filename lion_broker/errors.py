"""Every error that the package raises, one root and three levels.

LionError
├── ConfigError                     a setting, URL or argument is wrong
│   └── IDError                     text is no id
├── BrokerError                     the road: server, keys, functions
│   ├── BrokerUnavailable           no server answers
│   │   └── ServerBusy              it answers that it loads its data, or is busy with a script
│   ├── ServerUnsafe                its settings or version would lose mail; also a ConfigError
│   ├── ServerNotFound              no server binary for the embedded server
│   ├── ServerStartFailed           the embedded server did not come up
│   ├── ProtocolMismatch            the namespace speaks another protocol version
│   └── RoundTimeout                a round did not settle in time
├── MailError                       one mail
│   ├── MailMalformed               not a mail of this protocol
│   ├── MailTooLarge                over the size limit
│   ├── MailboxFull                 the recipient takes no more
│   ├── SignatureInvalid            unsigned, forged, or signed with another key
│   │   └── SigningKeyUnknown       this program lacks the key of the namespace; also a ConfigError
│   └── NotPortable                 an item that cannot travel to where it goes
├── BranchError                     one branch or session
│   ├── ItemNotFoundError           also a ValueError and a KeyError
│   │   └── BehaviourUnknown        no behaviour of that name is registered here
│   ├── ItemExistsError             also a ValueError
│   ├── RelationError               graph structure is violated
│   ├── BranchClosed                the branch was removed
│   ├── OperationCancelled          nobody waits for the operation any more
│   ├── BranchOwned                 another live process hosts the branch
│   └── LeaseLost                   this process no longer hosts the branch
├── ModelError                      a model call
│   ├── ModelNotConfigured          its key, provider or protocol is missing; also a ConfigError
│   ├── ModelRefused                the server does not take the request; asking again changes nothing
│   ├── ModelRateLimited            too many requests or tokens, for the server or for the budget
│   ├── ModelUnavailable            no server, or one that fails, at every attempt
│   ├── ModelTimeout                no answer in time; also a TimeoutError
│   ├── ModelCut                    the answer broke off, or fell silent, on its way
│   ├── ModelMalformed              the answer is not what the protocol says
│   └── OutputInvalid               the answer does not fit the asked format
└── ToolError                       a tool call
    ├── ToolUnknown                 no tool of that name is registered here
    ├── UnknownOutcome              a call that must not be made twice was cut
    ├── ToolExists                  a tool of that name is there already; also an ItemExistsError
    └── ToolArgumentsInvalid        the arguments do not fit the tool's schema
"""

__all__ = [
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
    "MailError",
    "MailMalformed",
    "MailTooLarge",
    "MailboxFull",
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
]


class LionError(Exception):
    """Raised when anything in this package goes wrong; catch it to catch all of them."""


class ConfigError(LionError, ValueError):
    """Raised when a setting, URL or argument cannot be used."""


class IDError(ConfigError):
    """Raised when a text or object is no id."""


class BrokerError(LionError):
    """Raised when what carries the mail fails: the server, its keys or its functions."""


class BrokerUnavailable(BrokerError, ConnectionError):
    """Raised when no server answers within the patience of the call."""


class ServerBusy(BrokerUnavailable):
    """Raised when a server has answered, for all the patience of a call, that it loads its data or runs a script."""


class ServerUnsafe(BrokerError, ConfigError):
    """Raised when a server is too old or may lose mail by its settings, before any mail is put on it."""


class ServerNotFound(BrokerError):
    """Raised when no server binary is found for the embedded server."""


class ServerStartFailed(BrokerError):
    """Raised when the embedded server does not come up."""


class ProtocolMismatch(BrokerError):
    """Raised when a namespace was made by another version of the protocol."""


class RoundTimeout(BrokerError, TimeoutError):
    """Raised when a round has not settled in time; what is still open stays where it is."""


class MailError(LionError, ValueError):
    """Raised when one mail cannot be written, carried or applied."""


class MailMalformed(MailError):
    """Raised when bytes are no mail of this protocol version."""


class MailTooLarge(MailError):
    """Raised when a mail is over the size limit."""


class MailboxFull(MailError):
    """Raised when the recipient's mailbox takes no more mail."""


class SignatureInvalid(MailError):
    """Raised when a mail is unsigned, forged, or signed with an unknown key."""


class SigningKeyUnknown(SignatureInvalid, ConfigError):
    """Raised when a namespace is signed with a key that this program does not have, before it touches any mail."""


class NotPortable(MailError, TypeError):
    """Raised when an item cannot travel to where it is addressed."""


class BranchError(LionError):
    """Raised when a branch or session cannot do what is asked."""


class ItemNotFoundError(BranchError, ValueError, KeyError):
    """Raised when an id, name or item is unknown here."""

    def __str__(self) -> str:
        """Return the plain message; KeyError alone would quote it."""
        return Exception.__str__(self)


class BehaviourUnknown(ItemNotFoundError):
    """Raised when no behaviour of that name is registered here."""


class ItemExistsError(BranchError, ValueError):
    """Raised when an item is there already and must not be replaced."""


class RelationError(BranchError, ValueError):
    """Raised when an edge or node would break the structure of a graph."""


class BranchClosed(BranchError, ValueError):
    """Raised when a branch was removed and takes no more mail."""


class BranchOwned(BranchError):
    """Raised when a branch is hosted by another live process."""


class OperationCancelled(BranchError):
    """Raised when an operation is stopped, by a person or because whoever asked for it no longer waits."""


class LeaseLost(BranchError):
    """Raised when this process no longer hosts the branch; its uncommitted changes are void."""


class ModelError(LionError):
    """Raised when a model call fails."""


class ModelNotConfigured(ModelError, ConfigError):
    """Raised when a model cannot be asked: its key, its provider or its protocol is missing here."""


class ModelRefused(ModelError):
    """Raised when a model's server does not take the request; asking again the same way changes nothing."""


class ModelRateLimited(ModelError):
    """Raised when there were too many requests or tokens, for the model's server or for the budget of its user."""


class ModelUnavailable(ModelError):
    """Raised when a model's server cannot be reached or fails, at every attempt."""


class ModelTimeout(ModelError, TimeoutError):
    """Raised when a model has not answered in time."""


class ModelCut(ModelError):
    """Raised when an answer broke off, or fell silent, on its way; what was streamed of it is not the whole."""


class ModelMalformed(ModelError):
    """Raised when a server's answer is not what the protocol says, or too large."""


class OutputInvalid(ModelError, ValueError):
    """Raised when a model's answer does not fit the format that was asked for; `text` is what it wrote."""

    text: str = ""


class ToolError(LionError):
    """Raised when a tool cannot be called or registered."""


class ToolUnknown(ToolError, ValueError):
    """Raised when no tool of that name is registered here."""


class UnknownOutcome(ToolError):
    """Raised when a call of a tool marked `once` was cut, so that nobody knows whether it took effect."""


class ToolExists(ToolError, ItemExistsError):
    """Raised when a tool of that name is registered already and is not to be replaced."""


class ToolArgumentsInvalid(ToolError, ValueError):
    """Raised when the arguments of a call do not fit the tool's schema."""
