"""AutoGen Core: agents in one process, or in two with the gRPC host between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autogen_core import (
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    message_handler,
    try_get_known_serializers_for_type,
)
from autogen_ext.runtimes.grpc import GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost

from .program import PIECE, TEXT, Program, main

AGENTS = 100


@dataclass
class Item:
    """What is published."""

    n: int
    text: str


class Receiver(RoutedAgent):
    """Hands its messages to a function; there is one agent for each source of a topic."""

    def __init__(self, take: Callable[[Item], Any]) -> None:
        super().__init__("receiver")
        self._take = take

    @message_handler
    async def on_item(self, message: Item, context: MessageContext) -> None:
        """Take a message."""
        await self._take(message)


class AutoGen(Program):
    """Messages are published to 100 agents, which publish their answers to 100 others."""

    packages = "autogen-core autogen-ext grpcio protobuf"
    settings = "publish_message to 100 agents; with gRPC a host, a worker and a client process, 100 published at once"

    async def open(self, role: str) -> None:
        self.runtime: Any
        if self.variant != "grpc":
            self.runtime = SingleThreadedAgentRuntime()
        elif role == "hub":
            self.hub = GrpcWorkerAgentRuntimeHost(address=self.url)
            self.hub.start()
            return
        else:
            self.runtime = GrpcWorkerAgentRuntime(host_address=self.url)
            await self.runtime.start()
            self.runtime.add_message_serializer(try_get_known_serializers_for_type(Item))
        if role == "worker" or self.variant != "grpc":
            await self._subscribe("items", self._on_item)
            await self._subscribe("answers", self._on_answer)

    async def _subscribe(self, topic: str, take: Callable[[Item], Any]) -> None:
        await Receiver.register(self.runtime, topic, lambda: Receiver(take))
        await self.runtime.add_subscription(TypeSubscription(topic_type=topic, agent_type=topic))

    async def _on_item(self, item: Item) -> None:
        if self.relay:
            await self._publish("answers", item.n)
        else:
            self.done(item.n)

    async def _on_answer(self, item: Item) -> None:
        self.done(item.n)

    async def _publish(self, topic: str, number: int) -> None:
        await self.runtime.publish_message(Item(number, TEXT), TopicId(topic, str(number % AGENTS)))

    async def enqueue(self, first: int, items: int, bulk: bool) -> None:
        for start in range(first, first + items, PIECE):
            numbers = range(start, min(start + PIECE, first + items))
            await asyncio.gather(*(self._publish("items", number) for number in numbers))

    async def serve(self) -> None:
        self.begin()
        if self.variant != "grpc":
            self.runtime.start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    main(AutoGen)
