"""From the facts of a namespace, its keys and the function library to findings, without a server."""

from dataclasses import replace
from typing import Any

import pytest

from lion_broker.broker.checkup.finding import Finding
from lion_broker.broker.checkup.namespace import (
    Keyring,
    LibraryFacts,
    NamespaceFacts,
    key_findings,
    library_findings,
    namespace_findings,
)
from lion_broker.broker.checkup.profile import Profile
from lion_broker.broker.library import PROTOCOL
from lion_broker.broker.signing import UNSIGNED

LIBRARY = LibraryFacts("ours", loaded=True, intact=True, others=(), may_load=True, may_call=True, may_write=True)
NAMESPACE = NamespaceFacts("default", PROTOCOL, 1, ("aaaa",), "durable")
KEYRING = Keyring("aaaa", ("aaaa",), insecure=False, embedded=False)
ROTATING = replace(KEYRING, accepted=("aaaa", "bbbb"))
BARE = Keyring(UNSIGNED, (UNSIGNED,), insecure=True, embedded=False)


def judged(found: list[Finding], said: str) -> list[str]:
    """The severities, after a look at the texts: whole sentences, a fix for what is bad, and `said` in one of them."""
    assert any(said in one.text for one in found), found
    assert all(one.text.endswith(".") and ". " not in one.text for one in found)
    assert all(one.fix for one in found if one.severity.is_bad)
    return [str(one.severity) for one in found]


@pytest.mark.parametrize(
    ("changed", "severities", "said"),
    [
        ({}, ["ok"], "are loaded (ours)"),
        ({"others": ("theirs", "older")}, ["ok", "info"], "theirs, older"),
        ({"intact": None}, ["ok"], "are loaded"),
        ({"intact": False}, ["error"], "were changed on the server"),
        ({"loaded": False, "intact": None}, ["info"], "not loaded yet"),
        ({"loaded": False, "intact": None, "may_load": False}, ["error"], "this user may not load them"),
        ({"loaded": None, "intact": None}, ["info"], "may not see functions"),
        ({"loaded": None, "intact": None, "may_load": False}, ["warning"], "somebody else must have loaded"),
        ({"may_load": False}, ["ok"], "are loaded"),
        ({"may_call": False}, ["error", "ok"], "may not call functions"),
        ({"may_write": False}, ["error", "ok"], "not write what they write"),
        ({"may_call": False, "may_write": False}, ["error", "ok"], "may not call functions"),
    ],
)
def test_the_library(changed: dict[str, Any], severities: list[str], said: str) -> None:
    """What is there, whether it is what its name says, and what this user may do with it."""
    assert judged(list(library_findings(replace(LIBRARY, **changed))), said) == severities


@pytest.mark.parametrize(
    ("changed", "wanted", "now", "severities", "said"),
    [
        ({}, 1, "durable", ["ok"], "1 partition."),
        ({"partitions": 16}, 16, "durable", ["ok"], "16 partitions."),
        ({"partitions": 16}, 1, "durable", ["ok"], "16 partitions."),
        ({"partitions": 16}, 4, "durable", ["ok", "info"], "LION_BROKER_PARTITIONS=4 is not used"),
        ({"protocol": None}, 4, "durable", ["info"], "makes it, with 4 partitions"),
        ({"protocol": PROTOCOL + 1}, 1, "durable", ["error"], f"speaks protocol {PROTOCOL + 1}"),
        ({}, 1, "dev", ["ok", "warning"], "was durable when a program last verified it, and is dev now"),
        ({}, 1, "ha", ["ok"], "protocol"),
        ({}, 1, "unverified", ["ok"], "protocol"),
        ({"profile": ""}, 1, "volatile", ["ok"], "protocol"),
        ({"profile": "a later one"}, 1, "volatile", ["ok"], "protocol"),
    ],
)
def test_the_namespace(changed: dict[str, Any], wanted: int, now: str, severities: list[str], said: str) -> None:
    """Its protocol, its partitions, and whether the server promised more once."""
    findings = list(namespace_findings(replace(NAMESPACE, **changed), wanted, Profile(now)))
    assert judged(findings, said) == severities


@pytest.mark.parametrize(
    ("keys", "keyring", "severities", "said"),
    [
        ("aaaa", KEYRING, ["ok"], "signed with the key aaaa"),
        ("bbbb aaaa", KEYRING, ["ok"], "signed with the key aaaa"),
        ("bbbb aaaa", ROTATING, ["ok", "info"], "signed with bbbb is accepted as well"),
        ("aaaa bbbb", ROTATING, ["info"], "others with the newer one bbbb"),
        ("bbbb", ROTATING, ["info"], "will sign with a newer one, aaaa"),
        ("bbbb", KEYRING, ["error"], "does not have (it has: aaaa)"),
        ("bbbb", replace(KEYRING, embedded=True), ["error"], "does not have"),
        ("bbbb", BARE, ["error"], "does not have (it has: none)"),
        ("", KEYRING, ["ok"], "this one has aaaa"),
        ("", BARE, ["warning"], "would not be signed"),
        (UNSIGNED, BARE, ["warning"], "is not signed"),
        (UNSIGNED, KEYRING, ["error"], "is not signed, and this program has a key (aaaa)"),
        ("aaaa", replace(KEYRING, insecure=True), ["warning", "ok"], "LION_BROKER_INSECURE is set beside a secret"),
    ],
)
def test_the_keys(keys: str, keyring: Keyring, severities: list[str], said: str) -> None:
    """Those of the namespace, the newest last, and those of this program."""
    findings = list(key_findings(replace(NAMESPACE, keys=tuple(keys.split())), keyring))
    assert judged(findings, said) == severities
    if keyring.embedded:
        assert "the file `secret`" in findings[0].fix
