"""The protocol, looked at whole: every state that can be reached in some small worlds keeps every law."""

import pytest

from tests.model.search import explore
from tests.model.server import Server
from tests.model.tables import (
    README,
    VARIANTS_HEAD,
    WORLDS_HEAD,
    first_cells,
    search_variant,
    search_world,
    variant_row,
    world_row,
)
from tests.model.variants import VARIANTS, NoCompareAndSet, NoFence
from tests.model.worlds import WORLDS

EFFECTS = ("each_mail_once", "in_order", "nothing_lost")


@pytest.mark.parametrize("name", WORLDS)
def test_every_reachable_state_keeps_the_laws(name: str) -> None:
    """In no order of events is mail lost, doubled or reordered, and a spared world comes to rest with all of it."""
    found = search_world(name)
    assert not found.law, found
    # A world that has shrunk shows less than it says.
    assert world_row(name, found) in README.read_text(), f"{found}; python -m tests.model writes the table"


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_each_variant_breaks_its_law(variant: type[Server]) -> None:
    """The search is able to fail: for each variant of the protocol it finds a shortest trace to the harm."""
    found = search_variant(variant)
    assert found.law == VARIANTS[variant][1], found
    assert variant_row(variant, found) in README.read_text(), f"{found}; python -m tests.model writes the table"


def test_the_compare_and_set_is_the_safety() -> None:
    """Without it mail has two effects; without the token but with it, mail has one, though strangers get in the way."""
    assert explore(WORLDS["small"], NoCompareAndSet(), EFFECTS)[0].law == "each_mail_once"
    assert explore(WORLDS["small"], NoFence(), EFFECTS)[0].law == ""


def test_the_tables_name_what_there_is() -> None:
    """README has a row for each world and each variant, and no others."""
    text = README.read_text()
    assert first_cells(text, WORLDS_HEAD) == list(WORLDS)
    assert first_cells(text, VARIANTS_HEAD) == [variant.__name__ for variant in VARIANTS]
