"""FakeModelServer: a model's HTTP server for tests, on a real socket, whose answers the test writes."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from lion_broker.core.numbers import counted

from .answer import Answer, Fault, calls_of, text_of
from .listener import HOST, Listener
from .request import Received
from .responder import AnswerFunction, Responder

__all__ = ["FakeModelServer"]


class FakeModelServer:
    """A server on 127.0.0.1, in a thread of its own, that speaks to OpenAI's and Anthropic's clients.

    The test writes what it answers: each chat request takes the next answer, and the last one is repeated; before any
    is written it says "ok". Requests that a real server refuses, such as a call of a tool without its result, are
    refused here in the same words. Everything may be called while the server runs, from any thread.

        with FakeModelServer() as server:
            server.fails(429, retry_after=0.1).says("Hello.")
            model = iModel("openai", "any", base_url=server.url, api_key="any")

    With an `api_key`, requests without it get 401. Without `strict`, requests that make no sense are answered too.
    """

    def __init__(self, *, api_key: str | None = None, models: tuple[str, ...] = ("fake",), strict: bool = True) -> None:
        self._responder = Responder(api_key, models, strict)
        self._listener: Listener | None = None
        self._port = 0

    def start(self) -> Self:
        """Listen: clients may connect when this returns. After `stop` it is the same address again."""
        if self._listener is None:
            self._listener = Listener(self._responder, self._port)
            self._port = self._listener.port
        return self

    def stop(self) -> None:
        """Close all connections; from now on they are refused. May be called twice or before `start`."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    @property
    def url(self) -> str:
        """The base URL as OpenAI's clients want it: `http://127.0.0.1:PORT/v1`. RuntimeError before the start."""
        return f"{self.root}/v1"

    @property
    def root(self) -> str:
        """The same without a path, as Anthropic's clients want it."""
        if not self._port:
            raise RuntimeError("the fake server has no address before it is started: with FakeModelServer() as server")
        return f"http://{HOST}:{self._port}"

    @property
    def requests(self) -> list[Received]:
        """The requests that have arrived, oldest first."""
        return self._responder.requests

    @property
    def abandoned(self) -> list[Received]:
        """The requests whose clients went away before the end of the answer."""
        return self._responder.abandoned

    @property
    def connections(self) -> int:
        """How many connections clients have opened so far."""
        return self._responder.opened_so_far

    @property
    def busiest(self) -> int:
        """The highest number of requests that were in work at the same time."""
        return self._responder.busiest

    def says(self, *answers: object, **details: Any) -> Self:
        """Answer with texts, one request each; what is no text is sent as JSON.

        `details` are fields of `Answer`: finish_reason, prompt_tokens, delay, pause …
        """
        self._responder.script.add(*(Answer(text_of(one), **details) for one in answers))
        return self

    def calls_tool(self, *calls: object, text: str = "", **details: Any) -> Self:
        """Answer one request with calls of tools: `calls_tool("add", {"a": 1}, "now")`; several are parallel calls.

        A mapping calls the tool named before it; `Call("add", '{"a": ')` sends arguments as they stand.
        """
        self._responder.script.add(Answer(text, tuple(calls_of(calls)), **details))
        return self

    def answers(self, *answers: Answer | AnswerFunction) -> Self:
        """Answer with an `Answer`, or with what a function of the request's body returns: an Answer or a text.

        The function is called in the server's thread. What it raises is answered with status 500.
        """
        self._responder.script.add(*answers)
        return self

    def fails(
        self, status: int, message: str = "", *, retry_after: float | str | None = None, times: int = 1, **error: Any
    ) -> Self:
        """Refuse with a status and an error object; with status 200 the error object comes as if all were well.

        `retry_after` is sent as the header of that name, `error` goes into the error object: `code=`, `type=` …
        """
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        text = message or f"The fake server was told to fail with status {status}."
        self._responder.script.add(*[Answer(text, status=status, headers=headers, error=error)] * times)
        return self

    def hangs_up(self, times: int = 1) -> Self:
        """Close the connection without an answer."""
        self._responder.script.add(*[Answer(fault=Fault.HANG_UP)] * times)
        return self

    def cuts_stream(self, after: int = 2, text: str = "This is never said to its end.", *, clean: bool = False) -> Self:
        """Close the connection after so many chunks of a stream; `clean` ends the response, but without its end mark.

        Without a stream the connection is closed before the answer.
        """
        self._responder.script.add(Answer(text, fault=Fault.END if clean else Fault.HANG_UP, after=after))
        return self

    def breaks_stream(self, after: int = 2, message: str = "Overloaded", text: str = "This is never said.") -> Self:
        """Send an error object after so many chunks of a stream; without a stream it is the whole answer."""
        self._responder.script.add(Answer(text, fault=Fault.ERROR, after=after, error={"message": message}))
        return self

    def sends_garbage(self, text: str = "<html>502 Bad Gateway</html>", times: int = 1) -> Self:
        """Send a text that is no JSON where JSON belongs, with status 200."""
        self._responder.script.add(*[Answer(text, fault=Fault.GARBAGE)] * times)
        return self

    def falls_silent(self, after: int = 0, text: str = "This is never said to its end.") -> Self:
        """Send so many chunks of a stream and then nothing more, with the connection open."""
        self._responder.script.add(Answer(text, fault=Fault.SILENCE, after=after))
        return self

    def delays(self, seconds: float) -> Self:
        """Begin every answer so many seconds after its request, from now on."""
        self._responder.delay = seconds
        return self

    def refuses(self, *names: str) -> Self:
        """Refuse, from now on, types of `response_format` ("json_schema") and parameters ("tools") with status 400."""
        self._responder.refused.update(names)
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "stopped" if self._listener is None else self.url
        asked, left = counted(len(self.requests), "request"), counted(self._responder.script.left, "answer")
        return f"FakeModelServer({state}, {asked}, {left} to come)"
