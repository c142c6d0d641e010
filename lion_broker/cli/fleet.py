"""Keeps so many processes of one command running: starts, replaces and stops them, and says how they have ended."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import anyio
from anyio.abc import Process, TaskGroup
from anyio.streams.text import TextReceiveStream

from lion_broker.telemetry import logger

from .exits import Code

__all__ = ["Fleet"]

log = logger("cli")

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_SOUND_SECONDS: Final = 60.0
"""After such a life the next death counts as the first."""
_AT_ONCE: Final = 8
"""So many processes begin at once; the next ones follow at a pace that leaves the machine to be worked with."""
_START_PAUSE: Final = 1.0 / (os.cpu_count() or 1)


@dataclass(eq=False)
class _Slot:
    """The place of one process; it `leaves` when it has ended, or is `renewed` with another one."""

    process: Process | None = None
    leaves: bool = False
    renewed: bool = False
    woken: anyio.Event = field(default_factory=anyio.Event)

    def wake(self) -> None:
        """End the pause before the next process."""
        self.woken.set()
        self.woken = anyio.Event()

    def terminate(self) -> None:
        """Have its process end."""
        if self.process is not None and self.process.returncode is None:
            # Not by the process object: that looks first whether the process has ended, and would take its exit code
            # from the event loop, which waits for it.
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGTERM)
        self.wake()


class Fleet:
    """Processes of one command, `wanted` of them.

    One that fails is replaced, after a pause that doubles with each failure in a row, from half a second to thirty.
    One that ends with 0 has been told to, by `drain` or because nothing was left to do: then one fewer is wanted. One
    that ends with 2 says that the command is wrong, which trying again does not mend: all end, and `code` is 2. Patient
    fleets wait for `renew` instead. Processes have no terminal: what Ctrl-C means to them is for `stop` to say; and
    their stdin ends with this process, however that ends. Of many, eight begin at once and one a second for each core.
    """

    def __init__(
        self,
        words: Sequence[str],
        environ: Mapping[str, str],
        wanted: int = 1,
        *,
        stays: bool = False,
        patient: bool = False,
        on_line: Callable[[str], None] | None = None,
        on_failure: Callable[[int], None] | None = None,
    ) -> None:
        """`stays` says that it waits for `resize` when no process is wanted.

        `on_line` takes what processes print, `on_failure` the exit code of one that is going to be replaced.
        """
        self.words = list(words)
        self.wanted = wanted
        self.code: int = Code.OK
        self._environ = dict(environ)
        self._stays = stays
        self._patient = patient
        self._on_line = on_line
        self._on_failure = on_failure
        self._slots: list[_Slot] = []
        self._at_once = _AT_ONCE
        self._next_start = 0.0
        self._stopping = False
        self._changed = anyio.Event()

    @property
    def pids(self) -> list[int]:
        """The numbers of its processes."""
        return [slot.process.pid for slot in self._slots if slot.process is not None]

    async def run(self) -> None:
        """Keep the processes until `stop`, or until none is wanted any more; all have ended when this returns."""
        try:
            async with anyio.create_task_group() as group:
                while self._slots or not self._is_over():
                    self._fill(group)
                    await self._changed.wait()
                    self._changed = anyio.Event()
        finally:
            for slot in self._slots:
                slot.terminate()

    def resize(self, wanted: int) -> None:
        """Have more processes, or let the newest end."""
        self.wanted = wanted
        staying = [slot for slot in self._slots if not slot.leaves]
        for slot in staying[wanted:]:
            slot.leaves = True
            slot.terminate()
        self._changed.set()

    def renew(self) -> None:
        """Put another process into the place of each."""
        for slot in self._slots:
            slot.renewed = True
            slot.terminate()

    def stop(self) -> None:
        """Have all end, as SIGTERM has them; asked again, at once."""
        for slot in self._slots:
            # One that is leaving already would take a second signal for haste.
            if self._stopping or not slot.leaves:
                slot.leaves = True
                slot.terminate()
        self._stopping = True
        self._changed.set()

    def _is_over(self) -> bool:
        return self._stopping or (self.wanted <= 0 and not self._stays)

    def _fill(self, group: TaskGroup) -> None:
        missing = 0 if self._stopping else self.wanted - sum(not slot.leaves for slot in self._slots)
        for _ in range(missing):
            slot = _Slot()
            self._slots.append(slot)
            group.start_soon(self._keep, slot)

    async def _keep(self, slot: _Slot) -> None:
        """Have a process in a place until it is no longer wanted there."""
        failures = 0
        try:
            await self._turn_to_begin(slot)
            while not slot.leaves:
                began = time.monotonic()
                code = await self._one(slot)
                if self._was_the_last(slot, code):
                    return
                if not slot.renewed:
                    failures = 1 if time.monotonic() - began > _SOUND_SECONDS else failures + 1
                    await self._pause(slot, code, failures)
                slot.renewed = False
        finally:
            self._slots.remove(slot)
            self._changed.set()

    async def _turn_to_begin(self, slot: _Slot) -> None:
        """Wait until it is a new process's turn, or until it is not wanted any more."""
        if self._at_once > 0:
            self._at_once -= 1
            return
        now = time.monotonic()
        turn = max(now, self._next_start)
        self._next_start = turn + _START_PAUSE
        with anyio.move_on_after(turn - now):
            await slot.woken.wait()

    def _was_the_last(self, slot: _Slot, code: int) -> bool:
        """Whether no other process takes the place of one that has ended."""
        if slot.leaves:
            # One that had not begun yet when it was told knows no other way to end.
            self._note(Code.OK if code == -signal.SIGTERM else code)
        elif slot.renewed:
            return False
        elif code == Code.OK:
            self.wanted -= 1
        elif code == Code.USAGE and not self._patient:
            self._note(code)
            self.stop()
        else:
            return False
        return True

    async def _one(self, slot: _Slot) -> int:
        """Run one process to its end; returns its exit code, negative for a signal."""
        out = subprocess.PIPE if self._on_line else None
        process = await anyio.open_process(
            self.words,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=None,
            env=self._environ,
            # A group of its own: Ctrl-C in the terminal is for us, who pass it on once.
            start_new_session=True,
        )
        slot.process = process
        try:
            if slot.leaves:
                slot.terminate()
            if process.stdout is not None:
                await self._listen(process)
            return await process.wait()
        finally:
            slot.process = None
            with anyio.CancelScope(shield=True):
                for stream in (process.stdin, process.stdout):
                    if stream is not None:
                        await stream.aclose()

    async def _listen(self, process: Process) -> None:
        """Hand on what a process prints, a line at a time, until it closes its output."""
        rest = ""
        if process.stdout is not None and self._on_line is not None:
            async for part in TextReceiveStream(process.stdout, errors="replace"):
                *lines, rest = (rest + part).split("\n")
                for line in lines:
                    self._on_line(line)

    async def _pause(self, slot: _Slot, code: int, failures: int) -> None:
        if self._on_failure:
            self._on_failure(code)
        how = f"by signal {-code}" if code < 0 else f"with {code}"
        if self._patient:
            log.warning("a process has ended %s; another starts when a file changes", how)
            await slot.woken.wait()
            return
        seconds = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(failures - 1, 10)) * random.uniform(0.75, 1.0)  # noqa: S311
        log.warning("a process has ended %s; another starts in %.1f s", how, seconds)
        with anyio.move_on_after(seconds):
            await slot.woken.wait()

    def _note(self, code: int) -> None:
        """Keep the first exit code that is not 0; that of a signal as a shell would say it."""
        self.code = self.code or (Code.SIGNAL - code if code < 0 else code)
