# SPDX-License-Identifier: Apache-2.0
"""Whose code a file is: the program's own or which library's, with real installs of real distributions."""

from __future__ import annotations

import asyncio
import collections
import json
import os
import subprocess
import sys
import sysconfig
import threading
import zipfile
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from opentelemetry.sdk import trace

from peeps_otel import watchdog
from peeps_otel.model import Frame
from peeps_otel.model.own_line import is_line, line_of, place
from peeps_otel.probes.source.ownership import Ownership

_STDLIB = sysconfig.get_paths()["stdlib"]
_SCRIPTS = sysconfig.get_paths()["scripts"]


@pytest.mark.parametrize(
    ("file", "library"),
    [
        ("/srv/shop/app.py", ""),
        ("/home/me/lib/python3/shop/core.py", ""),
        ("/app/src/site-packages-tools/x.py", ""),
        (f"{_STDLIB}-shop/core.py", ""),
        (asyncio.locks.__file__, "Python"),
        (threading.__file__, "Python"),
        (os.path.realpath(json.decoder.__file__), "Python"),
        ("threading.py", "Python"),  # compiled elsewhere, as frozen applications are
        ("json/decoder.py", "Python"),
        ("shop/core.py", ""),
        ("<frozen runpy>", "Python"),
        ("<frozen importlib._bootstrap>", "Python"),
        ("<frozen shop.core>", ""),
        ("<string>", ""),
        ("<stdin>", ""),
        ("<python-input-0>", ""),
        ("<ipython-input-7-0a1b2c>", ""),
        ("/tmp/ipykernel_4711/1234567890.py", ""),
        ("<attrs generated init shop.Order>", "generated code"),
        (aiohttp.client.__file__, "aiohttp"),
        (trace.__file__, "opentelemetry-sdk"),  # one package of many distributions
        (pytest.__file__, "pytest"),
        (f"{_SCRIPTS}/pytest", "pytest"),
        (f"{_SCRIPTS}/my-own-script", ""),
        ("/opt/other/lib/python3.9/site-packages/strange/x.py", "strange"),
        ("/usr/lib/python3/dist-packages/apt/cache.py", "apt"),
        (watchdog.__file__, "peeps-otel"),
        (__file__, ""),
        ("", ""),
        ("\0", ""),
    ],
)
def test_whose_it_is(file: str, library: str) -> None:
    assert Ownership().library(file) == library


@pytest.mark.parametrize("path", [None, ["/srv/shop"]])
def test_another_process_that_is_told_decides_in_the_same_way(path: list[str] | None) -> None:
    one = Ownership(path, own=["acme*"], library=["/srv/shop/vendored/*"])
    other = Ownership(**json.loads(json.dumps(one.to_json())))
    files = ["/srv/shop/vendored/x.py", "/srv/shop/x.py", "/v/site-packages/acme/x.py", aiohttp.__file__, __file__]
    assert [other.library(file) for file in files] == [one.library(file) for file in files]
    assert [one.library(file) for file in files] == ["vendored", "", "", "aiohttp", ""]


def test_globs_come_first() -> None:
    sdk = trace.__file__
    assert Ownership(own=["opentelemetry-sdk"]).library(sdk) == ""
    assert Ownership(own=["opentelemetry"]).library(sdk) == "", "by the package, too"
    assert Ownership(own=["*/opentelemetry/sdk/*"]).library(sdk) == ""
    assert Ownership(own=["open"]).library(sdk) == "opentelemetry-sdk", "whole names"
    assert Ownership(["/srv"], library=["platform_*"]).library("/srv/platform_kit/x.py") == "platform_kit"
    assert Ownership(["/srv"], own=["shop"], library=["shop"]).library("/srv/shop/x.py") == "", "own wins"
    assert Ownership(library=["*"]).library("/srv/shop/x.py") == "", "a name needs an entry of sys.path"


# --- real installs ----------------------------------------------------------------------------------------------------


def _project(folder: Path, name: str, package: str) -> Path:
    """A project that can be installed without a network."""
    (folder / package / "inner").mkdir(parents=True)
    for file in (folder / package / "__init__.py", folder / package / "inner" / "core.py"):
        file.write_text("value = 1\n")
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "1.0"\n'
        '[build-system]\nrequires = []\nbuild-backend = "build_it"\nbackend-path = ["."]\n'
    )
    (folder / "build_it.py").write_text(_BACKEND.format(name=name, package=package))
    return folder


_BACKEND = """
import os, zipfile

STEM = "{name}".replace("-", "_") + "-1.0"

def _wheel(folder, files):
    name = f"{{STEM}}-py3-none-any.whl"
    info = f"{{STEM}}.dist-info"
    files |= {{
        f"{{info}}/METADATA": "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n",
        f"{{info}}/WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        f"{{info}}/entry_points.txt": "[console_scripts]\\n{name}-run = {package}:value\\n",
    }}
    files[f"{{info}}/RECORD"] = "".join(f"{{path}},,\\n" for path in [*files, f"{{info}}/RECORD"])
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name

def build_wheel(folder, config_settings=None, metadata_directory=None):
    files = ["{package}/__init__.py", "{package}/inner/core.py"]
    return _wheel(folder, {{path: open(path).read() for path in files}})

def build_editable(folder, config_settings=None, metadata_directory=None):
    return _wheel(folder, {{"__editable__{package}.pth": os.getcwd() + "\\n"}})
"""


def _install(python: str, *arguments: str) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", python, "install"]
    subprocess.run([*pip, "--no-index", "--no-deps", "--no-compile", *arguments], check=True, timeout=120)


def _wheel_of(project: Path) -> str:
    """Built, so that its install is that of any wheel from an index."""
    script = "import sys; sys.path.insert(0, '.'); import build_it; print(build_it.build_wheel('.'))"
    built = subprocess.run([sys.executable, "-c", script], cwd=project, check=True, capture_output=True, text=True)
    return str(project / built.stdout.strip())


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An empty virtual environment: its `site-packages`."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True, timeout=120)
    (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    return packages


@pytest.mark.slow
def test_what_is_installed_from_a_directory_is_the_programs_own(tmp_path: Path, environment: Path) -> None:
    python = str(tmp_path / "venv" / "bin" / "python")
    shop = _project(tmp_path / "shop-src", "acme-shop", "shop")
    tools = _project(tmp_path / "tools-src", "acme-tools", "tools")
    requests = _project(tmp_path / "requests-src", "requests-like", "requestslike")
    _install(python, str(shop))
    _install(python, "--editable", str(tools))
    _install(python, _wheel_of(requests))
    whose = Ownership([str(environment)])
    assert whose.library(str(environment / "shop" / "inner" / "core.py")) == ""
    assert whose.library(str(tools / "tools" / "inner" / "core.py")) == ""
    assert whose.library(str(environment / "requestslike" / "inner" / "core.py")) == "requests-like"
    assert whose.library(str(environment / "unrecorded" / "x.py")) == "unrecorded"


@pytest.mark.slow
def test_packages_in_a_target_directory_are_libraries_and_what_lies_beside_them_is_not(tmp_path: Path) -> None:
    """As in a Lambda's package or layer: the handler and what it needs in one directory."""
    task = tmp_path / "var" / "task"
    (task / "shop").mkdir(parents=True)
    wheel = _wheel_of(_project(tmp_path / "src", "requests-like", "requestslike"))
    _install(sys.executable, "--target", str(task), wheel)
    whose = Ownership([str(task)])
    assert whose.library(str(task / "requestslike" / "__init__.py")) == "requests-like"
    assert whose.library(str(task / "requestslike" / "inner" / "core.py")) == "requests-like"
    assert whose.library(str(task / "handler.py")) == ""
    assert whose.library(str(task / "shop" / "core.py")) == ""


@pytest.mark.slow
def test_vendored_packages_are_libraries_though_no_entry_of_the_path_leads_there(tmp_path: Path) -> None:
    vendor = tmp_path / "shop" / "_vendor"
    wheel = _wheel_of(_project(tmp_path / "src", "requests-like", "requestslike"))
    _install(sys.executable, "--target", str(vendor), wheel)
    whose = Ownership([str(tmp_path)])
    assert whose.library(str(vendor / "requestslike" / "inner" / "core.py")) == "requests-like"
    assert whose.library(str(tmp_path / "shop" / "core.py")) == ""


def test_a_zip_application_and_what_is_packed_into_it(tmp_path: Path) -> None:
    wheel = _wheel_of(_project(tmp_path / "src", "requests-like", "requestslike"))
    application = tmp_path / "shop.pyz"
    with zipfile.ZipFile(application, "w") as archive, zipfile.ZipFile(wheel) as packed:
        archive.writestr("__main__.py", "import shop.core\n")
        archive.writestr("shop/core.py", "value = 1\n")
        for name in packed.namelist():
            archive.writestr(name, packed.read(name))
    whose = Ownership([str(application)])
    assert whose.library(f"{application}/requestslike/inner/core.py") == "requests-like"
    assert [whose.library(f"{application}/{file}") for file in ("__main__.py", "shop/core.py")] == ["", ""]


def test_distributions_of_the_system_without_a_record_go_by_their_top_level(tmp_path: Path) -> None:
    (tmp_path / "PyYAML-6.0.dist-info").mkdir()
    (tmp_path / "PyYAML-6.0.dist-info" / "top_level.txt").write_text("yaml\n_yaml\n")
    whose = Ownership([str(tmp_path)])
    assert whose.library(str(tmp_path / "yaml" / "inner" / "loader.py")) == "PyYAML"
    assert whose.library(str(tmp_path / "_yaml.py")) == "PyYAML"
    assert whose.library(str(tmp_path / "shop" / "core.py")) == ""


def test_it_looks_once_and_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whose = Ownership([str(tmp_path)])
    files = [str(tmp_path / "shop" / "a.py"), aiohttp.__file__, trace.__file__, f"{_SCRIPTS}/my-own-script"]
    before = set(sys.modules)
    first = [whose.library(file) for file in files]
    assert set(sys.modules) == before
    reads: collections.Counter[str] = collections.Counter()

    def read(path: Any, *_: Any) -> None:
        reads[str(path)] += 1

    monkeypatch.setattr(os, "scandir", read)
    monkeypatch.setattr("builtins.open", read)
    assert [whose.library(file) for file in files] == first
    assert not reads


# --- the place that follows -------------------------------------------------------------------------------------------


def test_the_place_of_a_stack() -> None:
    main, wait = Frame("main", "/srv/app.py", 12, ""), Frame("wait", "/lib/threading.py", 331, "Python")
    feed = Frame("feed", "/v/aiohttp/parser.py", 7, "aiohttp")
    monitor = Frame("_monitor", "/lib/logging/handlers.py", 1500, "Python")
    bootstrap = Frame("Thread._bootstrap", "/lib/threading.py", 1002, "Python")
    frozen = Frame("_run", "<frozen runpy>", 198, "Python")
    assert place([main, feed, wait]) == "/srv/app.py:12"
    assert place([bootstrap, feed, wait]) == "in aiohttp"
    assert place([bootstrap, feed, wait], "/srv/app.py:3") == "in aiohttp, started at /srv/app.py:3"
    assert place([bootstrap, monitor, wait]) == "in logging"
    assert place([bootstrap, wait]) == "in threading"
    assert place([frozen]) == "in Python"
    assert place([]) == ""
    assert place([], "/srv/app.py:3") == "/srv/app.py:3"
    untold = Frame("main", "app.py", 4)
    assert place([untold, wait]) == "app.py:4", "nobody told: it is not said to be a library's"
    assert [line_of(text) for text in ("a.py:1", "in aiohttp, started at a.py:3", "in aiohttp", "")] == [
        "a.py:1",
        "a.py:3",
        "",
        "",
    ]
    assert [is_line(text) for text in ("a.py:1", "in aiohttp, started at a.py:3", "")] == [True, False, False]
