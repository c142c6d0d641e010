"""What tests of programs with branches need: models that follow a script, a server, workers, and ways to wait."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lion_broker.testing.flow import MailStep, assert_mail_flow, mail_flow
    from lion_broker.testing.model_server import Answer, Call, FakeModelServer, Fault, Received
    from lion_broker.testing.scripted import Asked, ScriptedModel, ScriptUsedUp, tool_calls
    from lion_broker.testing.server import PrivateServer, private_server
    from lion_broker.testing.waiting import await_until, wait_until
    from lion_broker.testing.worker import WorkerProcess, running_worker

__all__ = [
    "Answer",
    "Asked",
    "Call",
    "FakeModelServer",
    "Fault",
    "MailStep",
    "PrivateServer",
    "Received",
    "ScriptUsedUp",
    "ScriptedModel",
    "WorkerProcess",
    "assert_mail_flow",
    "await_until",
    "mail_flow",
    "private_server",
    "running_worker",
    "tool_calls",
    "wait_until",
]

if not TYPE_CHECKING:  # type checkers read the imports above

    def __getattr__(name: str) -> object:
        """Import a name when it is first used: pytest loads this package in every run, for its plugin."""
        match name:
            case "MailStep" | "assert_mail_flow" | "mail_flow":
                from lion_broker.testing import flow as place
            case "Answer" | "Call" | "FakeModelServer" | "Fault" | "Received":
                from lion_broker.testing import model_server as place
            case "Asked" | "ScriptUsedUp" | "ScriptedModel" | "tool_calls":
                from lion_broker.testing import scripted as place
            case "PrivateServer" | "private_server":
                from lion_broker.testing import server as place
            case "await_until" | "wait_until":
                from lion_broker.testing import waiting as place
            case "WorkerProcess" | "running_worker":
                from lion_broker.testing import worker as place
            case _:
                raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(place, name)
