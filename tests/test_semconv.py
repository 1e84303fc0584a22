# SPDX-License-Identifier: Apache-2.0
"""The registry in proto/semconv and the constants in peeps_otel/semconv.py hold each other."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import yaml

from peeps_collector.graph.joins import Join
from peeps_otel import semconv
from peeps_otel.model import Confidence, FindingKind, Level, NodeKind, Providers

_REGISTRY = Path(__file__).resolve().parents[1] / "proto" / "semconv"
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*(\.[a-z][a-z0-9]*(_[a-z0-9]+)*)+")
_LEVELS = {"required", "recommended", "opt_in"}
_TYPES = {"string", "int", "double", "boolean", "any", "string[]", "int[]", "double[]", "boolean[]"}
_UNITS = {"1", "s", "By"}


def _load(name: str) -> Any:
    text = (_REGISTRY / f"{name}.yaml").read_text()
    # Read when the tests are collected, in each worker: libyaml's parser takes a tenth of the time, where it is there.
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _definitions(name: str) -> list[dict[str, Any]]:
    document = _load(name)
    assert set(document) == {"file_format", name}
    assert document["file_format"] == "definition/2"
    return document[name]


ATTRIBUTES = {attribute["key"]: attribute for attribute in _definitions("attributes")}
EVENTS = {event["name"]: event for event in _definitions("events")}
SPANS = {span["type"]: span for span in _definitions("spans")}
METRICS = {metric["name"]: metric for metric in _definitions("metrics")}
SIGNALS = [*EVENTS.values(), *SPANS.values(), *METRICS.values()]


def _constants(prefix: str) -> set[str]:
    return {value for name, value in vars(semconv).items() if name.startswith(prefix) and isinstance(value, str)}


_NAMES = {
    name: value
    for name, value in vars(semconv).items()
    if name.isupper() and isinstance(value, str) and not name.startswith(("SCHEMA_", "SCOPE"))
}
_SIGNAL_PREFIXES = ("EVENT_", "SPAN_", "METRIC_")
_OURS = {
    value
    for name, value in _NAMES.items()
    if value.startswith("peeps.") and (name == "EVENT_IS_SET" or not name.startswith(_SIGNAL_PREFIXES))
}
_FOREIGN = {value for value in _NAMES.values() if "." in value and not value.startswith("peeps.")}


def test_the_same_names() -> None:
    assert set(ATTRIBUTES) == _OURS
    assert set(EVENTS) == _constants("EVENT_") - {semconv.EVENT_IS_SET}
    assert set(SPANS) == _constants("SPAN_")
    assert set(METRICS) == _constants("METRIC_")


def test_the_manifest() -> None:
    manifest = _load("manifest")
    assert set(manifest) == {"name", "description", "schema_url", "stability", "dependencies"}
    assert (manifest["name"], manifest["stability"]) == ("peeps", "development")
    assert manifest["schema_url"] == semconv.SCHEMA_URL
    assert all(set(one) == {"schema_url", "registry_path"} for one in manifest["dependencies"])


@pytest.mark.parametrize(
    ("key", "enum"),
    [
        (semconv.NODE_KIND, NodeKind),
        (semconv.CONFIDENCE, Confidence),
        (semconv.PROVIDERS, Providers),
        (semconv.RPC_JOIN, Join),
        (semconv.FINDING_KIND, FindingKind),
        (semconv.FINDING_LEVEL, Level),
    ],
)
def test_enums_have_the_members_of_the_model(key: str, enum: type[StrEnum]) -> None:
    assert [member["value"] for member in ATTRIBUTES[key]["type"]["members"]] == [member.value for member in enum]


def test_the_states_of_a_finding() -> None:
    values = [member["value"] for member in ATTRIBUTES[semconv.FINDING_STATE]["type"]["members"]]
    assert values == [semconv.FINDING_OPEN, semconv.FINDING_RESOLVED, semconv.FINDING_REFUTED]


def test_only_these_are_enums() -> None:
    enums = {key for key, attribute in ATTRIBUTES.items() if isinstance(attribute["type"], dict)}
    expected = {"confidence", "finding.kind", "finding.level", "finding.state", "node.kind", "providers"}
    expected |= {"watcher.budget", "drop.reason", "problem.kind", "rpc.join"}
    assert enums == {f"peeps.{name}" for name in expected}


@pytest.mark.parametrize("key", sorted(ATTRIBUTES))
def test_an_attribute_is_well_formed(key: str) -> None:
    attribute = ATTRIBUTES[key]
    assert set(attribute) <= {"key", "brief", "stability", "type", "examples", "note"}
    assert attribute["stability"] == "development"
    assert attribute["brief"].endswith(".")
    kind: Any = attribute["type"]
    if not isinstance(kind, str):
        for member in kind["members"]:
            assert set(member) == {"id", "value", "brief", "stability"}
            assert member["id"] == member["value"].lower()
            assert member["stability"] == "development"
        return
    assert kind in _TYPES
    wanted = {"string": str, "int": int}.get(kind)
    if wanted is not None:
        assert attribute["examples"]
        assert all(type(example) is wanted for example in attribute["examples"])


def test_attributes_are_declared_once() -> None:
    for name, found in (("attributes", ATTRIBUTES), ("events", EVENTS), ("spans", SPANS), ("metrics", METRICS)):
        assert len(_definitions(name)) == len(found), name


def test_names_follow_the_naming_rules() -> None:
    for name in [*ATTRIBUTES, *EVENTS, *SPANS, *METRICS]:
        assert _NAME.fullmatch(name), name
        assert name.startswith("peeps."), name
    names = [*ATTRIBUTES, *EVENTS, *METRICS]  # a span type is not a name on the wire of its own kind
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("names", [sorted(ATTRIBUTES), sorted(METRICS)], ids=["attributes", "metrics"])
def test_no_name_is_a_namespace_of_another_of_its_kind(names: list[str]) -> None:
    assert not [(one, other) for one in names for other in names if other.startswith(f"{one}.")]


def test_signals_refer_to_attributes_that_exist() -> None:
    for signal in SIGNALS:
        refs = [attribute["ref"] for attribute in signal.get("attributes", ())]
        assert len(set(refs)) == len(refs)
        assert set(refs) <= set(ATTRIBUTES) | _FOREIGN, signal["brief"]
        for attribute in signal.get("attributes", ()):
            assert set(attribute) == {"ref", "requirement_level"}
            level: Any = attribute["requirement_level"]
            if not isinstance(level, str):
                assert list(level) == ["conditionally_required"]
                assert level["conditionally_required"].startswith("if ")
            else:
                assert level in _LEVELS


def test_every_attribute_of_ours_is_used() -> None:
    used = {attribute["ref"] for signal in SIGNALS for attribute in signal.get("attributes", ())}
    assert set(ATTRIBUTES) - used == set()


def test_what_an_event_requires() -> None:
    required = {
        name: [attribute["ref"] for attribute in event["attributes"] if attribute["requirement_level"] == "required"]
        for name, event in EVENTS.items()
    }
    node = [semconv.NODE_ID, semconv.NODE_KIND, semconv.NODE_NAME, semconv.CREATED_AT, semconv.SOURCE]
    assert required == {
        semconv.EVENT_SNAPSHOT: [semconv.STREAM_ID, semconv.SEQUENCE],
        semconv.EVENT_NODE: node,
        semconv.EVENT_NODE_GONE: node,
        semconv.EVENT_FINDING: [
            semconv.FINDING_ID,
            semconv.FINDING_KIND,
            semconv.FINDING_LEVEL,
            semconv.FINDING_TITLE,
            semconv.FINDING_STATE,
            semconv.FINDING_SINCE,
        ],
        semconv.EVENT_LEAKS: [
            semconv.LEAKS_REQUEST,
            semconv.LEAKS_TASKS,
            semconv.LEAKS_BLOCKED,
            semconv.LEAKS_OBJECTS,
            semconv.LEAKS_DURATION,
            semconv.LEAKS_FINDINGS,
        ],
        semconv.EVENT_LOOKED: [semconv.LOOKED_REQUEST, semconv.LOOKED_ASKED, semconv.LOOKED_FINDINGS],
        semconv.EVENT_STACKS: [semconv.SILENT_SINCE],
        semconv.EVENT_SOURCE_TEXT: [semconv.SOURCE, semconv.SOURCE_TEXT_FIRST],
        semconv.EVENT_CUT: [semconv.CUT_REQUEST, semconv.STREAM_ID, semconv.SEQUENCE, semconv.CUT_TIME],
        semconv.EVENT_CLIENT_ERROR: [
            semconv.CLIENT_ERROR_STAGE,
            semconv.CLIENT_ERROR_SIGNAL,
            semconv.CLIENT_ERROR_SIZE,
        ],
        semconv.EVENT_PROVIDER_FAULT: [semconv.PROVIDER_NAME, semconv.PROVIDER_KIND, semconv.PROVIDER_REASON],
        semconv.EVENT_REQUEST_IN_FLIGHT: [
            semconv.NODE_ID,
            semconv.NODE_KIND,
            semconv.CREATED_AT,
            semconv.SOURCE,
            semconv.STATE,
            semconv.METHOD,
            semconv.RPC_ELAPSED,
        ],
        semconv.EVENT_LOOP_STALL: [semconv.LOOP_STALLED_SINCE, semconv.LOOP_STALL_DURATION],
    }


def test_signals_are_well_formed() -> None:
    common = {"brief", "stability", "attributes"}
    for event in EVENTS.values():
        assert set(event) == {"name"} | common
    for span in SPANS.values():
        assert set(span) == {"type", "kind", "name"} | common
        assert span["kind"] == "internal"
        assert set(span["name"]) == {"note"}
    for metric in METRICS.values():
        assert set(metric) | {"attributes"} == {"name", "instrument", "unit"} | common
        assert metric["instrument"] in {"counter", "updowncounter", "gauge", "histogram"}
        assert metric["unit"] in _UNITS or re.fullmatch(r"\{[a-z]+\}", metric["unit"])
    for signal in SIGNALS:
        assert signal["stability"] == "development"
        assert signal["brief"].endswith(".")


def test_rejected_names_are_none_of_ours() -> None:
    bare = {name.removeprefix("peeps.") for name in ATTRIBUTES}
    assert len(semconv.LEGACY_ALIASES) == 19
    assert not bare & semconv.LEGACY_ALIASES
