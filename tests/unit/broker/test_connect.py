"""From a URL to an exchange: which URLs there are, what each needs, and that no secret is ever shown."""

import asyncio
import logging
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lion_broker.broker.connect import SCHEMES, connect, data_secret
from lion_broker.broker.connection import without_secrets
from lion_broker.broker.exchange import RedisExchange
from lion_broker.config import Settings
from lion_broker.errors import BrokerUnavailable, ConfigError
from lion_broker.mail.memory import MemoryExchange
from lion_broker.mail.verbs import ReadSession

SECRET = "a secret that nobody may see"
PASSWORD = "pa55/w?rd"


def settings(**values: object) -> Settings:
    """Settings of a program with a secret that gives up at once."""
    return Settings.load({}, **{"secret": SECRET, "patience": 0, **values})


@pytest.mark.parametrize("url", ["", "localhost", "localhost:6379", "http://localhost", "redis:/localhost", "REDIS//x"])
def test_what_is_no_exchange_url(url: str) -> None:
    """The error names the schemes that there are."""
    with pytest.raises(ConfigError, match=r"embedded://, memory://, redis://, rediss://, unix://"):
        connect(url or "nothing", settings())


@pytest.mark.parametrize("scheme", ["redis+sentinel", "redis+cluster"])
def test_what_comes_later(scheme: str) -> None:
    """The error says that it is planned."""
    with pytest.raises(ConfigError, match="later version"):
        connect(f"{scheme}://localhost:26379/0", settings())


@pytest.mark.parametrize("url", ["redis://localhost", "rediss://localhost", "unix:///tmp/s"])
def test_a_server_needs_a_secret(url: str) -> None:
    """Mail on a server of others must be signed; the error says how, and how to do without."""
    with pytest.raises(ConfigError, match=r"LION_BROKER_SECRET .*keygen.*LION_BROKER_INSECURE=1"):
        connect(url, Settings.load({}))


def test_insecure_is_loud(caplog: pytest.LogCaptureFixture) -> None:
    """Unsigned mail is possible, and every connect warns of it."""
    with caplog.at_level(logging.WARNING), connect("redis://localhost", Settings.load({}, insecure=True)):
        assert "NOT signed" in caplog.text


def test_memory_is_for_this_process() -> None:
    """It needs nothing, and says what it is."""
    exchange = connect("memory://", Settings.load({}))
    assert isinstance(exchange, MemoryExchange)
    assert exchange.profile == "memory"


def test_the_setting_is_used_when_no_url_is_given() -> None:
    """An argument wins over it."""
    assert connect(None, settings(url="redis://example.org:1")).url == "redis://example.org:1"
    assert connect("redis://example.net:2", settings(url="redis://example.org:1")).url == "redis://example.net:2"


def test_making_an_exchange_opens_nothing() -> None:
    """Only the first verb needs the server; without one the error says what to look at."""
    exchange = connect("redis://127.0.0.1:1/0", settings())
    with (
        exchange,
        pytest.raises(BrokerUnavailable, match=r"No server answers at redis://127\.0\.0\.1:1/0.*Is it running"),
    ):
        exchange.call(ReadSession("s"))


@pytest.mark.parametrize(
    "url",
    ["redis://localhost:port/0", "redis://[::1/0", "redis://localhost:99999999", "redis://localhost?x=1", "unix://"],
)
def test_a_broken_url_is_a_config_error(url: str) -> None:
    """Found when it is used, by ordinary and by asynchronous code."""
    with pytest.raises(ConfigError, match="no server URL"):
        connect(url, settings()).call(ReadSession("s"))
    with pytest.raises(ConfigError, match="no server URL"):
        asyncio.run(connect(url, settings()).acall(ReadSession("s")))


@pytest.mark.parametrize("scheme", [*SCHEMES[3:], "redis", "redis+cluster", "http"])
def test_no_password_is_ever_shown(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in a repr, nor in an error, nor in the log; also when it holds signs of its own."""
    url = f"{scheme}://user:{PASSWORD}@localhost:1/0"
    shown = [without_secrets(url), repr(settings(url=url)), str(settings(url=url))]
    with caplog.at_level(logging.DEBUG):
        try:
            exchange = connect(url, settings())
            shown += [exchange.url, repr(exchange)]
            exchange.call(ReadSession("s"))
        except (BrokerUnavailable, ConfigError) as error:
            shown.append(str(error))
    for text in (*shown, caplog.text):
        assert "pa55" not in text
        assert SECRET not in text


@given(st.sampled_from(SCHEMES), st.text(st.characters(codec="ascii"), min_size=1))
def test_what_is_shown_of_a_url(scheme: str, password: str) -> None:
    """Everything but user, password and options, whatever the password is."""
    assert without_secrets(f"{scheme}://u:{password}@host:1/0?x=1") == f"{scheme}://host:1/0"


def test_a_url_without_secrets_stays_as_it_is() -> None:
    """It can be copied from an error and used."""
    for url in ("unix:///tmp/s", "redis://host:1/0", "embedded:///data", "memory://"):
        assert without_secrets(url) == url


def test_an_exchange_is_closed_twice() -> None:
    """Without a word."""
    exchange = RedisExchange("redis://localhost", SECRET.encode())
    exchange.close()
    exchange.close()


def test_the_secret_of_a_data_directory(tmp_path: Path) -> None:
    """It is made once, for the owner only, and read by everybody after."""
    first = data_secret(tmp_path)
    assert len(first) >= 32
    assert data_secret(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_a_secret_that_cannot_be_read(tmp_path: Path) -> None:
    """The error names the file."""
    (tmp_path / "secret").mkdir()
    with pytest.raises(ConfigError, match="secret"):
        data_secret(tmp_path)
