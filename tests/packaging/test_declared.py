# SPDX-License-Identifier: Apache-2.0
"""What a package imports it also requires itself: nothing is left to come by way of something else."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "": "peeps_otel",
    "distro": "peeps_otel_distro",
    "collector": "peeps_collector",
    "dashboard": "peeps_dashboard",
    "native": "peeps_otel_native",
}
# Packages that share their first name with others; the longest beginning that fits counts.
SHARED = {
    "google.protobuf": "protobuf",
    "google.rpc": "googleapis-common-protos",
    "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry.exporter.otlp.proto.grpc": "opentelemetry-exporter-otlp",
    "opentelemetry.instrumentation": "opentelemetry-instrumentation",
    "opentelemetry.proto": "opentelemetry-proto",
    "opentelemetry.sdk": "opentelemetry-sdk",
    "opentelemetry": "opentelemetry-api",
    "peeps_otel": "peeps-otel",  # installed for editing here, so its files name no package
}
# Optional: imported where the program has it already, or installed with the extra that asks for it.
EXTRA = {
    "peeps_otel": {"opentelemetry-exporter-otlp", "grpcio", "pytest"},
    "peeps_collector": {"numba", "mcp", "textual", "rich", "psycopg"},
}


def imported(package: Path) -> Iterator[str]:
    """Every absolute module that is imported anywhere in the package, also inside functions."""
    for source in package.rglob("*.py"):
        if "node_modules" in source.parts:
            continue
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


_distributions = cache(packages_distributions)
"""Read once: it goes through the files of all that is installed."""


def distribution(module: str) -> str:
    shared = [name for name in SHARED if f"{module}.".startswith(f"{name}.")]
    if shared:
        return SHARED[max(shared, key=len)]
    names = _distributions().get(module.partition(".")[0], [])
    assert names, f"{module} is imported, but not installed here"
    return names[0].lower().replace("_", "-")


@pytest.mark.parametrize("folder", PACKAGES)
def test_what_is_imported_is_required(folder: str) -> None:
    package = PACKAGES[folder]
    required = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"].get("dependencies", [])
    declared = {re.split(r"[<>=!~;\[ ]", name)[0].lower() for name in required}
    modules = {
        module
        for module in imported(ROOT / folder / package)
        if module.partition(".")[0] not in sys.stdlib_module_names | {package}
    }
    needed = {distribution(module) for module in modules}
    assert needed - EXTRA.get(package, set()) - declared == set()
