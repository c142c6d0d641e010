"""What docs/deploy holds fits together: commands, ports, probes, names of metrics, labels, and the image."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from lion_broker.__main__ import main
from lion_broker.broker.keys import Keys
from lion_broker.telemetry.names import DEFINITIONS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
METRIC = re.compile(r"\blion_broker_[a-z_]+\b")
SUFFIXES = ("", "_bucket", "_sum", "_count")


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every resource of the manifests, with the file that it stands in."""
    for path in MANIFESTS:
        for found in yaml.safe_load_all(path.read_text()):
            yield path.name, found


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    """The resources of a kind by their names."""
    return {found["metadata"]["name"]: found for _, found in documents() if found["kind"] == kind}


def containers() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The containers of all pods, each with its pod."""
    for kind in ("Deployment", "StatefulSet"):
        for found in of_kind(kind).values():
            pod = found["spec"]["template"]["spec"]
            yield from ((pod, one) for one in pod["containers"])


def expressions() -> list[str]:
    """What Prometheus is asked for, by the dashboard and by the alerts."""
    board = json.loads((DEPLOY / "grafana" / "dashboards" / "lion-broker.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    alerts = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    asked += [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]
    return sorted({one.replace("$__rate_interval", "5m") for one in asked})


@pytest.mark.parametrize("expression", expressions())
def test_what_is_asked_of_prometheus_is_there(expression: str) -> None:
    """Each expression is PromQL, and names metrics and labels that workers have."""
    promql_parser.parse(expression)
    for name in METRIC.findall(expression):
        known = [name.removesuffix(suffix) for suffix in SUFFIXES if name.removesuffix(suffix) in DEFINITIONS]
        assert known, name
        labels = re.findall(r"\bby \(([^)]*)\)", expression)
        wanted = {one.strip() for group in labels for one in group.split(",")} - {"le"}
        assert wanted <= set(DEFINITIONS[known[0]].labels), expression


def test_the_dashboard_is_sound() -> None:
    """Panels have ids of their own, stand beside each other, and ask the source that is provisioned."""
    board = json.loads((DEPLOY / "grafana" / "dashboards" / "lion-broker.json").read_text())
    source = yaml.safe_load((DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yml").read_text())
    uids = {one["uid"] for one in source["datasources"]}
    panels = board["panels"]
    assert len({one["id"] for one in panels}) == len(panels)
    assert {one["datasource"]["uid"] for one in panels} <= uids
    taken = set[tuple[int, int]]()
    for one in panels:
        place = one["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_every_command_of_the_manifests_is_known() -> None:
    """The command line has each option that is given."""
    ours = [one["args"] for _, one in containers() if one["args"][0] == "lion-broker"]
    assert len(ours) == 2
    for words in ours:
        assert main([*words[1:], "--help"]) == 0


def test_probes_ask_ports_that_are_served() -> None:
    """Each names a port of its container, and the port is the one of the command."""
    for _, one in containers():
        ports = {port["name"]: port["containerPort"] for port in one["ports"]}
        probes = [one[name] for name in ("startupProbe", "livenessProbe", "readinessProbe") if name in one]
        asked = {probe[kind]["port"] for probe in probes for kind in ("httpGet", "tcpSocket") if kind in probe}
        assert asked <= set(ports)
        if one["args"][0] == "lion-broker":
            assert all(any(word.endswith(str(port)) for word in one["args"]) for port in ports.values())


def test_pods_stop_later_than_turns_may_end() -> None:
    """The grace of a pod is longer than that of its worker."""
    (pod, worker), *_ = [(pod, one) for pod, one in containers() if one["name"] == "worker"]
    grace = next(int(word.partition("=")[2]) for word in worker["args"] if word.startswith("--grace="))
    assert pod["terminationGracePeriodSeconds"] > grace


def test_pods_can_do_little_and_hold_no_secret() -> None:
    """No root, no rights, no writing; secrets are named, and stand nowhere."""
    for pod, one in containers():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in one["resources"]["limits"]
        for variable in one.get("env", ()):
            assert set(variable["valueFrom"]) == {"secretKeyRef"}
    assert of_kind("Secret") == {}


def test_selectors_find_their_pods() -> None:
    """A service, a budget and a policy select labels that a pod has."""
    pods = [
        found["spec"]["template"]["metadata"]["labels"]
        for kind in ("Deployment", "StatefulSet")
        for found in of_kind(kind).values()
    ]
    selectors = [found["spec"]["selector"] for found in of_kind("Service").values()]
    selectors += [found["spec"]["selector"]["matchLabels"] for found in of_kind("PodDisruptionBudget").values()]
    selectors += [found["spec"]["podSelector"]["matchLabels"] for found in of_kind("NetworkPolicy").values()]
    for selector in selectors:
        assert any(selector.items() <= labels.items() for labels in pods)


def test_the_autoscalers_ask_what_there_is() -> None:
    """The ready stream of the pool that the workers serve, or the gateway's path and field for it."""
    scalers = {name: found for name, found in documents() if found["kind"] == "ScaledObject"}
    deployments, services = of_kind("Deployment"), of_kind("Service")
    for found in scalers.values():
        assert found["spec"]["scaleTargetRef"]["name"] in deployments
    streams = [trigger["metadata"]["stream"] for trigger in scalers["keda-streams.yaml"]["spec"]["triggers"]]
    assert streams == [Keys("default").ready("default", 0), Keys("default").overflow("default", 0)]
    (asked,) = scalers["keda-gateway.yaml"]["spec"]["triggers"]
    host, port, path = re.fullmatch(r"http://([^:]+):(\d+)(/.*)", asked["metadata"]["url"]).groups()  # type: ignore[union-attr]
    assert host.partition(".")[0] in services
    assert int(port) == services["lion-broker-gateway"]["spec"]["ports"][0]["port"]
    assert path == "/scale/default"
    gateway = deployments["lion-broker-gateway"]["spec"]["template"]["spec"]["containers"][0]
    assert f"--allow-host={host}" in gateway["args"]


def test_the_image_is_small_and_nobody_is_root() -> None:
    """Two stages, bases by tag, a user by number, and nothing but the installed package in the last stage."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    bases = [line.split()[1] for line in lines if line.startswith("FROM")]
    assert len(bases) == 2
    assert all(":" in base and not base.endswith(":latest") for base in bases)
    last = lines[max(place for place, line in enumerate(lines) if line.startswith("FROM")) :]
    assert [line for line in last if line.startswith("COPY")] == ["COPY --from=build /opt/lion-broker /opt/lion-broker"]
    assert "USER 10001" in last
    extras = re.search(r'"\.\[([a-z,]+)\]"', "\n".join(lines))
    assert extras is not None
    project = (ROOT / "pyproject.toml").read_text()
    assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in extras[1].split(","))


def test_the_page_lists_every_file() -> None:
    """Whoever reads docs/deploy/README.md knows what each file is for."""
    page = (DEPLOY / "README.md").read_text()
    files = [path.relative_to(DEPLOY) for path in DEPLOY.rglob("*") if path.is_file() and path.name != "README.md"]
    assert [str(path) for path in files if f"`{path}`" not in page] == []
