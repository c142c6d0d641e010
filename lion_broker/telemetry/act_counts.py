"""Counts calls of models and tools for the counts of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .acts import Act, ActKind, ModelCall, ToolUse

if TYPE_CHECKING:
    from .counts import Counts

__all__ = ["ActCounts"]


class ActCounts:
    """Counts each act when it has ended."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def begun(self, act: Act, call: ModelCall | ToolUse | None) -> None:
        """Do nothing yet."""

    def ended(self, act: Act, call: ModelCall | ToolUse | None, seen: Any) -> None:
        """Count it."""
        outcome = "error" if act.error else "ok"
        if act.kind is ActKind.TOOL:
            self._counts.add("lion_broker_tool_calls_total", 1, act.name, outcome)
        elif act.kind is ActKind.WAIT:
            self._counts.observe("lion_broker_ratelimit_wait_seconds", act.seconds)
        elif isinstance(call, ModelCall):
            self._counts.add("lion_broker_model_requests_total", 1, call.provider, call.model, outcome)
            self._counts.observe("lion_broker_model_request_seconds", act.seconds, call.provider, call.model)
            if call.reply is not None:
                self._count_usage(call.reply.usage)

    def _count_usage(self, usage: Any) -> None:
        """Count what the provider has counted; nothing is guessed."""
        for direction, name in (("input", "prompt_tokens"), ("output", "completion_tokens")):
            if isinstance(usage.get(name), int):
                self._counts.add("lion_broker_model_tokens_total", usage[name], direction)
        cost = usage.get("cost")
        if isinstance(cost, (int, float)) and not isinstance(cost, bool) and cost > 0:
            self._counts.add("lion_broker_model_cost_usd_total", float(cost))
