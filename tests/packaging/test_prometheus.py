# SPDX-License-Identifier: Apache-2.0
"""The rules for Prometheus and the dashboard for Grafana: every query asks for what the collector really says, and
where Prometheus is installed it asks a real collector."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from peeps_collector.exposition import METRICS
from tests.support.collector import Collector
from tests.support.network import free_address, healthy, http
from tests.support.processes import end
from tests.support.waiting import eventually

PACKAGING = Path(__file__).parents[2] / "packaging"
RULES = PACKAGING / "prometheus-alerts.yml"
DASHBOARD: dict[str, Any] = json.loads((PACKAGING / "grafana-dashboard.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
ALERTS: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
]
# As Grafana fills in its variables.
QUERIES = {
    f"{panel['title']} {target['refId']}": target["expr"].replace("$job", ".*").replace("$__rate_interval", "1m")
    for panel in PANELS
    for target in panel["targets"]
}
EVERYTHING = QUERIES | {rule["alert"]: rule["expr"] for rule in ALERTS}
LABELS = {metric.name: {key for key, _ in metric.labels} | {"job"} for metric in METRICS}
NOT_A_METRIC = frozenset({"sum", "min", "by", "rate", "increase", "absent", "m"})


@pytest.mark.parametrize("query", EVERYTHING.values(), ids=EVERYTHING)
def test_a_query_asks_for_metrics_and_labels_that_there_are(query: str) -> None:
    (metric,) = set(re.findall(r"peeps_\w+", query))
    assert metric in LABELS
    values = re.sub(r'"[^"]*"', "", query)
    words = set(re.findall(r"[a-z_]+", values)) - NOT_A_METRIC - {metric}
    assert words <= LABELS[metric]


def test_every_metric_has_its_place_on_the_dashboard() -> None:
    shown = set(re.findall(r"peeps_\w+", " ".join(QUERIES.values())))
    assert shown == set(LABELS) - {"peeps_collector_open_findings"}, "the sum of the levels is not shown twice"


def test_panels_are_told_apart_and_lie_beside_each_other() -> None:
    assert len({panel["id"] for panel in PANELS}) == len({panel["title"] for panel in PANELS}) == len(PANELS)
    assert all(panel["description"] for panel in PANELS)
    taken: list[tuple[int, int]] = []
    for place in (panel["gridPos"] for panel in PANELS):
        taken += itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        )
    assert len(taken) == len(set(taken))
    assert {x for x, _ in taken} == set(range(24))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Prometheus")
def test_promtool_takes_the_rules() -> None:
    done = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True)
    assert (done.returncode, f"{len(ALERTS)} rules found" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.fixture
def prometheus(tmp_path: Path) -> Generator[str]:
    """One that asks a collector, with our rules: its address."""
    collector = Collector(tmp_path)
    address, config = free_address(), tmp_path / "prometheus.yml"
    job = {"job_name": "peeps", "static_configs": [{"targets": [collector.api]}]}
    every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config.write_text(yaml.safe_dump({"global": every, "scrape_configs": [job], "rule_files": [str(RULES)]}))
    words = [f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'series'}", f"--web.listen-address={address}"]
    with (tmp_path / "prometheus.txt").open("wb") as output:
        process = subprocess.Popen(["prometheus", *words], stdout=output, stderr=output, cwd=tmp_path)
    try:
        eventually(lambda: healthy(f"http://{address}/-/ready"), "Prometheus is ready")
        yield address
    finally:
        end(process)
        collector.end()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Prometheus")
def test_prometheus_answers_every_query(prometheus: str) -> None:
    def asked(query: str) -> list[Any]:
        answer = http(f"http://{prometheus}/api/v1/query?query={quote(query)}").json()
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    eventually(lambda: asked("peeps_collector_healthy == 1"), "the collector was asked")
    # A rate needs two samples.
    eventually(lambda: all(asked(query) for query in QUERIES.values()), "every panel has something to show")

    def rules() -> dict[str, tuple[str, str]]:
        groups = http(f"http://{prometheus}/api/v1/rules").json()["data"]["groups"]
        return {rule["name"]: (rule["health"], rule["state"]) for group in groups for rule in group["rules"]}

    expected = {rule["alert"]: ("ok", "inactive") for rule in ALERTS}
    # Before it had asked for the first time nobody answered.
    eventually(lambda: rules() == expected, "all rules are asked, and none of them has anything to tell")
