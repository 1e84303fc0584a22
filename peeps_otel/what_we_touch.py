# SPDX-License-Identifier: Apache-2.0
"""Writes `docs/what-we-touch.md` out of the `CHANGES` of all modules: `python -m peeps_otel.what_we_touch`."""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module
from importlib.util import find_spec

import peeps_otel
from peeps_otel.model.change import Change

_HEAD = """# What this changes in your process

Written by `python -m peeps_otel.what_we_touch` from the code that makes the changes; a test holds the two together.
Everything else of the process is only read; what `peeps attach` does in a process that was not prepared, and in the
copy that it looks at, is told in [attach.md](attach.md). The parts that change the program are in
`peeps_otel/probes/patches/`; the others are named with their file. `PEEPS_RECORD=0` leaves every function of the
standard library as it is, `PEEPS_ENABLED=0` does nothing at all.

A rewritten function keeps its name, its arguments and its number of Python frames: its code object is exchanged, so
that aliases such as `from asyncio import Lock` are included. Where its source is not the expected one it is left alone,
and the coverage of each snapshot says so. When recording ends, a function that somebody else has exchanged in the
meantime is theirs to keep.
"""
_COLUMNS = "| what | how | when | undone | switch |\n|---|---|---|---|---|"
_NEED_AN_EXTRA = {"peeps_otel.export.otlp_grpc"}  # changes nothing
_OF_PYTEST = "peeps_otel.pytest_plugin"
_DISTRO = "peeps_otel_distro.changes"


def changes() -> dict[str, tuple[Change, ...]]:
    """The declared changes by module, in the order of the modules' names."""
    found: dict[str, tuple[Change, ...]] = {}
    names = sorted(one.name for one in pkgutil.walk_packages(peeps_otel.__path__, "peeps_otel."))
    for module in [*names, *([_DISTRO] if find_spec(_DISTRO.partition(".")[0]) else [])]:
        if module.rpartition(".")[2] == "__main__" or module in _NEED_AN_EXTRA:
            continue
        if module.startswith(_OF_PYTEST) and find_spec("pytest") is None:
            continue
        declared: tuple[Change, ...] = getattr(import_module(module), "CHANGES", ())
        if declared:
            found[module] = declared
    return found


def page() -> str:
    parts = [_HEAD]
    for module, rows in changes().items():
        title = (sys.modules[module].__doc__ or "").strip().split("\n\n")[0].replace("\n", " ").split(". ")[0]
        parts += [f"## `{module.replace('.', '/')}.py`\n", f"{title.rstrip('.:')}.\n", _COLUMNS]
        parts += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
