# SPDX-License-Identifier: Apache-2.0
"""The README says what the code does."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from peeps_otel.config import VARIABLES, read

ROOT = Path(__file__).resolve().parent.parent


def settings_table() -> str:
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    rows += [f"| `{v.name}` | {f'`{v.default}`' if v.default else '–'} | {v.meaning} |" for v in VARIABLES]
    return "\n".join(rows)


def test_the_settings_are_all_in_the_readme() -> None:
    assert settings_table() in (ROOT / "README.md").read_text()


def test_every_default_is_what_an_empty_environment_gives() -> None:
    settings = read({})
    assert settings.problems == ()
    assert read({v.name: v.default for v in VARIABLES}) == settings
    assert read({v.name: "" for v in VARIABLES}) == settings


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("PEEPS_INTERVAL_MS", "soon", "must be a whole number from 50 to 60000; '1000' is used"),
        ("PEEPS_INTERVAL_MS", "1", "must be a whole number from 50 to 60000; '1000' is used"),
        ("PEEPS_NODES", "some", "must be one of matter, all, none; 'matter' is used"),
        ("PEEPS_COLLECTOR_ENDPOINT", "9119", "must be host:port, for example 127.0.0.1:9119, or a URL; '' is used"),
        (
            "PEEPS_RULES",
            "-lost_wakup",
            "is wrong: '-lost_wakup': rule 'lost_wakup' is not known; did you mean lost_wakeup?; '' is used",
        ),
        ("PEEPS_ENABLED", "maybe", "must be true or false; 'true' is used"),
    ],
)
def test_a_bad_value_is_a_problem_in_words_and_the_default_holds(name: str, value: str, problem: str) -> None:
    settings = read({name: value})
    assert settings.problems == (f"{name}={value!r} {problem}",)
    assert read({}) == replace(settings, problems=())


def test_the_core_stays_light() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    heavy = ("duckdb", "streamlit", "grpcio", "pyarrow", "uvicorn")
    assert not [name for name in project["dependencies"] if name.startswith(heavy)]


def test_only_the_distro_registers_a_distro() -> None:
    for folder in ("", "collector", "dashboard"):
        entry_points = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"].get("entry-points", {})
        assert not {"opentelemetry_distro", "opentelemetry_configurator"} & set(entry_points)
