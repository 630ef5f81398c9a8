"""Compose: the files against the compose specification, the settings and each other.

No container engine is needed: the schema is the one that check-jsonschema ships, the rest is read.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from service.config import Settings
from tests.deploy.archive import CONFIGURATION, ROOT

DEFAULTS = {name: field.default for name, field in Settings.model_fields.items()}
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::-([^}]*))?\}")
Compose = dict[str, Any]


def read(path: str) -> Compose:
    """One YAML file of the repository."""
    return dict(yaml.safe_load((ROOT / path).read_text(encoding="utf-8")))


def schema() -> dict[str, Any]:
    """The compose specification's JSON schema, from the installed check-jsonschema."""
    found = importlib.util.find_spec("check_jsonschema")
    assert found is not None, "check-jsonschema is missing from the dev dependencies"
    assert found.origin is not None
    path = Path(found.origin).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


def schema_errors(compose: Compose) -> list[str]:
    """Where a document breaks the specification."""
    validator = jsonschema.validators.validator_for(schema())(schema())
    return [error.message for error in validator.iter_errors(compose)]


def binds(compose: Compose) -> list[tuple[str, str, str]]:
    """Source, target and mode of every bind mount."""
    volumes = [entry for one in compose["services"].values() for entry in one.get("volumes", [])]
    return [tuple(entry.split(":")) for entry in volumes if entry.startswith(".")]


def problems(compose: Compose) -> list[str]:
    """What is wrong with the compose file beyond its form."""
    found = []
    for name, one in compose["services"].items():
        tag = one["image"].partition(":")[2]
        found += [] if re.fullmatch(r"v?\d+\.\d+\.\d+", tag) else [f"{name}: image is not pinned"]
        hardened = "no-new-privileges:true" in one.get("security_opt", [])
        found += [] if hardened else [f"{name}: may gain privileges"]
        found += [] if one.get("restart") else [f"{name}: no restart policy"]
        found += [f"{name}: port {port}" for port in one["ports"] if port[:10] != "127.0.0.1:"]
    found += [f"{source}: missing" for source, *_ in binds(compose) if not (ROOT / source).exists()]
    found += [f"{source}: writable" for source, *mode in binds(compose) if mode[-1] != "ro"]
    return found + service_problems(compose["services"]["service"])


def service_problems(one: dict[str, Any]) -> list[str]:
    """What is wrong with our own container."""
    settings = {"ICH_" + name.upper(): name for name in DEFAULTS}
    found = [f"{name}: no such setting" for name in one["environment"] if name not in settings]
    inside = {int(port.rpartition(":")[2]) for port in one["ports"]}
    wanted = {DEFAULTS["http_port"], DEFAULTS["grpc_port"]}
    found += [] if inside == wanted else ["the ports differ from the settings"]
    found += [] if one.get("read_only") and one.get("tmpfs") else ["the root is writable"]
    found += [] if one.get("cap_drop") == ["ALL"] else ["capabilities are kept"]
    stop, grace = one["stop_grace_period"], one["environment"]["ICH_SHUTDOWN_GRACE_S"]
    found += [] if float(stop.rstrip("s")) > float(grace) else ["killed before it has drained"]
    probe = f":{DEFAULTS['http_port']}/readyz"
    return found + ([] if probe in one["healthcheck"]["test"][-1] else ["probes another address"])


@pytest.fixture
def compose() -> Compose:
    """The compose file that ships."""
    return read("docker-compose.yml")


@pytest.mark.parametrize("path", ["docker-compose.yml", "deploy/compose.gpu.yml"])
def test_file_follows_the_compose_specification(path: str) -> None:
    """Every key and type is one that the specification knows."""
    assert schema_errors(read(path)) == []


def test_unknown_key_breaks_the_specification(compose: Compose) -> None:
    """The schema check can fail: a misspelt key is reported."""
    compose["services"]["service"]["heathcheck"] = {}
    assert schema_errors(compose) != []


def test_compose_file_has_no_problem(compose: Compose) -> None:
    """Pinned images, loopback ports, read-only mounts that exist, real settings, hardening."""
    assert problems(compose) == []


def service_of(compose: Compose) -> dict[str, Any]:
    """Our own container."""
    return compose["services"]["service"]


BREAKS: dict[str, Callable[[Compose], object]] = {
    "unpinned image": lambda c: c["services"]["grafana"].update(image="grafana/grafana:latest"),
    "public port": lambda c: c["services"]["orthanc"]["ports"].append("4242:4242"),
    "missing file": lambda c: c["services"]["grafana"]["volumes"].append("./nowhere:/x:ro"),
    "writable mount": lambda c: c["services"]["grafana"]["volumes"].append("./deploy:/x:rw"),
    "unknown setting": lambda c: service_of(c)["environment"].update(ICH_MAXBATCH="4"),
    "other port": lambda c: service_of(c).update(ports=["127.0.0.1:3000:8080"]),
    "short grace": lambda c: service_of(c).update(stop_grace_period="5s"),
    "writable root": lambda c: service_of(c).update(read_only=False),
    "privileges": lambda c: service_of(c).update(security_opt=[]),
    "other probe": lambda c: service_of(c)["healthcheck"].update(test=["CMD", "true"]),
}


@pytest.mark.parametrize("name", BREAKS)
def test_each_break_is_found(compose: Compose, name: str) -> None:
    """One change for the worse gives at least one problem."""
    broken = copy.deepcopy(compose)
    BREAKS[name](broken)
    assert problems(broken) != []


def test_environment_is_valid_for_the_settings(
    compose: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service accepts the values of the compose file, each default filled in."""
    for name, value in compose["services"]["service"]["environment"].items():
        monkeypatch.setenv(name, VARIABLE.sub(lambda match: match[2] or "", value))
    assert Settings().http_host == "0.0.0.0"


def test_addresses_between_the_containers_exist(compose: Compose) -> None:
    """Prometheus, Grafana and Orthanc call services of the file on the ports they listen on."""
    scrape = read("deploy/prometheus/prometheus.yml")["scrape_configs"][0]["static_configs"]
    source = read("deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"][0]
    classifier = compose["services"]["orthanc"]["environment"]["CLASSIFIER_URL"]
    assert scrape[0]["targets"] == [f"service:{DEFAULTS['http_port']}"]
    assert classifier == f"http://service:{DEFAULTS['http_port']}"
    assert source["url"] == "http://prometheus:9090"
    assert {"service", "prometheus"} <= set(compose["services"])


def test_dashboard_folder_of_the_provider_is_mounted(compose: Compose) -> None:
    """Grafana looks for dashboards where the compose file puts them; the home one is there."""
    provider = read("deploy/grafana/provisioning/dashboards/ich-serve.yml")["providers"][0]
    folder = provider["options"]["path"]
    (source,) = [source for source, target, _ in binds(compose) if target == folder]
    home = compose["services"]["grafana"]["environment"][
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"
    ]
    assert Path(home).parent == Path(folder)
    assert (ROOT / source / Path(home).name).is_file()


def test_orthanc_sends_no_more_than_the_service_takes(compose: Compose) -> None:
    """Chunk limits and timeout of the PACS side fit the limits of the service."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    known = {match[1] for match in VARIABLE.finditer(text)}
    filled = VARIABLE.sub(lambda match: match[2] or "", text)
    config = json.loads(re.sub(r"^\s*//.*$", "", filled, flags=re.MULTILINE))
    assert set(compose["services"]["orthanc"]["environment"]) <= known
    assert config["IchServe"]["SlicesPerRequest"] <= DEFAULTS["max_files"]
    assert config["IchServe"]["BytesPerRequest"] < DEFAULTS["max_request_bytes"]
    assert config["HttpTimeout"] > DEFAULTS["deadline_s"]
    assert config["AuthenticationEnabled"] is True
