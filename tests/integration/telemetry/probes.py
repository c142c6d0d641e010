"""Asks the ports of a worker, as a scraper or an orchestrator does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from tests.stage import Program, Stage

__all__ = ["Probed", "get", "probed", "scraped"]


def get(url: str) -> tuple[int, str]:
    """Status and body of a page."""
    try:
        with urlopen(url, timeout=60) as answer:  # noqa: S310 - a port of the test's own worker
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def scraped(url: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of a scrape by its name and labels."""
    status, text = get(url)
    assert status == 200, text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@dataclass(frozen=True)
class Probed:
    """A worker with a port for its health."""

    program: Program
    owner: str
    url: str

    def live(self) -> bool:
        """Whether it says that it is alive."""
        return get(f"{self.url}/livez")[0] == 200

    def reasons(self) -> list[str]:
        """Why it is not ready; nothing when it is."""
        status, body = get(f"{self.url}/readyz")
        told: dict[str, Any] = json.loads(body)
        assert (status, told["status"]) == ((503, "failing") if told["reasons"] else (200, "ok"))
        return list(told["reasons"])

    def is_ready(self) -> bool:
        """Whether it says that it makes progress."""
        return not self.reasons()

    def says(self, why: str) -> bool:
        """Whether a reason begins like that."""
        return any(reason.startswith(why) for reason in self.reasons())

    def count(self, name: str, **labels: str) -> float:
        """A value of its metrics, 0 where there is none."""
        return scraped(f"{self.url}/metrics").get((name, frozenset(labels.items())), 0.0)


def probed(stage: Stage, app: str, pool: str, *options: str, **environ: Any) -> Probed:
    """Start a worker with a port for its health; it serves when this returns."""
    program = stage.worker(app, pool, "--health-port", "0", *options, **environ)
    event = program.told()
    return Probed(program, event["owner"], event["health"])
