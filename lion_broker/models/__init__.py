"""Who answers: models by their settings, and the endpoints of their providers.

A call passes these stations: `imodel` (who is asked), `limits` (when), `chat` (attempts, streams), `dialect` and
`providers/` (what is written and read), `http` (the line). `failure` and `retry` decide what becomes of one that fails,
and `policy` whether a model that somebody else has named is asked at all.
"""

from lion_broker.models.imodel import iModel
from lion_broker.models.manager import iModelManager
from lion_broker.models.reply import ModelChunk, ModelReply, ToolCall

__all__ = ["ModelChunk", "ModelReply", "ToolCall", "iModel", "iModelManager"]
