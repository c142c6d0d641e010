"""Passwords and users that change while programs run: who may not enter is told so, and nobody is started again."""

from typing import Any

import pytest

from lion_broker import BrokerError, Session
from lion_broker.testing import wait_until
from tests.faults.load import Load, check
from tests.faults.place import Site
from tests.stage import Program

pytestmark = [pytest.mark.redis, pytest.mark.processes]

USER, OLD, NEW = "lions", "the-old-password", "the-new-password"
REFUSED = r"refused this user: .*\. Check user and password in the URL\."
FORBIDDEN = r"refused this user: .*\. Use one with more rights: `lion-broker acl` prints what each role needs\."


@pytest.fixture
def guarded(site: Site) -> Site:
    """A site whose programs come as a user of their own; the test itself may do everything."""
    set_password(site, OLD)
    site.use(site.server.url.replace("unix://", f"unix://{USER}:{OLD}@"))
    return site


def set_password(site: Site, password: str, *rules: str) -> None:
    """Give the user this password and no other, and end the connections that it had with another."""
    with site.server.client() as client:
        client.execute_command("ACL", "SETUSER", USER, "reset", "on", f">{password}", "~*", "&*", "+@all", *rules)
        client.execute_command("CLIENT", "KILL", "USER", USER)


def worker_of(site: Site) -> Program:
    """A worker that serves."""
    worker = site.worker(lease=1.0, LION_BROKER_PATIENCE="1")
    worker.ready()
    return worker


def secrets_in(worker: Program) -> list[str]:
    """Passwords that a worker has told."""
    return [word for word in (OLD, NEW) if word in worker.errors]


def test_a_password_that_changes_and_comes_back(guarded: Site) -> None:
    """Refused with a clear error, which a worker tells once; then it goes on, with what waited meanwhile."""
    load = Load.begin(guarded)
    worker = worker_of(guarded)
    load.send("home:0")
    check(load)
    set_password(guarded, NEW)
    with pytest.raises(BrokerError, match=REFUSED):
        load.session.default_branch.send(load.branches[1], "message", "home:1")
    wait_until(lambda: "waiting until it is mended" in worker.errors)
    with guarded.server.client() as client:
        before = refusals(client)
        wait_until(lambda: refusals(client) >= before + 8)
    assert worker.errors.count("waiting until it is mended") == 1
    set_password(guarded, OLD)
    load.send("home:2")
    ledger = check(load)
    assert sorted(text for branch in load.branches for text in ledger.texts[branch]) == ["home:0", "home:1", "home:2"]
    assert worker.alive
    assert secrets_in(worker) == []


def refusals(client: Any) -> int:
    """How often the server has turned somebody away."""
    return int(client.info("stats")["acl_access_denied_auth"])


def test_a_command_that_is_forbidden_for_a_while(guarded: Site) -> None:
    """A user who may not call functions any more: the same."""
    load = Load.begin(guarded)
    worker = worker_of(guarded)
    set_password(guarded, OLD, "-fcall", "-xreadgroup")
    with pytest.raises(BrokerError, match=FORBIDDEN):
        load.session.default_branch.send(load.branches[0], "message", "home:0")
    wait_until(lambda: "waiting until it is mended" in worker.errors)
    set_password(guarded, OLD)
    load.send("home:6")
    check(load)
    assert worker.alive
    assert "Traceback" not in worker.errors


def test_a_wrong_password_from_the_start(guarded: Site) -> None:
    """A worker ends at once and says why, and a session is not made; neither tells the password."""
    set_password(guarded, NEW)
    worker = guarded.worker(LION_BROKER_PATIENCE="20")
    assert worker.wait() != 0
    assert "refused this user" in worker.errors
    assert "Is it running" not in worker.errors
    with pytest.raises(BrokerError, match=REFUSED) as raised:
        Session(exchange=guarded.connect())
    assert secrets_in(worker) == []
    assert OLD not in str(raised.value)


def test_a_user_that_is_deleted_and_made_again(guarded: Site) -> None:
    """Its connections end with it; the programs find their way back when it is there again."""
    load = Load.begin(guarded)
    worker = worker_of(guarded)
    with guarded.server.client() as client:
        client.acl_deluser(USER)
    wait_until(lambda: "waiting until it is mended" in worker.errors)
    set_password(guarded, OLD)
    for number in range(12):
        load.send(f"home:{number}")
    assert len(check(load).effects) == 24
    assert load.refused == []
