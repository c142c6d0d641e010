"""A worker under observation: its spans go to a file, one JSON object a line, when SPANS names one.

`think` asks a model that calls a tool and mails what came of it to the branch that its metadata name; `complain` writes
a log line; `block` holds up the event loop until there is a file `<DESK>/go`; the rest is that of `tests.apps.desk`.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from lion_broker import Branch, Mail
from lion_broker.testing import ScriptedModel, tool_calls
from tests.apps.desk import registry, text_of

__all__ = ["registry"]


class SpansToFile(SpanExporter):
    """Appends spans to a file, which several processes may share."""

    def __init__(self, path: str) -> None:
        self._path = path

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write them, each in one call."""
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for span in spans:
            os.write(file, f"{span.to_json(indent=None)}\n".encode())
        os.close(file)
        return SpanExportResult.SUCCESS


if "SPANS" in os.environ:
    provider = TracerProvider(resource=Resource({"process.pid": os.getpid()}))
    provider.add_span_processor(SimpleSpanProcessor(SpansToFile(os.environ["SPANS"])))
    trace.set_tracer_provider(provider)


def lookup(city: str) -> str:
    """Say what a city is known for.

    Args:
        city: Its name.
    """
    return f"{city} has seven hills."


registry.tool(lookup)


@registry.behaviour("think")
async def think(branch: Branch, mail: Mail) -> None:
    """Ask a model that calls a tool, and pass on what it says."""
    script = ScriptedModel(tool_calls("lookup", {"city": "Rome"}), "Rome has hills.")
    branch.register_tools(registry.resolve_tool("lookup"), update=True)
    answer = await branch.operate("What is Rome known for?", chat_model=script.imodel, actions=True)
    await branch.asend(branch.metadata["to"], "message", f"{branch.name}: {answer}"[:200])


@registry.behaviour("complain")
async def complain(branch: Branch, mail: Mail) -> None:
    """Write a log line, as user code does."""
    logging.getLogger("lion_broker.tests").warning("I was told %s", text_of(mail))


@registry.behaviour("block")
async def block(branch: Branch, mail: Mail) -> None:
    """Compute without a pause, as nobody should."""
    folder = Path(os.environ["DESK"])
    folder.joinpath(f"{text_of(mail)}.begun").touch()
    while not folder.joinpath("go").exists():
        threading.Event().wait(0.01)
