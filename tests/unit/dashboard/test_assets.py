"""What the pages are made of: whole, as it came, from nowhere else, and in the wheel."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import pytest

import lion_broker.dashboard

HOME = Path(lion_broker.dashboard.__file__).parent
ROOT = HOME.parents[1]
VENDOR = HOME / "static/vendor/uplot"
OWN = sorted([*HOME.glob("static/*"), *HOME.glob("templates/*")])


def test_what_others_have_written_is_as_it_came() -> None:
    """Each vendored file has the sum that is kept beside it, and the licence is there."""
    sums = dict(line.split()[::-1] for line in (VENDOR / "SHA256SUMS").read_text().splitlines())
    assert sums.keys() == {path.name for path in VENDOR.iterdir()} - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name
    assert "The MIT License" in (VENDOR / "LICENSE").read_text()


def test_no_asset_names_another_host() -> None:
    """Pages work without a network: no file of ours loads anything from elsewhere."""
    for path in OWN:
        if path.is_file():
            text = path.read_text().replace("http://www.w3.org/", "")
            assert not re.search(r"(?:https?:)?//[a-z0-9-]+\.[a-z]", text), path.name


def test_nothing_is_written_into_a_page_unescaped() -> None:
    """No template switches the escaping off, no script writes markup, and no element carries code or a style."""
    for path in OWN:
        if path.suffix == ".html":
            text = path.read_text()
            assert not re.search(r"\|\s*safe|autoescape|\sstyle=|\son[a-z]+=|javascript:", text), path.name
            assert not re.search(r"<script(?![^>]*(?:src=|type=\"application/json\"))", text), path.name
        if path.suffix == ".js":
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", path.read_text())


@pytest.mark.skipif(find_spec("hatchling") is None, reason="the tool that builds wheels is not installed here")
def test_the_wheel_has_them(tmp_path: Path) -> None:
    """Templates, scripts, the sheet and the vendored files travel with the package."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [path for folder in ("static", "templates") for path in (HOME / folder).rglob("*") if path.is_file()]
    assert files
    assert {str(path.relative_to(ROOT)) for path in files} <= names
