"""What each page with commands tells of: what is there when it begins, and what has happened before some of them."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from importlib.metadata import version

from lion_broker import Session
from lion_broker.insight.dead_groups import group_steps
from lion_broker.insight.overview import overview_steps
from lion_broker.mail.exchange import run
from lion_broker.mail.verbs import ListSessions, ReadWaiting, SetWanted
from lion_broker.mail.waiting import WaitsAt
from tests.conformance.servers import SECRET
from tests.contract.documents import blocks
from tests.contract.worlds import World
from tests.stage import ROOT

__all__ = ["BEFORE", "BEGINNINGS", "INSTEAD", "OWN_SERVERS"]

Act = Callable[[World], object]

LONG_AGO_DAYS = 100
LEASE_MS = 600_000
AT_WORK = ("web-1:812:9f3c01d2", "web-1:813:4ab2f77e")

OWN_SERVERS = {"docs/production.md", "docs/security.md"}
"""Pages that are about a server that somebody has started; on all others it is the embedded one."""


def files_of(page: str) -> Act:
    """Write the files that a page shows."""

    def write(world: World) -> None:
        for block in blocks(ROOT / page, "python"):
            if block.title:
                (world.folder / block.title).write_text(block.text)

    return write


def desk(world: World) -> Session:
    """A reader and its critic, who is too tired for what the reader sends."""
    return world.session("desk", reader="read", critic="criticise")


def asked_desk(world: World) -> None:
    """The same with a mail that waits."""
    desk(world).default_branch.send("reader", "message", "to be or not to be")


def busy_desk(world: World) -> None:
    """The same with dead letters, somebody at work, a third branch, and changes in a checkout."""
    session = desk(world)
    session.new_branch(name="reviewer", pool="readers", behaviour="read")
    session.default_branch.send("reader", "message", "to be or not to be")
    world.hire("web-1", 812)
    session.wait_idle()
    world.wait_for(lambda: session.dead_letters)
    for words in (["init", "--quiet"], ["add", "app.py"]):
        subprocess.run(["git", *words], cwd=world.folder, check=True)
    with (world.folder / "app.py").open("a") as app:
        app.write("# A change.\n")


def travels(world: World) -> None:
    """Sessions to be copied."""
    world.empty()
    for name in ("zoo", "trip"):
        session = Session(name=name, exchange=world.exchange, delivery="auto")
        ben = session.new_branch(name="ben")
        session.default_branch.send(ben, "message", "Where to?")
        session.close()


def deployment(world: World) -> None:
    """Two sessions: one at work, of which a mail was lost and done again, one failed, and one is in hand."""
    world.forget()
    desk(world)
    audit = world.session("audit", held="read", lost="read", moody="hesitate")
    for name, lease_ms in (("held", LEASE_MS), ("lost", 1)):
        audit.default_branch.send(name, "message", "to be or not to be")
        audit.flush()
        world.claim(audit, audit.branches[name], lease_ms)
    audit.default_branch.send("moody", "message", "or not")
    # What nobody has done is looked for when a lease is over; this one may lose its own as well.
    world.hire("web-2", 78, lease=1.0)
    world.exchange.call(SetWanted("readers", 2))

    def received() -> bool:
        audit.default_branch.receive_all()
        return len(audit.default_branch.messages) == 1

    world.wait_for(received)
    world.wait_for(lambda: run(world.exchange, overview_steps()).retrying == 1)
    audit.flush()
    # Real ones would say by how much they are late, on a machine that is busy.
    world.rest()
    world.forget()
    for owner in AT_WORK:
        world.enrol(owner)
    world.lose("web-2:77:c01d29f3")


def tired_desk(world: World) -> None:
    """A letter that is dead of a TimeoutError, in the session `desk`."""
    for owner in AT_WORK:
        world.lose(owner)
    world.forget()
    world.hire("web-1", 812)
    world.hire("web-1", 813)
    session = world.sessions["desk"]
    session.default_branch.send("critic", "message", "What of this?")
    world.wait_for(lambda: session.dead_letters)


def hired(world: World) -> None:
    """One more worker on `web-1`."""
    world.hire("web-1", 812 + len(world.workers("running")))


def open_mail(world: World) -> str:
    """The end of the id of the mail that is in hand."""
    audit = world.sessions["audit"]
    held = audit.branches["held"]
    (row,) = world.exchange.call(ReadWaiting(audit.id, held.id, WaitsAt.MAILBOX))
    return str(row.mail.id)[-8:]  # type: ignore[union-attr]


def group(world: World) -> str:
    """The name of the one group of dead letters."""
    (found,) = run(world.exchange, group_steps(world.exchange.call(ListSessions()))).groups
    return found.kind.id


def users(world: World, namespace: str = "default") -> None:
    """Make the users of the server as the commands say that `acl` prints."""
    printed = world.shell.type(f"lion-broker acl --namespace {namespace}").out
    for line in printed.splitlines():
        if line.startswith("ACL "):
            world.server.client.execute_command(*shlex.split(line))


def aged(world: World) -> None:
    """A session in which nothing has happened for long."""
    session = Session(name="old", exchange=world.exchange)
    session.close()
    key = world.exchange._opened.keys.session(session.id)  # type: ignore[attr-defined]
    seconds, _ = world.server.client.time()
    then = int(seconds) - LONG_AGO_DAYS * 86_400
    world.server.client.delete(f"{key}:events")
    world.server.client.xadd(f"{key}:events", {"k": "turn"}, id=f"{then * 1000}-1")
    world.server.client.hset(key, "f:created_at", str(float(then)))


def up(world: World) -> None:
    """Something that `up` has started."""
    started = world.shell.type("lion-broker up --app app:registry --pool readers --workers 1 --no-dashboard --detach")
    assert started.code == 0, started.whole


def second(world: World) -> None:
    """The session of the quickstart, and the worker's file."""
    files_of("docs/quickstart.md")(world)
    session = Session(name="second", exchange=world.exchange, delivery="auto")
    session.new_branch(name="loud", pool="loud", behaviour="shout")
    session.close()


BEGINNINGS: dict[str, tuple[Act, ...]] = {
    "README.md": (files_of("README.md"), asked_desk),
    "docs/commands.md": (busy_desk,),
    "docs/copies.md": (travels,),
    "docs/failing.md": (busy_desk,),
    "docs/quickstart.md": (second,),
    "docs/thinking.md": (files_of("docs/thinking.md"),),
    "docs/workers.md": (files_of("docs/workers.md"), busy_desk),
    "docs/watching.md": (desk, lambda world: (world.folder / "state").mkdir()),
}
"""What is there when a page begins, if anything."""

BEFORE: dict[tuple[str, str], tuple[Act, ...]] = {
    ("docs/commands.md", "lion-broker session rm --older-than 30d --dry-run"): (aged,),
    ("docs/copies.md", "lion-broker session import trip.jsonl --same-ids"): (World.empty,),
    ("docs/copies.md", "lion-broker session export --all --output backup"): (travels,),
    ("docs/operating.md", "lion-broker status"): (deployment,),
    ("docs/operating.md", "lion-broker dead retry --error TimeoutError"): (tired_desk,),
    ("docs/operating.md", "lion-broker drain --version 0.1.0 --wait"): (hired, hired),
    ("docs/operating.md", "lion-broker drain --all"): (hired,),
    ("docs/operating.md", "lion-broker forget web-1:812"): (
        World.forget,
        lambda world: world.lose("web-1:812:9f3c01d2"),
    ),
    ("docs/operating.md", "lion-broker forget --all"): (lambda world: world.lose("web-2:77:c01d29f3"),),
    ("docs/operating.md", "lion-broker down"): (up,),
    ("docs/production.md", "lion-broker acl --check"): (users,),
    ("docs/production.md", "lion-broker session rm --older-than 90d --dry-run"): (aged,),
    ("docs/production.md", "lion-broker session export --all --output backup"): (travels,),
    ("docs/production.md", "lion-broker session import keep.jsonl --same-ids"): (World.empty,),
    ("docs/security.md", "lion-broker acl --check --namespace shop"): (lambda world: users(world, "shop"),),
}
"""What happens before a command of a page."""

INSTEAD: dict[str, Callable[[World], str]] = {
    "…c6880316e": lambda world: f"…{world.sessions['desk'].id[-9:]}",
    "736ad809": open_mail,
    "3f9a6c21d0": group,
    "--version 0.1.0": lambda world: f"--version {version('lion-broker')}",
    "/var/lib/desk/": lambda world: "state/",
    "lion-broker doctor --url redis://127.0.0.1:6379": lambda world: (
        f"LION_BROKER_SECRET={shlex.quote(SECRET.decode())} lion-broker doctor --url {world.volatile}"
    ),
    "0.0.0.0:8080": lambda world: "127.0.0.1:0",
    "lion-broker gateway": lambda world: "lion-broker gateway --port 0",
    "lion-broker up": lambda world: "lion-broker up --port 0",
    "--wait 30": lambda world: "--wait 120",
    "lion-broker bench": lambda world: "lion-broker bench --mails 200",
}
"""What is typed instead of what a page shows: ids of this world, places of this machine, free ports, patience."""
