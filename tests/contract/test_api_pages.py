"""docs/api is what the docstrings say."""

import inspect
import re

import pytest

import lion_broker
from tests.contract.api_pages import FOLDER, main, pages
from tests.contract.api_rule import INSIDE


def test_no_page_is_stale(capsys: pytest.CaptureFixture[str]) -> None:
    """`scripts/docs` would change nothing; what it would change is named."""
    assert main(["--check"]) == 0, capsys.readouterr().err


def test_every_public_class_and_function_is_there() -> None:
    """Each name has a heading of its own, and the index leads to its page."""
    text = "\n".join(pages().values())
    index = (FOLDER / "README.md").read_text()
    for name in lion_broker.__all__:
        if callable(getattr(lion_broker, name)):
            assert f"\n## {name}\n" in text
            assert f"`{name}`" in index


def test_pages_are_the_same_every_time() -> None:
    """No address of an object and no order of a set is in them."""
    assert pages() == pages()
    assert " at 0x" not in "".join(pages().values())


def test_what_is_inside_is_left_out() -> None:
    """What only the package can call or give is in no page; and what is left out by name is there to be left out."""
    text = "\n".join(pages().values())
    for name, members in INSIDE.items():
        owner = getattr(lion_broker, name)
        for member in members:
            assert inspect.getattr_static(owner, member, None) is not None, f"{name}.{member}"
            assert f"### {name}.{member}\n" not in text
    assert "_steps(" not in text
    shown = "\n".join(re.findall(r"```text\n(.*?)```", text, re.DOTALL))
    for inner in ("SessionState", "Host", "RemoteContext", "Question", "Copies", "WireMail", "Budget", "Deferred"):
        assert not re.search(rf"\b{inner}\b", shown), inner


def test_what_users_call_stays() -> None:
    """The rule takes nothing from them."""
    text = "\n".join(pages().values())
    for name in ("BaseBranch.operate", "Session.new_branch", "Session.edit_dead_letter", "Pile.last"):
        assert f"### {name}\n" in text
    for name in ("Progression.append", "Registry.behaviour", "ActionManager.invoke", "Exchange.call", "iModel.of"):
        assert f"### {name}\n" in text
