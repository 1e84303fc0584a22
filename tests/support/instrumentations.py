# SPDX-License-Identifier: Apache-2.0
"""Which instrumentations a program under `opentelemetry-instrument` has a use for.

Each is loaded with its library at the start. Those of the tests' environment, with gRPC, FastAPI, aiohttp and others,
take more than half of the processor time of a start; a program that has no use for them would not have them installed.
"""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

_KEPT = {"peeps", "requests"}
"""Our exporters import `requests` in any case, and where gevent is installed only seconds later."""


def settings(script: Path) -> dict[str, str]:
    """Leaves all of them out, but two, where the script and its neighbours that it imports keep to the standard
    library."""
    if script.suffix == ".py" and _keeps_to_the_standard_library(script, set()):
        return {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(_of_libraries())}
    return {}


@cache
def _of_libraries() -> tuple[str, ...]:
    return tuple(sorted({one.name for one in entry_points(group="opentelemetry_instrumentor")} - _KEPT))


def _keeps_to_the_standard_library(script: Path, seen: set[Path]) -> bool:
    """Also by its text, which it may have run by another process."""
    seen.add(script)
    text = script.read_text(encoding="utf-8")
    libraries = {re.split("[-_]", name)[0] for name in _of_libraries()}
    if any(re.search(rf"\b{library}\b", text) for library in libraries):
        return False
    for name in _imported(ast.parse(text)):
        neighbour = script.with_name(f"{name}.py")
        if neighbour.is_file():
            if neighbour not in seen and not _keeps_to_the_standard_library(neighbour, seen):
                return False
        elif name not in sys.stdlib_module_names:
            return False
    return True


def _imported(tree: ast.Module) -> set[str]:
    """The first names of all modules that are imported anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {one.name.partition(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names
