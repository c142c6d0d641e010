"""Lengths of time as people read them, on pages and in sentences."""

from __future__ import annotations

__all__ = ["duration"]


def duration(seconds: float | None) -> str:
    """Return a length of time, empty for one not known.

    It is said as `340 µs`, `12 ms`, `3.4 s`, `5 s`, `5 min 2 s`, `12 min` or `3 h 4 min`.
    """
    if seconds is None:
        return ""
    if seconds == 0:
        return "0"
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    if seconds < 3600:
        whole = round(seconds)
        if whole < 600:
            return _two(whole // 60, "min", whole % 60, "s")
        return f"{whole // 60} min" if whole < 3600 else "1 h"
    if seconds < 48 * 3600:
        whole = int(seconds)
        return _two(whole // 3600, "h", whole % 3600 // 60, "min")
    return f"{seconds / 86400:.1f}".removesuffix(".0") + " d"


def _two(large: int, unit: str, small: int, part: str) -> str:
    return f"{large} {unit}" + (f" {small} {part}" if small else "")
