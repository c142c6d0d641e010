"""The map of modules in CONTRIBUTING leads to what there is, and leaves no package out."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "lion_broker"
MAP = (ROOT / "CONTRIBUTING.md").read_text().split("## Where is what")[1].split("\n## ")[0]
NAMED = re.findall(r"`([a-z_]+(?:/[a-z_]+)*(?:/|\.py|\.lua))`", MAP)


def test_what_the_map_names_is_there() -> None:
    """Whoever renames a module finds it here too."""
    assert [name for name in NAMED if not (PACKAGE / name).exists()] == []


def test_each_package_is_on_the_map() -> None:
    """A new one says what it has."""
    packages = {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    assert packages - set(NAMED) == set()
