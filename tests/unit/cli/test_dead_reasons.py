"""The reasons of dead letters: which there are, and which may be asked for."""

from __future__ import annotations

import re

import pytest

from lion_broker import ConfigError
from lion_broker.cli.dead_selection import check_reason
from lion_broker.insight.dead_reasons import MEANINGS
from lion_broker.mail.memory import MemoryExchange
from tests.conformance.road import Road
from tests.stage import ROOT
from tests.unit.insight.test_dead_groups import die


def test_the_page_has_them_all() -> None:
    """Each has a line in the table of docs/delivery.md, and no other is there."""
    table = (ROOT / "docs/delivery.md").read_text().partition("| reason | because |")[2].partition("\n\n")[0]
    told = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert told == MEANINGS.keys()


def test_a_reason_of_a_later_version_may_be_asked_for_where_a_letter_has_it() -> None:
    """Another one that is not known is a slip."""
    road = Road(MemoryExchange(), "auto").open()
    road.pooled("ada")
    die(road, 1, lambda n: "ValueError", "abducted")
    for reason in (None, "poison", "abducted"):
        check_reason(road.exchange, road.session, reason)
    with pytest.raises(ConfigError, match="no reason 'Failed'"):
        check_reason(road.exchange, road.session, "Failed")
