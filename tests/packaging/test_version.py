# SPDX-License-Identifier: Apache-2.0
"""One version: it stands in `peeps_otel/version.py`, is built into all wheels, and what cannot read it follows it."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import peeps_collector
import peeps_otel_distro
from peeps_otel.version import __version__

ROOT = Path(__file__).parents[2]
FOLDERS = ["", "distro", "collector", "dashboard"]


def project(folder: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text())


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_package_is_built_with_it(folder: str) -> None:
    read = project(folder)
    assert read["project"]["dynamic"] == ["version"]
    source = (ROOT / folder / read["tool"]["hatch"]["version"]["path"]).resolve()
    assert source == ROOT / "peeps_otel" / "version.py"


def test_and_says_so() -> None:
    assert (peeps_collector.__version__, peeps_otel_distro.__version__) == (__version__, __version__)


@pytest.mark.parametrize("folder", ["distro", "collector"])
def test_who_needs_the_core_needs_the_one_it_was_made_with(folder: str) -> None:
    pins = [name for name in project(folder)["project"]["dependencies"] if name.startswith("peeps-otel")]
    assert pins == [f"peeps-otel=={__version__}"]


def test_the_extra_in_c_has_it_too() -> None:
    """Its version stands in no file of its own, but a wheel of it must say the same."""
    assert project("")["project"]["optional-dependencies"]["native"] == [f"peeps-otel-native=={__version__}"]
    try:
        built_with = metadata.version("peeps-otel-native")
    except metadata.PackageNotFoundError:
        pytest.skip("peeps-otel-native was not built")
    assert built_with == __version__


def test_what_streamlit_reads() -> None:
    read = tomllib.loads((ROOT / "dashboard" / "peeps_dashboard" / "pyproject.toml").read_text())
    assert read["project"] == {"name": "peeps-dashboard", "version": __version__}


def test_the_changelog_begins_with_it() -> None:
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    assert headings[0].removeprefix("## ").split(" ")[0] in {__version__, "Unreleased"}


@pytest.mark.parametrize("folder", [*FOLDERS, "native"])
def test_each_package_says_who_and_where(folder: str) -> None:
    said = project(folder)["project"]
    assert said["authors"] == [{"name": "The peeps-otel authors"}]
    assert said["urls"] == project("")["project"]["urls"]
    assert set(said["urls"]) == {"Homepage", "Documentation", "Changelog", "Issues"}
    assert {"Development Status :: 3 - Alpha", "Typing :: Typed"} <= set(said["classifiers"])
    assert (ROOT / folder / said["readme"]).is_file()
    assert all((ROOT / folder / name).is_file() for name in said["license-files"])
