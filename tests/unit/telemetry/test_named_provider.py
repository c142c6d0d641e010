"""A provider that only the environment names is used, and without one nothing is."""

import os
import subprocess
import sys

import pytest

PROGRAM = "import opentelemetry.trace; from lion_broker.telemetry.otel import otel; print(otel() is not None)"


@pytest.mark.parametrize(
    ("named", "used"), [({"OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider"}, True), ({}, False)]
)
def test_the_environment_names_a_provider(named: dict[str, str], used: bool) -> None:
    """OpenTelemetry loads it when it is first asked for, so it has to be asked."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    told = subprocess.run([sys.executable, "-c", PROGRAM], env=environ | named, capture_output=True, text=True)
    assert told.stdout.strip() == str(used), told.stderr
