"""LionAGI's own exchange: branches in the memory of one process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lionagi import Branch, Session

from .program import TEXT, Program, main

BRANCHES = 100


class LionAGI(Program):
    """Mail from one branch to 100 others, or to 50 that answer 50 others; in a round, from each of 100 to others."""

    packages = "lionagi"
    settings = "Session.exchange: send, collect, pop_message; 100 branches, nothing durable"

    async def open(self, role: str) -> None:
        self.session = Session()
        self.sender = self.session.default_branch
        self.branches = [Branch() for _ in range(BRANCHES)]
        self.session.include_branches(self.branches)
        half = BRANCHES // 2
        self.answering = dict(zip(self.branches[:half], self.branches[half:], strict=True)) if self.relay else {}

    async def enqueue(self, first: int, items: int, bulk: bool) -> None:
        if self.work == "round":
            for number in range(first, first + items):
                sender, further = number % BRANCHES, 1 + number // BRANCHES
                recipient = self.branches[(sender + further) % BRANCHES]
                self.session.send(self.branches[sender].id, recipient.id, {"n": number, "text": TEXT})
            return
        recipients = list(self.answering) or self.branches
        for number in range(first, first + items):
            recipient = recipients[number % len(recipients)]
            self.session.send(self.sender.id, recipient.id, {"n": number, "text": TEXT})

    async def serve(self) -> None:
        self.begin()
        moved = await self.session.sync()
        if self.work == "round":
            for number in range(moved):
                self.done(number)
            return
        for branch in list(self.answering) or self.branches:
            for content in self._taken(branch, self.sender):
                if self.relay:
                    self.session.send(branch.id, self.answering[branch].id, content)
                else:
                    self.done(content["n"])
        if self.relay:
            await self.session.sync()
            for sender, branch in self.answering.items():
                for content in self._taken(branch, sender):
                    self.done(content["n"])

    def _taken(self, branch: Branch, sender: Branch) -> Iterator[dict[str, Any]]:
        while message := self.session.pop_message(branch.id, sender.id):
            yield message.content


if __name__ == "__main__":
    main(LionAGI)
