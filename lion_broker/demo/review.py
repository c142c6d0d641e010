"""The critic's part, without any mail: which offered quotes may be printed, and which are sent back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from lion_broker.demo.findings import Finding, Quote
from lion_broker.demo.quotes import remainder

__all__ = ["Rejected", "Review", "Verdict"]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A quote that may not be printed, and why."""

    quote: Quote
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the critic makes of an offer: `finding` is what may be printed, unless something was rejected.

    `reader` is whoever offered it, as it was given to `Review.take`.
    """

    reader: str
    finding: Finding
    rejected: tuple[Rejected, ...] = ()


class Review:
    """Checks offers in the order of their sub-questions, in whatever order they come.

    A quote is rejected when it does not stand in the corpus word for word, or when an earlier sub-question has it; of
    one whose beginning is printed already, the code, list or table at its end may still be. An offer waits for those of
    the earlier sub-questions, so the verdicts do not depend on which reader was quicker.
    """

    def __init__(self, is_verbatim: Callable[[Quote], bool]) -> None:
        self._is_verbatim = is_verbatim
        self._offers: dict[int, tuple[str, Finding]] = {}
        self._rejected: list[tuple[int, Quote]] = []
        self._printed: list[tuple[int, Quote]] = []
        self._next = 1

    def take(self, reader: str, finding: Finding) -> list[Verdict]:
        """Take an offer in; return the verdicts that can be given now, in order.

        After a verdict with rejected quotes the reader is to offer for the same sub-question again.
        """
        self._offers[finding.sub_question.number] = (reader, finding)
        verdicts: list[Verdict] = []
        while self._next in self._offers:
            verdict = self._judge(*self._offers.pop(self._next))
            verdicts.append(verdict)
            if verdict.rejected:
                break
            self._printed += ((self._next, quote) for quote in verdict.finding.quotes)
            self._next += 1
        return verdicts

    def _judge(self, reader: str, finding: Finding) -> Verdict:
        number = finding.sub_question.number
        # Whoever offers a rejected quote again would go on for ever: it is left out.
        fresh = [quote for quote in finding.quotes if (number, quote) not in self._rejected]
        checked = [self._checked(quote) for quote in fresh]
        rejected = tuple(one for one in checked if isinstance(one, Rejected))
        self._rejected += ((number, one.quote) for one in rejected)
        kept = fresh if rejected else [one for one in checked if isinstance(one, Quote)]
        return Verdict(reader, replace(finding, quotes=tuple(kept)), rejected)

    def _checked(self, quote: Quote) -> Quote | Rejected:
        """Return what may be printed of a quote, which leaves out what is printed already, or why nothing may."""
        if not self._is_verbatim(quote):
            return Rejected(quote, f"it does not stand in {quote.passage_id} word for word")
        if rest := remainder(quote, (other for _, other in self._printed)):
            return rest
        number = next(number for number, other in self._printed if quote.overlaps(other))
        return Rejected(quote, f"sub-question {number} quotes it already")
