"""The dashboard: pages that show what goes on in a namespace, and repair what went wrong.

It needs the extra `dashboard`; without it the import says so.
"""

try:
    import jinja2  # noqa: F401
    import starlette  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(
        f"The dashboard needs {error.name}, which its extra brings: pip install 'lion-broker[dashboard]'."
    ) from None

from .app import dashboard

__all__ = ["dashboard"]
