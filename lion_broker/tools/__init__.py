"""What can be done: tools with their schemas, and calls of them."""

from lion_broker.tools.calling import FunctionCalling
from lion_broker.tools.manager import ActionManager
from lion_broker.tools.tool import Tool

__all__ = ["ActionManager", "FunctionCalling", "Tool"]
