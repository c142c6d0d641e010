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
from lion_broker.broker.signing import Signer
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


def test_what_is_unsigned_says_so() -> None:
    """In each `repr` of its exchange, as long as it lives."""
    assert repr(connect("redis://localhost", Settings.load({}, insecure=True))).endswith(", UNSIGNED)")
    assert "UNSIGNED" not in repr(connect("redis://localhost", settings(insecure=True)))


def test_a_previous_secret_signs_nothing() -> None:
    """Without the one that signs it is half a setting, also where mail may be unsigned."""
    with pytest.raises(ConfigError, match=r"LION_BROKER_SECRET_PREVIOUS is set and LION_BROKER_SECRET is not"):
        connect("redis://localhost", Settings.load({}, secret_previous=SECRET, insecure=True))


def test_all_previous_secrets_are_accepted() -> None:
    """Each has its id among those that a namespace may be signed with."""
    old = [f"a secret of year {year}" for year in (2023, 2024)]
    exchange = connect("redis://localhost", settings(secret_previous=", ".join(old)))
    assert isinstance(exchange, RedisExchange)
    signers = [Signer(secret.encode()) for secret in (*old, SECRET)]
    assert set(exchange._codec.signer.key_ids) == {signer.key_id for signer in signers}


@pytest.mark.parametrize(
    ("url", "warned"),
    [("redis://localhost", False), ("unix:///tmp/s", False), ("rediss://far.example", False), ("redis://far", True)],
)
def test_plain_text_beyond_this_machine_is_loud(url: str, warned: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Every connect warns of it, and says what to do."""
    with caplog.at_level(logging.WARNING):
        connect(url, settings())
    assert ("plain text" in caplog.text and "Fix: a rediss:// URL" in caplog.text) is warned


def test_a_secret_that_others_can_change_is_loud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The warning names the file, and not what is in it."""
    path = tmp_path / "key"
    path.write_text(SECRET)
    path.chmod(0o666)
    with caplog.at_level(logging.WARNING):
        connect("redis://localhost", Settings.load({"LION_BROKER_SECRET_FILE": str(path)}))
    assert f"{path}, which holds a secret, can be changed by other users" in caplog.text
    assert SECRET not in caplog.text


def test_replicas_are_waited_for_where_that_is_set() -> None:
    """Each exchange at a server of one's own knows how many."""
    exchange = connect("redis://localhost", settings(replicas=2))
    assert isinstance(exchange, RedisExchange)
    assert exchange._replicas == 2


@pytest.mark.parametrize("url", ["embedded://", "memory://"])
def test_where_there_are_no_replicas(url: str) -> None:
    """Nobody can wait for them."""
    with pytest.raises(ConfigError, match="LION_BROKER_REPLICAS=1 cannot be kept"):
        connect(url, settings(replicas=1))


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
