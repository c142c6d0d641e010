"""The research desk as workers host it: `lion-broker worker --app lion_broker.demo.research:registry`."""

from __future__ import annotations

from typing import Final

from lion_broker.branch.registry import Registry
from lion_broker.config import Settings
from lion_broker.demo import corpus_tools, roles
from lion_broker.demo.model import model_of

__all__ = ["APP", "registry"]

APP: Final = f"{__name__}:registry"
"""What `--app` takes."""


def _offer() -> Registry:
    """Return what the desk's workers can do: two tools, a model, and what each role does."""
    offer = Registry()
    offer.tool(corpus_tools.search)
    offer.tool(corpus_tools.open_passage)
    offer.model(roles.MODEL, model_of(Settings.load().environ))
    for name, behaviour in (
        ("planner", roles.planner),
        ("reader", roles.reader),
        ("critic", roles.critic),
        ("writer", roles.writer),
    ):
        offer.behaviour(name)(behaviour)
    return offer


registry = _offer()
