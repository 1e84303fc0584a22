# SPDX-License-Identifier: Apache-2.0
"""The files for a cluster: by Kubernetes' own schema, and by what the collector and the programs make of them."""

from __future__ import annotations

import http.client
import ssl
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate  # pyright: ignore[reportMissingTypeStubs]  # it is typed, and says so nowhere
import pytest
import yaml

from peeps_collector.config import OPTIONS, Config
from peeps_otel.config import VARIABLES
from tests.collector.test_access import make_certificate
from tests.support.collector import Collector
from tests.support.network import free_address

PACKAGING = Path(__file__).parents[2] / "packaging"
VERSIONS = ("1.28", kubernetes_validate.latest_version())


def documents(name: str) -> dict[str, dict[str, Any]]:
    """What is in a file, by its kind."""
    return {one["kind"]: one for one in yaml.safe_load_all((PACKAGING / name).read_text())}


COLLECTOR = documents("kubernetes/collector.yaml")
POD: dict[str, Any] = COLLECTOR["StatefulSet"]["spec"]["template"]["spec"]
CONTAINER: dict[str, Any] = POD["containers"][0]
SETTINGS: str = COLLECTOR["ConfigMap"]["data"]["collector.toml"]


@pytest.mark.parametrize("kind", COLLECTOR)
@pytest.mark.parametrize("version", VERSIONS)
def test_each_is_what_kubernetes_takes(kind: str, version: str) -> None:
    kubernetes_validate.validate(COLLECTOR[kind], version, strict=True)


def test_ports_and_volumes_lead_somewhere() -> None:
    named = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
    settings = tomllib.loads(SETTINGS)
    assert named == {name: int(settings[key].rpartition(":")[2]) for name, key in (("otlp", "listen"), ("api", "api"))}
    service = COLLECTOR["Service"]["spec"]
    assert {port["targetPort"] for port in service["ports"]} == set(named)
    assert service["selector"] == COLLECTOR["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    volumes = {volume["name"] for volume in POD["volumes"]}
    volumes |= {claim["metadata"]["name"] for claim in COLLECTOR["StatefulSet"]["spec"]["volumeClaimTemplates"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert set(mounts) == volumes
    assert settings["db"].startswith(mounts["data"])
    assert settings["token_file"] == f"{mounts['token']}/token"
    # The keys that a secret of type kubernetes.io/tls has.
    assert (settings["tls_cert"], settings["tls_key"]) == (f"{mounts['tls']}/tls.crt", f"{mounts['tls']}/tls.key")
    assert CONTAINER["args"] == ["--config", mounts["config"]]


def test_who_it_runs_as_is_who_the_image_has() -> None:
    image = (PACKAGING / "Containerfile").read_text()
    assert f"--uid {POD['securityContext']['runAsUser']} " in image
    assert f"USER {POD['securityContext']['runAsUser']}\n" in image


def test_a_collector_with_these_settings_answers_the_probes(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path, "peeps-collector")
    token = tmp_path / "token"
    token.write_text("correct-horse-battery-staple")
    text = SETTINGS.replace("/etc/peeps/token/token", str(token)).replace("/var/lib/peeps", str(tmp_path))
    text = text.replace("/etc/peeps/tls/tls.crt", cert).replace("/etc/peeps/tls/tls.key", key)
    file = tmp_path / "collector.toml"
    file.write_text(text)
    config = Config.load(str(file), {})
    assert (config.token, config.otlp_grpc, config.otlp_http) == ("correct-horse-battery-staple", None, None)
    own: Any = {f"PEEPS_{key.upper()}": value for key, value in tomllib.loads(text).items() if isinstance(value, str)}
    collector = Collector(tmp_path, **own | {"PEEPS_LISTEN": "127.0.0.1:0", "PEEPS_API": free_address()})
    try:
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            probe = CONTAINER[name]["httpGet"]
            assert (probe["scheme"], probe["port"]) == ("HTTPS", "api")
            assert status_by_address(collector.api, probe["path"]) == 200
    finally:
        collector.end()


def status_by_address(address: str, path: str) -> int:
    """As a kubelet asks: by the pod's address, without a token, and believing every certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(address, timeout=20, context=context)
    try:
        connection.request("GET", path, headers={"Host": "10.42.0.7:9130"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_programs_are_told_the_collector_and_shown_its_token() -> None:
    spec = documents("operator/instrumentation.yaml")["Instrumentation"]["spec"]
    variables = {one["name"]: one for one in spec["python"]["env"]}
    settings = tomllib.loads(SETTINGS)
    endpoint = variables["PEEPS_COLLECTOR_ENDPOINT"]["value"]
    host, _, port = endpoint.removeprefix("https://").partition(":")
    assert (host in settings["api_hosts"], port) == (True, settings["listen"].rpartition(":")[2])
    assert spec["exporter"]["endpoint"] == endpoint
    shown = variables["PEEPS_SHOWN_TOKEN"]["valueFrom"]["secretKeyRef"]
    secrets = [volume["secret"]["secretName"] for volume in POD["volumes"] if "secret" in volume]
    assert (shown["name"] in secrets, shown["key"]) == (True, "token")
    assert variables["OTEL_EXPORTER_OTLP_HEADERS"]["value"] == "authorization=Bearer $(PEEPS_SHOWN_TOKEN)"
    ours = {name for name in variables if name.startswith("PEEPS_")} - {"PEEPS_SHOWN_TOKEN"}
    assert ours <= {variable.name for variable in VARIABLES}
    assert "PEEPS_SHOWN_TOKEN" not in OPTIONS
