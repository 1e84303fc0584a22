# SPDX-License-Identifier: Apache-2.0
"""Which instrumentations a program under `opentelemetry-instrument` has a use for.

Each is loaded with its library at the start. Those of the tests' environment, with gRPC, FastAPI, aiohttp and others,
take more than half of the processor time of a start; a program that has no use for them would not have them installed.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, packages_distributions, requires
from pathlib import Path

_KEPT = {"peeps", "requests"}
"""Our exporters import `requests` in any case, and where gevent is installed only seconds later."""
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def settings(script: Path) -> dict[str, str]:
    """Leaves out, but for two, those of which neither the script nor a neighbour that it imports names the library, and
    that none of its packages requires."""
    texts = _texts(script, {}) if script.suffix == ".py" else {}
    if not texts:
        return {}
    used = _required(name for text in texts.values() for name in _imported(ast.parse(text)))
    left_out = [one for one in _of_libraries() if not _is_used(one, texts.values(), used)]
    return {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(left_out)} if left_out else {}


@cache
def _of_libraries() -> tuple[str, ...]:
    return tuple(sorted({one.name for one in entry_points(group="opentelemetry_instrumentor")} - _KEPT))


def _is_used(instrumentation: str, texts: Iterable[str], used: set[str]) -> bool:
    """Also by the text alone, which may be run by another process."""
    library = re.split("[-_]", instrumentation)[0]
    if any(one.startswith(library) for one in used):  # `grpc`: the package is grpcio
        return True
    return any(re.search(rf"\b{library}\b", text) for text in texts)


def _texts(script: Path, found: dict[Path, str]) -> dict[Path, str]:
    """Of the script and of its neighbours that it imports."""
    found[script] = text = script.read_text(encoding="utf-8")
    for name in _imported(ast.parse(text)):
        neighbour = script.with_name(f"{name}.py")
        if neighbour.is_file() and neighbour not in found:
            _texts(neighbour, found)
    return found


def _imported(tree: ast.Module) -> set[str]:
    """The first names of all modules that are imported anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {one.name.partition(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def _required(imported: Iterable[str]) -> set[str]:
    """The packages that these modules are of, and all that those cannot be installed without."""
    found: set[str] = set()
    left = [package for name in imported for package in _packages().get(name, ())]
    while left:
        package = left.pop().lower()
        if package not in found:
            found.add(package)
            left += _requires(package)
    return found


@cache
def _packages() -> dict[str, list[str]]:
    modules = packages_distributions()
    return {name: packages for name, packages in modules.items() if name not in sys.stdlib_module_names}


@cache
def _requires(package: str) -> tuple[str, ...]:
    try:
        lines = requires(package) or ()
    except PackageNotFoundError:
        return ()
    return tuple(name[0] for line in lines if "extra ==" not in line and (name := _NAME.match(line)))
