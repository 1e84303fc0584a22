# SPDX-License-Identifier: Apache-2.0
"""The page that answers "what does this change in my process?" says what the code declares, and all of it declares."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import peeps_otel
from peeps_otel.config import VARIABLES
from peeps_otel.model.change import Change
from peeps_otel.probes.patches import asyncio_patch
from peeps_otel.what_we_touch import changes, page

ROOT = Path(peeps_otel.__file__).parent
_PATCHES = "peeps_otel.probes.patches."
_ONLY_HELPS = {f"{_PATCHES}source_patch", f"{_PATCHES}asyncio_runtime"}  # change nothing by themselves
_OTHER_PROCESSES = {"peeps_otel.run.parent", "peeps_otel.watchdog.exit_guard"}
_STARTS_FOR_OTHERS = {"peeps_otel.native"}
_CHANGING = {
    *("atexit.register", "os.register_at_fork", "faulthandler.register", "sys.setswitchinterval", "gc.disable"),
    *(
        "signal.signal",
        "signal.pthread_sigmask",
        "sys.settrace",
        "sys.setprofile",
        "threading.Thread",
        "native.Thread",
        "os.fork",
    ),
    *("sys.monitoring.use_tool_id", "sys.meta_path.insert", "threading.settrace", "sys.addaudithook"),
}
_CHANGING_METHODS = {"addFilter", "add_span_processor", "add_log_record_processor", "add_metric_reader", "addHandler"}


def test_the_page_is_what_the_code_declares() -> None:
    written = (ROOT.parent / "docs" / "what-we-touch.md").read_text(encoding="utf-8")
    assert written == page(), "python -m peeps_otel.what_we_touch > docs/what-we-touch.md"


def test_each_patch_declares_what_it_changes() -> None:
    patches = {f"{_PATCHES}{file.stem}" for file in (ROOT / "probes" / "patches").glob("[!_]*.py")}
    assert patches - _ONLY_HELPS == {module for module in changes() if module.startswith(_PATCHES)}


def test_every_rewritten_function_of_asyncio_is_named() -> None:
    declared = " ".join(f"{row.target} {row.what}" for row in asyncio_patch.CHANGES)
    rewritten = [function.__qualname__ for function, _ in asyncio_patch._edits()]  # pyright: ignore[reportPrivateUsage]  # the list is what is compared
    missing = [name for name in rewritten if name not in declared and name.partition(".")[2] not in declared]
    assert rewritten
    assert missing == []


@pytest.mark.parametrize("row", [row for rows in changes().values() for row in rows], ids=lambda row: row.target)
def test_a_row_is_whole_and_names_a_switch_that_there_is(row: Change) -> None:
    assert all(cell.strip() == cell and cell for cell in row)
    known = {f"`{variable.name}`" for variable in VARIABLES} | {"`PEEPS_METRICS`", "`-p no:peeps`", "`--peeps-timeout`"}
    known |= {"`peeps run`", "`OTEL_PYTHON_DISTRO`"}
    assert any(name in row.switch for name in known)


def test_whoever_changes_something_of_the_process_declares_it() -> None:
    undeclared: dict[str, list[str]] = {}
    for file in ROOT.rglob("*.py"):
        module = ".".join(("peeps_otel", *file.relative_to(ROOT).with_suffix("").parts))
        if module in _OTHER_PROCESSES or "sidecar" in module:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
        found = [call for call in calls if call in _CHANGING or call.rpartition(".")[2] in _CHANGING_METHODS]
        if found and module not in changes() and module not in _STARTS_FOR_OTHERS:
            undeclared[module] = found
    assert undeclared == {}
