"""The Python language reference and its index, read once for the tests of the desk."""

import pytest

from lion_broker.demo.corpus import python_topics
from lion_broker.demo.search import Search


@pytest.fixture(scope="session")
def reference() -> Search:
    """Search over the Python language reference."""
    return Search(python_topics())
