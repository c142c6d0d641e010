"""Errors of redis-py and of the server: each becomes one of this package, in one place."""

import inspect

import pytest
from redis import exceptions

from lion_broker.broker.connection import is_passing, translate
from lion_broker.errors import BrokerError, BrokerUnavailable, LionError, MailboxFull, ServerBusy

URL = "redis://user:hidden@host:6379/0"
KINDS = sorted(
    {kind for _, kind in inspect.getmembers(exceptions, inspect.isclass) if issubclass(kind, exceptions.RedisError)},
    key=lambda kind: kind.__name__,
)


def made(kind: type[Exception]) -> Exception:
    """An error of a kind, whatever its constructor asks for."""
    for arguments in (("text",), ("1234 host:1",), ("text", "more"), ()):
        try:
            return kind(*arguments)
        except (TypeError, ValueError, IndexError):
            continue
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
def test_every_error_of_the_client_is_mapped(kind: type[Exception]) -> None:
    """To an error of the road that names the server and no secret."""
    error = translate(made(kind), URL)
    assert isinstance(error, (BrokerError, MailboxFull))
    assert "redis://host:6379/0" in str(error)
    assert "hidden" not in str(error)


@pytest.mark.parametrize("kind", [ConnectionRefusedError, FileNotFoundError, TimeoutError, BrokenPipeError])
def test_errors_of_the_system_are_passing(kind: type[OSError]) -> None:
    """The server may be back in a moment."""
    assert is_passing(kind("gone"))
    assert isinstance(translate(kind("gone"), URL), BrokerUnavailable)


def test_a_timeout_without_words_says_what_it_means() -> None:
    """Not the name of a class."""
    assert "No server answers at redis://host:6379/0: the server is silent. Is it" in str(
        translate(TimeoutError(), URL)
    )


@pytest.mark.parametrize(
    ("text", "passing", "kind"),
    [
        ("LOADING Redis is loading the dataset in memory", True, ServerBusy),
        ("BUSY Redis is busy running a script.", True, ServerBusy),
        ("READONLY You can't write against a read only replica.", True, BrokerUnavailable),
        ("MASTERDOWN Link with MASTER is down", True, BrokerUnavailable),
        ("CLUSTERDOWN Hash slot not served", True, BrokerUnavailable),
        ("OOM command not allowed when used memory > 'maxmemory'.", False, MailboxFull),
        ("MISCONF Errors writing to the AOF file: No space left on device", True, BrokerUnavailable),
        ("NOAUTH Authentication required.", False, BrokerError),
        ("NOPERM User x has no permissions to run the 'fcall' command", False, BrokerError),
        ("ERR unknown command 'FCALL', with args beginning with:", False, BrokerError),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", False, BrokerError),
    ],
)
def test_answers_of_the_server(text: str, passing: bool, kind: type[LionError]) -> None:
    """Some pass with time, others need a person."""
    error = exceptions.ResponseError(text)
    assert is_passing(error) is passing
    assert type(translate(error, URL)) is kind


@pytest.mark.parametrize(
    "kind",
    [
        exceptions.ReadOnlyError,
        exceptions.MasterDownError,
        exceptions.ClusterDownError,
        exceptions.TryAgainError,
        exceptions.BusyLoadingError,
    ],
)
def test_answers_that_the_client_has_classes_for(kind: type[exceptions.RedisError]) -> None:
    """The client has cut the first word off their text; they pass all the same."""
    error = kind("You can't write against a read only replica.")
    assert is_passing(error)
    assert isinstance(translate(error, URL), BrokerUnavailable)


@pytest.mark.parametrize("kind", [exceptions.AuthenticationError, exceptions.NoPermissionError])
def test_a_refused_user_is_not_asked_again(kind: type[Exception]) -> None:
    """It would be refused again; the error says where to look."""
    assert not is_passing(kind("WRONGPASS"))
    assert "Check user and password" in str(translate(kind("WRONGPASS"), URL))


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            exceptions.ResponseError(
                "ACL failure in script: User ada has no permissions to run the 'hset' command"
                " script: on @user_function:9."
            ),
            "User ada has no permissions to run the 'hset' command",
        ),
        (
            exceptions.NoPermissionError("User ada has no permissions to run the 'fcall' command"),
            "User ada has no permissions to run the 'fcall' command",
        ),
        (
            exceptions.NoPermissionError("No permissions to access a key"),
            "No permissions to access a key",
        ),
        (
            exceptions.ResponseError("The user executing the script can't run this command or subcommand script: on f"),
            "The user executing the script can't run this command or subcommand",
        ),
    ],
)
def test_who_may_not_do_something_is_told_of_rights(error: Exception, why: str) -> None:
    """Their password is right; where in a function it was is for nobody."""
    told = str(translate(error, URL))
    assert told.endswith(
        f" refused this user: {why}. Use one with more rights: `lion-broker acl` prints what each role needs."
    )


def test_a_refusal_is_found_behind_a_broken_connection() -> None:
    """The asyncio client says that the connection failed, and why only in the cause."""
    error = exceptions.ConnectionError("Authentication required")
    error.__cause__ = exceptions.AuthenticationError("Authentication required")
    assert not is_passing(error)
    assert "Check user and password" in str(translate(error, URL))


def test_a_full_memory_is_known_by_its_kind() -> None:
    """The client takes the code off the text."""
    error = exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")
    assert type(translate(error, URL)) is MailboxFull


def test_an_old_server_is_named() -> None:
    """A server without functions is told from other errors."""
    error = exceptions.ResponseError("unknown command 'FCALL', with args beginning with: 'x'")
    assert "Redis 7.0 or Valkey 7.2 is needed" in str(translate(error, URL))


@pytest.mark.parametrize("stop", ["", ".", ". ", ".\r\n"])
@pytest.mark.parametrize(
    "error",
    [exceptions.AuthenticationError, exceptions.ConnectionError, exceptions.ResponseError, TimeoutError],
)
def test_a_sentence_ends_once(error: type[Exception], stop: str) -> None:
    """However the other side ends its own: the message reads on, and ends with one full stop."""
    said = str(translate(error(f"it failed{stop}"), URL))
    assert "it failed. " in f"{said} "
    assert said.endswith(".")
