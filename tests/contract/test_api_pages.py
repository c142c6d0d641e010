"""docs/api is what the docstrings say."""

import pytest

import lion_broker
from tests.contract.api_pages import FOLDER, main, pages


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
