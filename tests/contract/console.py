"""What a reader types in the console blocks of a page, what the page shows under it, and a shell that does it."""

from __future__ import annotations

import re
import signal
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Self

from lion_broker.testing import wait_until
from tests.contract.documents import blocks

__all__ = ["Ended", "Going", "Shell", "Typed", "shape", "typed"]

GUARD_SECONDS = 120.0
PROMPT = "$ "
ASKS_THE_CODE = "echo $?"

# What differs from run to run, and the sign that stands for it. Each is tried in this order.
DIFFERS = (
    (r"\b(?:redis|embedded|unix)://\S*[^\s.:]", "URL"),
    (r"http://\S+", "ADDRESS"),
    (r"\bprofile (?:dev|durable|volatile)$", "profile PROFILE"),
    (r"\b(?:Redis|Valkey) \d[\d.]*", "SERVER"),
    (r"(?<=The road to the server )(?:is a socket of|stays on)(?= this machine)", "STAYS ON"),
    (r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "ID"),
    (r"\b[\w.-]+:\d+:[0-9a-f]{8}\b", "WORKER"),
    (r"(?<=this one has )[0-9a-f]{8}\b", "KEY"),
    (r"(?<![\w-])\d[\d.,/]*(?: ?(?:ms|MiB|[smhd]))?(?!\w)", "N"),
    (r"(?<= )-(?= |$)", "N"),
    (r" {2,}", "  "),
)


@dataclass(frozen=True)
class Typed:
    """A line after a prompt: where it stands, what the page shows under it, and the exit code that it shows, if any."""

    page: str
    line: int
    text: str
    shown: tuple[str, ...] = ()
    code: int | None = None

    @property
    def place(self) -> str:
        """Where a reader finds it."""
        return f"{self.page}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Ended:
    """How a command has ended."""

    code: int
    out: str
    err: str

    @property
    def whole(self) -> str:
        """All that a reader has seen."""
        return self.out + self.err


def typed(document: Path, name: str) -> list[Typed]:
    """The lines that a page has its reader type, in order; a question for the exit code belongs to the one before."""
    found: list[Typed] = []
    for block in blocks(document, "console", "bash", "sh"):
        bare = block.language != "console"
        for number, line in enumerate(block.text.replace("\\\n", "  ").splitlines(), block.line):
            if bare or line.startswith(PROMPT):
                found.append(Typed(name, number, line.removeprefix(PROMPT)))
            else:
                found[-1] = replace(found[-1], shown=(*found[-1].shown, line))
    return _with_codes(found)


def _with_codes(lines: list[Typed]) -> list[Typed]:
    found: list[Typed] = []
    for line in lines:
        if line.text == ASKS_THE_CODE:
            found[-1] = replace(found[-1], code=int(line.shown[0]))
        else:
            found.append(line)
    return found


def shape(text: str) -> list[str]:
    """The lines of an output without what differs from run to run."""
    return [_shape_of(line) for line in text.splitlines() if line.strip()]


def _shape_of(line: str) -> str:
    line = line.strip()
    for pattern, sign in DIFFERS:
        line = re.sub(pattern, sign, line)
    return line


class Going:
    """A command that runs until it is stopped."""

    def __init__(self, text: str, folder: Path, environ: dict[str, str]) -> None:
        # Appended to, for the command shares the place at which this one reads. `close` closes both.
        self._files = [tempfile.TemporaryFile("a+b") for _ in range(2)]  # noqa: SIM115
        out, err = self._files
        words = ["sh", "-c", f"exec {text}"]
        self.text = text
        self._process = subprocess.Popen(
            words, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return _read(self._files[0])

    @property
    def err(self) -> str:
        """What it has said on stderr so far."""
        return _read(self._files[1])

    @property
    def whole(self) -> str:
        """Both."""
        return self.out + self.err

    def shows(self, sign: str, times: int, meanwhile: Callable[[], object]) -> None:
        """Wait until it has shown a sign so many times; what is done meanwhile may be what it is to show."""

        def shown() -> bool:
            assert self._process.poll() is None, f"{self.text} ended with {self._process.poll()}: {self.whole}"
            if self.whole.count(sign) >= times:
                return True
            meanwhile()
            return False

        wait_until(shown, timeout=GUARD_SECONDS, message=f"{self.text} did not show {sign!r}")

    def stop(self) -> Ended:
        """Stop it as Ctrl-C does, unless it has ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        code = self._process.wait(GUARD_SECONDS)
        return Ended(code, self.out, self.err)

    def close(self) -> None:
        """End it whatever it does."""
        self._process.kill()
        self._process.wait()
        for file in self._files:
            file.close()


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


class Shell:
    """A terminal in a folder: what is typed there is done by a real shell, with the real command line on its path."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        self.going: list[Going] = []

    def type(self, text: str) -> Ended:
        """Type a command, and wait for its end."""
        done = subprocess.run(
            ["sh", "-c", text],
            cwd=self._folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * GUARD_SECONDS,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(self, text: str) -> Going:
        """Type a command that runs until it is stopped; it ends with the shell at the latest."""
        going = Going(text, self._folder, self._environ)
        self.going.append(going)
        return going

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        for one in self.going:
            one.close()
