"""The browser that tests open pages with: the system's, which nobody downloads."""

from __future__ import annotations

import shutil

__all__ = ["ARGUMENTS", "CHROMIUM"]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
