"""The commands of the console blocks of all pages run, in order, each page in a world as it describes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from lion_broker.cli.exits import Code
from tests.contract.console import Ended, Typed, shape, typed
from tests.contract.scenes import BEFORE, BEGINNINGS, INSTEAD, OWN_SERVERS
from tests.contract.test_readme import DOCUMENTS, ROOT
from tests.contract.worlds import World, world

NOT_RUN = {
    # command: why, and what is done about it
    "scripts/demo": "the whole desk: test_readme holds its output against the page",
    "scripts/demo --kill-one": "the whole desk: tests/integration/test_demo.py kills a worker of it",
    "scripts/demo --keep --kill-one": "the whole desk: tests/integration/test_demo.py kills a worker, and keeps it",
    "lion-broker demo research --keep": "the whole desk: tests/integration/test_demo.py keeps it",
    "scripts/test": "this is it; test_scripts has what it starts",
    "scripts/install": "installs from the network; test_scripts has what it starts",
    ". .venv/bin/activate": "the interpreter's own; the commands here run with the environment on their path",
    "git clone <this repository> && cd lion-broker": "no command but a form of one; the network",
    "pip install 'lion-broker[dashboard]'": "the network; the tests run with this extra",
    "docker compose up --scale worker=8": "needs an engine; test_compose reads the file with Compose itself",
    "docker compose up --detach --scale worker=8": "needs an engine; test_compose reads the file with Compose itself",
    "docker compose logs gateway": "needs an engine; test_compose knows the service",
    "docker compose --profile obs up --detach": "needs an engine; test_compose resolves the profile",
    "docker compose run --rm worker python program.py": "needs an engine; test_compose knows the service",
    'kubectl create secret generic lion-broker --from-literal=secret="$(lion-broker keygen)"'
    ' --from-literal=dashboard-token="$(lion-broker keygen)"': "needs a cluster; test_deploy reads what uses it",
    "kubectl apply -f docs/deploy/kubernetes/settings.yaml -f docs/deploy/kubernetes/server.yaml": "needs a cluster;"
    " test_deploy reads the files",
    "kubectl apply -f docs/deploy/kubernetes/worker.yaml -f docs/deploy/kubernetes/gateway.yaml"
    " -f docs/deploy/kubernetes/network.yaml": "needs a cluster; test_deploy reads the files",
    "curl -s localhost:8080/readyz": "a fixed port; tests/integration/telemetry asks such pages",
    'curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8420/dead.json': "a fixed port;"
    " tests/integration/dashboard asks such pages",
    'curl -H "Authorization: Bearer $TOKEN" -H "Accept: text/csv" http://127.0.0.1:8420/sessions': "the same",
    "scripts/bench --quick": "minutes, and other systems; tests/integration/benchmarks runs the parts",
    "scripts/bench --only P1,P3 --peers faststream,taskiq": "the same",
    "scripts/bench --json results.json --write": "the same",
    "scripts/bench --from results.json": "the same",
    "python -m tests.benchmarks.telemetry_instructions --turn 100 --works drain --runs 1": "needs valgrind",
    "python -m tests.benchmarks.telemetry_instructions --turn 20 --works relay --watches otel --runs 1": "the same",
    "python -m tests.benchmarks.telemetry_instructions --turn 20 --works drain --apart --runs 1": "the same",
    "python -m tests.benchmarks.telemetry_pairs drain together 110": "takes minutes",
    "python -m tests.benchmarks.telemetry_pairs relay together 60": "the same",
    "python -m tests.benchmarks.telemetry_pairs drain apart 60": "the same",
    "python -m tests.benchmarks.telemetry_calls otel drain": "a measurement",
}
"""Commands that a test cannot run, each with the reason and what is done instead."""


@dataclass(frozen=True)
class Long:
    """A command that runs until it is stopped: what it shows when it serves, and how often.

    It `stays` to the end of its page, or ends at once; some are `moved` to show something by a mail.
    """

    pattern: str
    sign: str
    times: int = 1
    stays: bool = False
    moved: bool = False


LONG = (
    Long(r"lion-broker up(?! --detach)\b.*", "  stop "),
    Long(r"lion-broker worker .*--processes 4", "ready: worker", 4),
    Long(r"lion-broker worker .*", "ready: worker", stays=True),
    Long(r"(?:\.venv/bin/)?lion-broker gateway.*", "Dashboard: "),
    Long(r"lion-broker tail .*", '"sent"', moved=True),
    Long(r"lion-broker dead ls .*--watch", "TimeoutError"),
)

CODES = {
    "lion-broker status --fail-if-waiting 60s --fail-if-dead --fail-if-lost": (
        Code.ALARM,
        "it ends with 8 when it found one of these, and says on stderr which",
    ),
}
"""Commands that end with another code than 0 without showing it, with the words of the page that say so."""

SAYS: dict[tuple[str, str], str] = {
    ("README.md", ".venv/bin/lion-broker mail ls @ --sort tries"): r"TRIES .*\n.* reader +message +waiting +0 ",
    (
        "docs/commands.md",
        "lion-broker session show desk",
    ): r"name: +desk\n(?s:.*) critic .*\n.* reader .*\n.* reviewer ",
    ("docs/commands.md", "lion-broker branch ls @"): r" critic .*\n.* reader .*\n.* reviewer ",
    ("docs/commands.md", "lion-broker session show …c6880316e"): r"name: +desk\n",
    ("docs/commands.md", "lion-broker session ls --having dead --sort dead"): r" DEAD\n.* desk .* 1\n$",
    ("docs/commands.md", "lion-broker mail ls --state open --older-than 5m"): r"^No mail matches\.\n$",
    (
        "docs/commands.md",
        "lion-broker mail ls desk --reason TimeoutError -o csv",
    ): r"^mail,.*\n.*,reader,critic,.*Timeout",
    ("docs/commands.md", "lion-broker mail ls desk --from reader --to critic"): r" reader +critic +message +dead ",
    ("docs/commands.md", 'lion-broker mail send desk reader "How many words?" --wait 30'): r"^3 words\n$",
    ("docs/commands.md", "git diff | lion-broker mail send desk reviewer -"): r"^Sent ",
    ("docs/commands.md", "lion-broker mail send desk reader search --category tool"): r"^Sent ",
    ("docs/commands.md", 'lion-broker mail send desk reader "Stop at noon." --as-user ada'): r"^Sent ",
    ("docs/commands.md", "lion-broker session rm --older-than 30d --dry-run"): r"\n1 would be removed\.\n$",
    ("docs/commands.md", "lion-broker session rm --older-than 30d"): r"^Removed \S+\n$",
    ("docs/copies.md", "lion-broker session export trip --pause --output trip.jsonl"): r"^Exported .* 1 waiting mail, ",
    ("docs/copies.md", "lion-broker session import trip.jsonl"): r"^Imported .* 1 waiting mail, ",
    ("docs/copies.md", "lion-broker session import trip.jsonl --same-ids"): r"^Imported .* 1 waiting mail, ",
    ("docs/copies.md", "lion-broker session export --all --output backup"): r"^Exported 2 sessions into backup\.\n$",
    ("docs/copies.md", "lion-broker session export trip zoo --pause --output backup"): r"^Exported 2 sessions",
    ("docs/copies.md", "lion-broker session import backup --same-ids --skip-existing"): r"there already: 2\.\n$",
    ("docs/copies.md", 'lion-broker session fork trip --name "what if"'): r"^Forked .* 0 waiting mails",
    ("docs/failing.md", "lion-broker dead ls --group"): r" failed +criticise .* TimeoutError: too tired\n$",
    ("docs/failing.md", "lion-broker dead retry --group 3f9a6c21d0 --dry-run"): r"\n1 would be sent again\.\n$",
    ("docs/operating.md", "lion-broker mail ls --state open"): r" held .* working (?s:.*) moody .* retrying ",
    (
        "docs/operating.md",
        "lion-broker mail show 736ad809",
    ): r"state: +working(?s:.*)\nTo stop it: lion-broker mail stop ",
    ("docs/operating.md", "lion-broker dead retry --error TimeoutError"): r"^1 sent again\.\n$",
    (
        "docs/operating.md",
        'lion-broker branch pause --pool readers --reason "the model is down"',
    ): r"^Paused 3 branches",
    (
        "docs/operating.md",
        "lion-broker branch resume --pool readers",
    ): r"^Resumed 3 branches(?s:.*)# it asks too much\n",
    ("docs/operating.md", "lion-broker scale readers 8"): r" is to keep 8 workers\. ",
    ("docs/operating.md", "lion-broker scale"): r"readers +2 +8 ",
    ("docs/operating.md", "lion-broker drain web-1:812 --wait"): r"^web-1:812:\w+ has stopped\.\n$",
    ("docs/operating.md", "lion-broker drain --pool readers --wait --timeout 120"): r"^web-1:813:\w+ has stopped\.\n$",
    ("docs/operating.md", "lion-broker drain --all"): r"^web-1:812:\w+ is told to drain\.\n$",
    ("docs/operating.md", "lion-broker forget web-1:812"): r"^Forgot web-1:812:9f3c01d2\.\n$",
    ("docs/operating.md", "lion-broker forget --all"): r"^Forgot web-2:77:c01d29f3\.\n$",
    ("docs/operating.md", "lion-broker down"): r"^It is down\.\n$",
    ("docs/operating.md", "lion-broker down --server"): r"\nThe embedded server is stopped\.",
    ("docs/production.md", "lion-broker keygen"): r"^[0-9a-f]{64}\n$",
    ("docs/production.md", "lion-broker init"): r"\nfunctions +\S+ are loaded now\n",
    ("docs/production.md", "lion-broker acl --check"): r"^(?:ok .*\n){4}$",
    ("docs/production.md", "lion-broker doctor"): r"\n0 errors, 0 warnings\n$",
    ("docs/production.md", "lion-broker config show"): r"\nLION_BROKER_SECRET +\(set: key \w{8}\) +environment\n",
    ("docs/production.md", "lion-broker bench"): r"\nmails a second +",
    ("docs/production.md", "lion-broker session import keep.jsonl --same-ids"): r"^Imported ",
    ("docs/quickstart.md", "lion-broker session ls"): r" second ",
    (
        "docs/quickstart.md",
        "lion-broker branch show second loud",
    ): r"\nname: +loud\npool: +loud\n(?s:.*)\nhandling_since: +-\n",
    ("docs/quickstart.md", 'lion-broker mail send second loud "good evening" --wait 30'): r"^GOOD EVENING\n$",
    ("docs/quickstart.md", "lion-broker session rm second"): r"^Removed \S+\n$",
    ("docs/security.md", "lion-broker acl worker --namespace shop"): r"\nACL SETUSER lion-worker .*~lion:\{shop:",
    ("docs/security.md", "lion-broker acl --check --namespace shop"): r"^(?:ok .*\n){4}$",
    ("docs/server.md", "lion-broker server status"): r" is ready: ",
    ("docs/server.md", "lion-broker server stop"): r"^Stopped; the data is in ",
    ("docs/workers.md", "lion-broker dead ls --json"): r'"session_name":"desk".*"branch_name":"critic"',
}
"""What is printed, where a page only tells of it."""

PAGES = {str(document.relative_to(ROOT)): document for document in DOCUMENTS}
TYPED = {page: lines for page, document in PAGES.items() if (lines := typed(document, page))}
RUN = {page: [one for one in lines if one.text not in NOT_RUN] for page, lines in TYPED.items()}


@pytest.mark.redis
@pytest.mark.processes
@pytest.mark.parametrize("page", [page for page, lines in RUN.items() if lines])
def test_the_commands_of_a_page_run(page: str) -> None:
    """Each ends as the page says, and prints what the page shows; what runs on is ended by Ctrl-C, with 0."""
    with world(embedded=page not in OWN_SERVERS) as here:
        for act in BEGINNINGS.get(page, ()):
            act(here)
        for line in RUN[page]:
            for act in BEFORE.get((page, line.text), ()):
                act(here)
            judge(line, run(here, line))
        here.rest()
        for going in here.shell.going:
            done = going.stop()
            assert done.code == Code.OK, f"{going.text}: {done.whole}"


def test_every_row_of_the_tables_is_used() -> None:
    """What is not run, typed otherwise, prepared, or ends otherwise stands on a page; each long one is typed."""
    lines = {line.text for lines in TYPED.values() for line in lines}
    runs = {(page, line.text) for page, lines in RUN.items() for line in lines}
    texts = {text for _, text in runs}
    assert NOT_RUN.keys() - lines == set()
    assert BEFORE.keys() - runs == SAYS.keys() - runs == set()
    assert CODES.keys() - texts == set()
    assert BEGINNINGS.keys() - TYPED.keys() == OWN_SERVERS - TYPED.keys() == set()
    assert [shown for shown in INSTEAD if not any(shown in text for text in texts)] == []
    assert [one.pattern for one in LONG if not any(re.fullmatch(one.pattern, text) for text in texts)] == []


def test_the_commands_of_the_project_run() -> None:
    """No command of `lion-broker` is left out but the demo, which has tests of its own."""
    left = [text for text in NOT_RUN if re.match(r"(?:\S*/)?lion-broker\b", text)]
    assert left == ["lion-broker demo research --keep"]


def run(here: World, line: Typed) -> Ended:
    """Do one command; of one that runs on, return what it has shown when it serves."""
    text = line.text
    for shown, instead in INSTEAD.items():
        if shown in text:
            text = text.replace(shown, instead(here))
    long = long_of(line)
    if long is None:
        return here.shell.type(text)
    going = here.shell.start(text)
    going.shows(long.sign, long.times, here.happen if long.moved else (lambda: None))
    return Ended(Code.OK, going.out, going.err) if long.stays else going.stop()


def long_of(line: Typed) -> Long | None:
    """How a command runs on, if it does."""
    return next((one for one in LONG if re.fullmatch(one.pattern, line.text)), None)


def judge(line: Typed, done: Ended) -> None:
    """Hold how a command has ended, and what it has printed, against the page."""
    said = f"{line.place}\n{done.whole}"
    code, words = CODES.get(line.text, (Code.OK, ""))
    assert done.code == (code if line.code is None else line.code), said
    assert words in " ".join(PAGES[line.page].read_text().split())
    assert not re.search(r"Traceback|Usage:|Error: No such|unexpected extra", done.whole), said
    if line.shown:
        # What runs on has its log on stderr.
        seen = done.out if long_of(line) else done.err + done.out
        assert shape(seen) == shape("\n".join(line.shown)), said
    told = SAYS.get((line.page, line.text), "")
    assert re.search(told, done.out) or re.search(told, done.err), said


def test_blocks_are_read_as_a_reader_reads_them(tmp_path: Path) -> None:
    """Prompts, output and the exit code that a page shows are told apart; a block of a shell has no prompts."""
    page = tmp_path / "page.md"
    page.write_text(
        "```console\n$ lion-broker doctor \\\n    --json\nok\n$ echo $?\n6\n```\n```sh\nlion-broker keygen\n```\n"
    )
    assert typed(page, "page.md") == [
        Typed("page.md", 2, "lion-broker doctor       --json", ("ok",), 6),
        Typed("page.md", 9, "lion-broker keygen"),
    ]


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("web-1:812:9f3c01d2  14/100  12m", "vm:7:0a22eb18   0/100   1.6s"),
        ("redis://server.internal:6379/0  profile durable", "embedded:///tmp/d  profile dev"),
        ("readers  3  0.2s", "readers  0     -"),
    ],
)
def test_a_shape_is_what_stays_from_run_to_run(shown: str, printed: str) -> None:
    """Ids, places, numbers and times differ, and the widths of columns with them."""
    assert shape(shown) == shape(printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [("1 mail", "1 mails"), ("READY  WANTED", "READY"), ("has stopped.", "is lost."), ("a", "a\nb")],
)
def test_words_are_part_of_a_shape(shown: str, printed: str) -> None:
    """And so are columns and lines."""
    assert shape(shown) != shape(printed)
