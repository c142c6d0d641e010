"""From what a server says about itself to its profile and to findings, without a server."""

from dataclasses import replace
from typing import Any

import pytest
from redis.exceptions import NoPermissionError, ResponseError

from lion_broker.broker.checkup.facts import QUESTIONS, ServerFacts, read_facts
from lion_broker.broker.checkup.finding import Finding, Severity
from lion_broker.broker.checkup.profile import SURVIVES, Profile, is_worse, profile_of
from lion_broker.broker.checkup.server import server_findings
from lion_broker.broker.server.binary import ServerVersion

GOOD = ServerFacts(
    version=ServerVersion("Valkey", (9, 1, 2)), log=True, sync="always", eviction="noeviction", memory=1 << 20
)


@pytest.mark.parametrize(
    ("changed", "replicas", "profile"),
    [
        ({}, 0, "durable"),
        ({"sync": "everysec"}, 0, "dev"),
        ({"sync": "no"}, 0, "unsynced"),
        ({"relaxed": True}, 0, "unsynced"),
        ({"sync": "everysec", "relaxed": True}, 0, "unsynced"),
        ({"log": False}, 0, "volatile"),
        ({"eviction": "allkeys-lru"}, 0, "volatile"),
        ({"eviction": "volatile-ttl"}, 0, "volatile"),
        ({"log": False, "sync": None, "eviction": None}, 0, "volatile"),
        ({"sync": None}, 0, "unverified"),
        ({"log": None}, 0, "unverified"),
        ({"eviction": None}, 0, "unverified"),
        ({"replicas": 2}, 0, "durable"),
        ({"replicas": 2}, 2, "ha"),
        ({"replicas": 1}, 2, "durable"),
        ({"replicas": 2, "sync": "everysec"}, 2, "dev"),
    ],
)
def test_the_profile_of_a_server(changed: dict[str, Any], replicas: int, profile: str) -> None:
    """Replicas count only for who waits for them, and what is known to be bad before what is not known."""
    assert profile_of(replace(GOOD, **changed), replicas) == profile


@pytest.mark.parametrize(
    ("changed", "check", "severity", "said"),
    [
        ({}, "version", "ok", "Valkey 9.1.2"),
        ({"version": ServerVersion("Redis", (6, 2, 14))}, "version", "error", "Redis 6.2.14 is too old"),
        ({"version": ServerVersion("Valkey", (7, 1, 9))}, "version", "error", "Valkey 7.1.9 is too old"),
        ({"version": None}, "version", "warning", "not known which version"),
        ({}, "aof", "ok", "append-only"),
        ({"log": False}, "aof", "error", "restart loses mail"),
        ({"log": None}, "aof", "warning", "not known"),
        ({}, "fsync", "ok", "before the server answers"),
        ({"sync": "everysec"}, "fsync", "info", "last second"),
        ({"sync": "no"}, "fsync", "warning", "many seconds"),
        ({"relaxed": True}, "fsync", "warning", "while it is rewritten"),
        ({"sync": None, "denied": ("CONFIG GET",)}, "fsync", "warning", "this user may not use CONFIG GET"),
        ({}, "eviction", "ok", "nothing away"),
        ({"eviction": "volatile-lru"}, "eviction", "error", "volatile-lru"),
        ({}, "memory", "info", "no limit"),
        ({"memory": 50 << 20, "memory_limit": 100 << 20}, "memory", "ok", "50.0 of 100.0 MiB"),
        ({"memory": 90 << 20, "memory_limit": 100 << 20}, "memory", "warning", "90.0 of 100.0 MiB"),
        ({"memory": 101 << 20, "memory_limit": 100 << 20}, "memory", "error", "101.0 of 100.0 MiB"),
        ({"memory": 0, "denied": ("INFO",)}, "memory", "warning", "may not use INFO"),
        ({"replica": True}, "role", "error", "is a replica"),
        ({"mode": "cluster"}, "role", "error", "cluster mode"),
        ({"failing": ("aof_last_write",)}, "disk", "error", "append-only file"),
        ({"failing": ("rdb_last_bgsave",)}, "disk", "warning", "snapshot"),
        ({"replicas": 1}, "replicas", "info", "Nobody waits"),
        ({}, "profile", "info", "is durable: mail survives a power cut"),
        ({"log": False}, "profile", "warning", "is volatile"),
    ],
)
def test_a_finding(changed: dict[str, Any], check: str, severity: str, said: str) -> None:
    """Each check has one finding for each state, and whatever is bad has a fix, unless nothing can be done about it."""
    (finding,) = (one for one in server_findings(replace(GOOD, **changed)) if one.check == check)
    assert finding.severity == severity
    assert said in finding.text
    assert finding.text.count(". ") == 0
    assert finding.text.endswith(".")
    assert not finding.fix.endswith(".")
    if finding.severity is Severity.ERROR:
        assert finding.fix


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({}, set()),
        ({"log": False}, {"aof"}),
        ({"log": None, "sync": None, "eviction": None, "version": None}, set()),
        ({"eviction": "allkeys-random"}, {"eviction"}),
        ({"version": ServerVersion("Redis", (6, 2, 0)), "log": False}, {"version", "aof"}),
        ({"sync": "no"}, set()),
        ({"replica": True, "failing": ("aof_last_write",)}, set()),
    ],
)
def test_what_is_refused(changed: dict[str, Any], refused: set[str]) -> None:
    """What would lose mail for sure or cannot work; what passes, or is not known, is not."""
    assert {one.check for one in server_findings(replace(GOOD, **changed)) if one.refused} == refused


@pytest.mark.parametrize(("replicas", "severity"), [(0, "error"), (1, "error"), (2, "ok"), (3, "ok")])
def test_replicas_that_are_waited_for(replicas: int, severity: str) -> None:
    """Too few of them are an error, for every write will fail."""
    (finding,) = (one for one in server_findings(replace(GOOD, replicas=replicas), 2) if one.check == "replicas")
    assert finding.severity == severity


def test_every_profile_says_what_survives() -> None:
    """The table has them all, and knows an order."""
    assert set(SURVIVES) == set(Profile)
    assert is_worse("dev", "durable")
    assert not is_worse("durable", "dev")
    assert not is_worse("dev", "dev")


INFO = (
    b"# Server\r\nredis_version:7.2.4\r\nvalkey_version:9.1.2\r\nserver_mode:standalone\r\n"
    b"used_memory:1048576\r\nmaxmemory:2097152\r\nmaxmemory_policy:noeviction\r\n"
    b"aof_enabled:1\r\naof_last_write_status:ok\r\naof_last_bgrewrite_status:err\r\nrole:master\r\n"
    b"slave0:ip=10.0.0.1,port=1,state=online,offset=1,lag=0\r\nslave1:ip=10.0.0.2,port=1,state=wait_bgsave\r\n"
    b"slave_expires_tracked_keys:0\r\n"
)
APPEND = [b"appendonly", b"yes", b"no-appendfsync-on-rewrite", b"no", b"appendfsync", b"everysec"]
MEMORY = [b"maxmemory", b"2097152", b"maxmemory-policy", b"noeviction"]
TIME = [b"1700000000", b"500000"]
DENIED = NoPermissionError("this user has no permissions to run the 'x' command")


def test_what_a_server_says() -> None:
    """Valkey is told from the Redis that it calls itself, and a replica counts when it is in step."""
    assert read_facts([INFO, APPEND, MEMORY, TIME]) == ServerFacts(
        version=ServerVersion("Valkey", (9, 1, 2)),
        replicas=1,
        log=True,
        sync="everysec",
        eviction="noeviction",
        memory=1 << 20,
        memory_limit=2 << 20,
        failing=("aof_last_bgrewrite",),
        time=1_700_000_000.5,
    )


def test_a_user_without_config() -> None:
    """INFO knows all but how often the log is synced, and so the profile is not known."""
    facts = read_facts([INFO, DENIED, DENIED, TIME])
    assert (facts.log, facts.sync, facts.eviction, facts.denied) == (True, None, "noeviction", ("CONFIG GET",))
    assert profile_of(facts) is Profile.UNVERIFIED
    assert not read_facts([INFO.replace(b"aof_enabled:1", b"aof_enabled:0"), DENIED, DENIED, TIME]).log


def test_a_server_that_reads_its_log_back() -> None:
    """It says that it keeps none until it has read it; its settings know better, and without them nobody does."""
    loading = INFO.replace(b"aof_enabled:1", b"loading:1\r\naof_enabled:0")
    assert read_facts([loading, APPEND, MEMORY, TIME]).log
    assert read_facts([loading, DENIED, DENIED, TIME]).log is None


def test_a_user_without_info() -> None:
    """CONFIG GET knows the profile, but not the version."""
    facts = read_facts([DENIED, APPEND, MEMORY, DENIED])
    assert (facts.version, facts.log, facts.sync, facts.time) == (None, True, "everysec", None)
    assert profile_of(facts) is Profile.DEV


def test_a_user_without_anything() -> None:
    """Nothing is known, nothing is refused, and the findings say why."""
    hidden = ResponseError("unknown command 'CONFIG', with args beginning with: 'GET'")
    facts = read_facts([DENIED, hidden, hidden, DENIED])
    assert facts == ServerFacts(denied=("INFO", "CONFIG GET"))
    bad = [one for one in server_findings(facts) if one.severity.is_bad]
    assert {one.check for one in bad} == {"version", "aof", "fsync", "eviction", "memory", "profile"}
    assert all("may not use" in one.text for one in bad if one.check != "profile")


@pytest.mark.parametrize("version", ["", "unstable", "7.2", "7.2.4-rc1x.y"])
def test_a_version_that_cannot_be_read(version: str) -> None:
    """It is not known, and not taken for an old one."""
    assert read_facts([f"redis_version:{version}\r\n".encode(), APPEND, MEMORY, TIME]).version is None


@pytest.mark.parametrize("place", range(len(QUESTIONS)))
def test_an_error_that_is_no_refusal(place: int) -> None:
    """It is raised, and not taken for something that is not known."""
    replies: list[Any] = [INFO, APPEND, MEMORY, TIME]
    replies[place] = ResponseError("LOADING the dataset")
    with pytest.raises(ResponseError, match="LOADING"):
        read_facts(replies)


def test_a_finding_as_text() -> None:
    """The sentence, and what to do where there is something to do."""
    assert str(Finding("aof", Severity.OK, "All is well.")) == "All is well."
    assert str(Finding("aof", Severity.ERROR, "It is bad.", "mend it")) == "It is bad. Fix: mend it."
