"""Releases to upgrade from and to: a wheel of the source with a version of its own, in an environment of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from tests.stage import ROOT

__all__ = ["Release", "build"]

_SOURCE: Final = ("lion_broker", "pyproject.toml", "README.md", "LICENSE")
_VERSION: Final = re.compile(r'^version = "(.*)"$', re.MULTILINE)
_PROTOCOL: Final = re.compile(r"^PROTOCOL: Final = (\d+)$", re.MULTILINE)
_SECONDS: Final = 90.0


@dataclass(frozen=True)
class Release:
    """An installed release, and the environment variables that its programs find the deployment by."""

    version: str
    folder: Path
    environ: Mapping[str, str]
    protocol: int

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def told(self, *words: str) -> Any:
        """Run a command with --json, and return what it printed; AssertionError with its errors when it fails."""
        done = subprocess.run(
            [self.folder / "bin" / "lion-broker", *words, "--json"],
            cwd=self.folder.parent,
            env=self._environ(),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        assert done.returncode == 0, f"{self.version}: {words} ended with {done.returncode}: {done.stderr}{done.stdout}"
        return json.loads(done.stdout)

    def command(self, log: IO[bytes], *words: str) -> subprocess.Popen[str]:
        """Start a command that goes on by itself."""
        return self._start(log, self.folder / "bin" / "lion-broker", *words)

    def program(self, log: IO[bytes], script: Path, *words: str) -> subprocess.Popen[str]:
        """Start a Python program, whose directory is that of the app."""
        return self._start(log, self.python, script, *words)

    def _start(self, log: IO[bytes], *words: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            words,
            cwd=self.folder.parent,
            env=self._environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def _environ(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LION_", "PYTHON"))}
        return {**inherited, **self.environ}


def build(folder: Path, environ: Mapping[str, str], revision: str = "", version: str = "") -> Release:
    """Build the source, or a revision of it, and install it under `folder`.

    With a `version` of its own it also gets functions of its own, as a release in which a verb has changed. What it
    depends on is what this interpreter has, so nothing is downloaded.
    """
    source = folder / f"source-{version or revision or 'present'}"
    source.mkdir(parents=True)
    _check_out(source, revision)
    project = source / "pyproject.toml"
    text = project.read_text()
    if version:
        project.write_text(_VERSION.sub(f'version = "{version}"', text, count=1))
        with (source / "lion_broker" / "broker" / "lua" / "shared.lua").open("a") as file:
            file.write(f"\n-- As of {version}.\n")
    else:
        (version,) = _VERSION.findall(text)
    _quietly([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(source / "dist")], source)
    (wheel,) = (source / "dist").glob("*.whl")
    installed = folder / f"release-{version}"
    _install(wheel, installed)
    (protocol,) = _PROTOCOL.findall((source / "lion_broker/broker/library.py").read_text())
    return Release(version, installed, environ, int(protocol))


def _check_out(folder: Path, revision: str) -> None:
    if revision:
        archive = subprocess.run(["git", "-C", ROOT, "archive", revision, *_SOURCE], capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        return
    for name in _SOURCE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)


def _install(wheel: Path, folder: Path) -> None:
    venv.create(folder, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    _quietly([*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)], folder)
    here = sysconfig.get_path("purelib")
    (packages,) = (folder / "lib").glob("python*/site-packages")
    # Behind the release's own, so that what is installed here under its name is not found.
    (packages / "dependencies.pth").write_text(f"{here}\n")


def _quietly(words: list[str], folder: Path) -> None:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}"
