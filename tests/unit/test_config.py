"""Settings: from the environment or from a file, checked, and silent about secrets."""

from pathlib import Path
from traceback import format_exception

import pytest

from lion_broker.config import Settings
from lion_broker.errors import ConfigError

SECRET = "a secret that nobody may see"


def test_without_anything() -> None:
    """The defaults are those of a laptop."""
    settings = Settings.load({})
    assert (settings.url, settings.namespace, settings.partitions) == (None, "default", 1)
    assert settings.secret is None
    assert not settings.insecure


def test_from_the_environment() -> None:
    """Every setting has a variable; other variables are not looked at."""
    settings = Settings.load(
        {
            "LION_BROKER_URL": "redis://localhost",
            "LION_BROKER_LEASE": "2.5",
            "LION_BROKER_INSECURE": "1",
            "LION_BROKER_NONSENSE": "x",
            "URL": "redis://example.org",
        }
    )
    assert (settings.url, settings.lease, settings.insecure) == ("redis://localhost", 2.5, True)


def test_what_is_given_wins() -> None:
    """None means that nothing was given."""
    environ = {"LION_BROKER_LEASE": "2", "LION_BROKER_NAMESPACE": "theirs"}
    settings = Settings.load(environ, lease=3, namespace=None)
    assert (settings.lease, settings.namespace) == (3, "theirs")


def test_an_empty_variable_is_none() -> None:
    """As in a shell that unsets it with an empty text."""
    assert Settings.load({"LION_BROKER_URL": ""}).url is None


def test_from_a_file(tmp_path: Path) -> None:
    """For secrets that must not stand in the environment; the line feed at the end is not part of it."""
    tmp_path.joinpath("key").write_text(f"{SECRET}\n")
    settings = Settings.load({"LION_BROKER_SECRET_FILE": str(tmp_path / "key")})
    assert settings.secret is not None
    assert settings.secret.get_secret_value() == SECRET


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """The error names the variable and the file, and nothing of what is in it."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "bytes").write_bytes(b"\xff\x00")
    for name, reason in (
        ("absent", "cannot be read: No such file"),
        ("", "cannot be read: Is a directory"),
        ("bytes", "cannot be read: it is no text"),
        ("empty", "is empty"),
    ):
        path = tmp_path / name
        with pytest.raises(ConfigError, match=f"LION_BROKER_SECRET_FILE names {path}, which {reason}"):
            Settings.load({"LION_BROKER_SECRET_FILE": str(path)})


def test_a_secret_where_its_file_is_to_be_named() -> None:
    """The error does not show it."""
    with pytest.raises(ConfigError, match="LION_BROKER_SECRET_FILE is to name a file by its path") as caught:
        Settings.load({"LION_BROKER_SECRET_FILE": SECRET})
    assert SECRET not in "".join(format_exception(caught.value))


@pytest.mark.parametrize("secret", [" ", "one, two", "one\ntwo"])
def test_what_is_no_secret(secret: str) -> None:
    """One that is blank, and one that would be two as the previous one; it is not shown."""
    with pytest.raises(ConfigError, match="LION_BROKER_SECRET cannot be used: it is blank, or has a comma") as caught:
        Settings.load({"LION_BROKER_SECRET": secret})
    assert "one" not in str(caught.value)


def test_several_previous_secrets(tmp_path: Path) -> None:
    """With commas or line feeds between them, in the environment or in a file."""
    assert Settings.load({}).secrets == ()
    assert Settings.load({"LION_BROKER_SECRET": f" {SECRET} "}).secrets == (SECRET.encode(),)
    (tmp_path / "old").write_text("first\nsecond one\n\n")
    for environ in ({"PREVIOUS": "first, second one,"}, {"PREVIOUS_FILE": str(tmp_path / "old")}):
        named = {f"LION_BROKER_SECRET_{name}": value for name, value in environ.items()}
        settings = Settings.load({"LION_BROKER_SECRET": SECRET, **named})
        assert settings.secrets == (SECRET.encode(), b"first", b"second one")
        assert settings.secret_files == tuple(tmp_path / "old" for name in named if name.endswith("FILE"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NAMESPACE", "a{b"),
        ("NAMESPACE", "a b"),
        ("NAMESPACE", "x" * 65),
        ("PARTITIONS", "many"),
        ("PARTITIONS", "0"),
        ("PARTITIONS", "1025"),
        ("LEASE", "0.1"),
        ("LEASE", "nan"),
        ("PATIENCE", "-1"),
        ("INSECURE", "perhaps"),
    ],
)
def test_a_bad_value_is_named(name: str, value: str) -> None:
    """With its variable and what is wrong with it."""
    with pytest.raises(ConfigError, match=f"LION_BROKER_{name} cannot be used"):
        Settings.load({f"LION_BROKER_{name}": value})


def test_a_setting_that_there_is_not() -> None:
    """A name that a program gets wrong is an error, not ignored."""
    with pytest.raises(ConfigError, match="LION_BROKER_LEASES"):
        Settings.load({}, leases=3)


def test_secrets_are_never_shown() -> None:
    """In no repr, no text, no dump and no error."""
    environ = {
        "LION_BROKER_SECRET": SECRET,
        "LION_BROKER_SECRET_PREVIOUS": SECRET,
        "LION_BROKER_URL": f"x://u:{SECRET}@h",
    }
    settings = Settings.load(environ)
    for text in (repr(settings), str(settings), settings.model_dump_json(exclude={"url"})):
        assert SECRET not in text
    with pytest.raises(ConfigError) as caught:
        Settings.load({**environ, "LION_BROKER_LEASE": SECRET})
    assert SECRET not in str(caught.value)


def test_settings_are_frozen() -> None:
    """They are read once at the edge and passed down."""
    with pytest.raises(ValueError, match="frozen"):
        Settings.load({}).lease = 3  # type: ignore[misc]  # that is the point
