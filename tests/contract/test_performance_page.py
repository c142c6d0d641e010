"""The page about performance explains what it admits."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "performance.md").read_text()


def test_each_missed_goal_is_explained() -> None:
    """A goal that the table calls missed has an entry in the section that says why."""
    tables, _, reasons = PAGE.partition("## Where goals are missed, and why")
    missed = set(re.findall(r"^\| (\w+) \|.*\| missed \|$", tables, re.MULTILINE))
    assert missed <= set(re.findall(r"^- \*\*(\w+)", reasons, re.MULTILINE))
