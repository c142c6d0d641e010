"""Who answers: models by their settings, and the endpoints of their providers."""

from lion_broker.models.imodel import iModel
from lion_broker.models.manager import iModelManager
from lion_broker.models.reply import ModelReply

__all__ = ["ModelReply", "iModel", "iModelManager"]
